//! Seeds on a regular lattice, as scikit-image's `regular_grid` lays them.

/// Where the seeds of a picture lie: on each side at `start`, `start + step` and so on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lattice {
    rows: Side,
    cols: Side,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Side {
    start: usize,
    step: usize,
}

impl Lattice {
    /// About `points` seeds in `height` x `width` pixels, as near to square as the sides allow: a side shorter than the
    /// square's gets one seed in its middle. A picture with no more pixels than `points` has a seed on each.
    pub(super) fn new(height: usize, width: usize, points: usize) -> Self {
        let every = Side { start: 0, step: 1 };
        if height * width <= points {
            return Self { rows: every, cols: every };
        }
        let square = ((height * width) as f64 / points as f64).powf(0.5);
        let (short, long) = (height.min(width) as f64, height.max(width) as f64);
        if short >= square {
            return Self { rows: Side::new(square), cols: Side::new(square) };
        }
        let (short, long) = (Side::new(short), Side::new(long / points as f64));
        if height <= width { Self { rows: short, cols: long } } else { Self { rows: long, cols: short } }
    }

    /// Rows and columns from one seed to the next.
    pub(super) fn steps(self) -> (usize, usize) {
        (self.rows.step, self.cols.step)
    }

    /// Row and column of each seed, row by row.
    pub(super) fn seeds(self, height: usize, width: usize) -> impl Iterator<Item = (usize, usize)> {
        let rows = (self.rows.start..height).step_by(self.rows.step);
        rows.flat_map(move |y| (self.cols.start..width).step_by(self.cols.step).map(move |x| (y, x)))
    }
}

impl Side {
    fn new(step: f64) -> Self {
        Self { start: (step / 2.0) as usize, step: (step.round_ties_even() as usize).max(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_seeds_of_224_pixels_are_seven_by_seven() {
        let seeds: Vec<_> = Lattice::new(224, 224, 50).seeds(224, 224).collect();
        assert_eq!((seeds.len(), seeds[0], seeds[1], seeds[48]), (49, (15, 15), (15, 47), (207, 207)));
    }

    #[test]
    fn a_thin_picture_has_one_line_of_seeds() {
        let wide: Vec<_> = Lattice::new(2, 100, 5).seeds(2, 100).collect();
        assert_eq!(wide, [(1, 10), (1, 30), (1, 50), (1, 70), (1, 90)]);
        let tall: Vec<_> = Lattice::new(100, 2, 5).seeds(100, 2).collect();
        assert_eq!(tall, wide.iter().map(|(y, x)| (*x, *y)).collect::<Vec<_>>());
    }

    #[test]
    fn a_picture_of_few_pixels_has_a_seed_on_each() {
        assert_eq!(Lattice::new(2, 3, 50).seeds(2, 3).count(), 6);
        assert_eq!(Lattice::new(1, 1, 1024).seeds(1, 1).collect::<Vec<_>>(), [(0, 0)]);
    }
}
