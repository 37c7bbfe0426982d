//! The pixels of a map in order.

/// The rank of each pixel, 0 for the highest value; of equal values the first pixel is the higher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranks {
    ranks: Vec<u32>,
}

impl Ranks {
    /// The ranks of `values`; 0 and -0 are equal, and NaN is no value of a map.
    pub fn new(values: &[f32]) -> Self {
        let mut ranks = vec![0; values.len()];
        for (rank, pixel) in (0..).zip(order(values)) {
            ranks[pixel] = rank;
        }
        Self { ranks }
    }

    /// The rank of every pixel, row-major.
    pub fn ranks(&self) -> &[u32] {
        &self.ranks
    }
}

/// The pixels from the highest value to the lowest; of equal values the first pixel comes first.
pub fn order(values: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    // Adding 0 makes -0 equal to 0, as they are to a reader of the map.
    order.sort_by(|a, b| (values[*b] + 0.0).total_cmp(&(values[*a] + 0.0)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_is_first_and_equals_keep_their_order() {
        let values = [0.0, 2.0, -0.0, -1.0, 2.0];
        assert_eq!(order(&values), [1, 4, 0, 2, 3]);
        assert_eq!(Ranks::new(&values).ranks(), [2, 0, 3, 4, 1]);
    }
}
