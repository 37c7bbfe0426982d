//! Maps that have seen neither picture nor detector.

use unmask_core::{Draws, Map, Stream};

/// A Gaussian around the centre, with a standard deviation of a quarter of each side.
pub fn centre(height: usize, width: usize) -> Map {
    let square = |at: usize, side: usize| ((at as f64 + 0.5) / side as f64 * 4.0 - 2.0).powi(2);
    let value = |i: usize| (-0.5 * (square(i / width, height) + square(i % width, width))).exp() as f32;
    Map { height, width, data: (0..height * width).map(value).collect() }
}

/// The same value everywhere.
pub fn uniform(height: usize, width: usize) -> Map {
    Map { height, width, data: vec![1.0; height * width] }
}

/// Independent uniform values, a function of the seed.
pub fn random(height: usize, width: usize, seed: u64) -> Map {
    let mut draws = Draws::of(Stream::Control, seed, 0);
    Map { height, width, data: (0..height * width).map(|_| draws.unit()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_centre_is_highest_in_the_middle_and_even_on_all_sides() {
        let map = centre(5, 9);
        assert_eq!(map.data.iter().copied().fold(0.0, f32::max), map.data[2 * 9 + 4]);
        assert!((0..9).all(|x| (map.data[x] - map.data[44 - x]).abs() < 1e-7));
    }

    #[test]
    fn random_values_belong_to_their_seed() {
        assert_eq!(random(4, 4, 3), random(4, 4, 3));
        assert_ne!(random(4, 4, 3), random(4, 4, 4));
    }
}
