//! The Sobol sequence, plain or scrambled.
//!
//! Direction numbers: Joe and Kuo, "Constructing Sobol sequences with better two-dimensional projections", SIAM J. Sci. Comput.
//! 2008, DOI 10.1137/070709359, set new-joe-kuo-6.21201, as scipy has it; `tests/parity/sobol.py` writes the file, which carries their licence.

use unmask_core::{Draws, Stream};

/// For each dimension from the second on: its primitive polynomial with all coefficients, then its first direction numbers.
const DIRECTIONS: &str = include_str!("directions.txt");
const BITS: usize = 32;

/// Points of the sequence in some dimensions.
pub struct Points {
    /// Direction numbers per dimension, the first bit of a point first.
    directions: Vec<[u32; BITS]>,
    /// Hash seed per dimension; none for the plain sequence.
    scrambles: Option<Vec<u32>>,
}

impl Points {
    /// The sequence in `dimensions` (at most 512), scrambled under a seed where there is one.
    pub fn new(dimensions: usize, seed: Option<u64>) -> Self {
        let first = std::array::from_fn(|bit| 1 << (BITS - 1 - bit));
        let others = DIRECTIONS.lines().filter(|line| !line.starts_with('#')).map(directions);
        let scramble =
            |seed| (0..dimensions as u64).map(|d| Draws::of(Stream::Scramble, seed, d).word()).collect();
        Self {
            directions: std::iter::once(first).chain(others).take(dimensions).collect(),
            scrambles: seed.map(scramble),
        }
    }

    /// Coordinate `dimension` of point number `point`, in [0, 1), in the order of the Gray code.
    pub fn coordinate(&self, point: u32, dimension: usize) -> f64 {
        let gray = point ^ (point >> 1);
        let directions = self.directions[dimension].iter().enumerate();
        let plain = directions.filter(|(bit, _)| gray >> bit & 1 == 1).fold(0, |sum, (_, v)| sum ^ v);
        let bits = match &self.scrambles {
            None => plain,
            Some(seeds) => scrambled(plain, seeds[dimension]),
        };
        f64::from(bits) / 4_294_967_296.0
    }
}

/// Nested uniform scrambling (Owen, 1995) by the hash of Laine and Karras with the constants of Vegdahl, as Burley has it
/// (Practical Hash-based Owen Scrambling, JCGT 2020): each bit is turned by a function of the bits before it, so that the
/// points stay as evenly spread as they were.
fn scrambled(bits: u32, seed: u32) -> u32 {
    let mut x = bits.reverse_bits();
    x ^= x.wrapping_mul(0x3d20_adea);
    x = x.wrapping_add(seed);
    x = x.wrapping_mul((seed >> 16) | 1);
    x ^= x.wrapping_mul(0x0552_6c56);
    x ^= x.wrapping_mul(0x53a2_2864);
    x.reverse_bits()
}

/// All direction numbers of a dimension from its polynomial and the first of them.
fn directions(line: &str) -> [u32; BITS] {
    let mut numbers = line.split(' ').map(|word| word.parse::<u32>().expect("the file holds whole numbers"));
    let polynomial = numbers.next().expect("a line begins with a polynomial");
    let degree = polynomial.ilog2() as usize;
    let mut odd: Vec<u32> = numbers.collect();
    for bit in degree..BITS {
        let terms = (1..=degree).filter(|k| polynomial >> (degree - k) & 1 == 1);
        // Numbers grow beyond 32 bits only where they would be shifted out.
        let next = terms.fold(odd[bit - degree], |sum, k| sum ^ odd[bit - k].wrapping_shl(k as u32));
        odd.push(next);
    }
    std::array::from_fn(|bit| odd[bit].wrapping_shl((BITS - 1 - bit) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dimension_has_one_point_in_each_stratum_plain_or_scrambled() {
        for seed in [None, Some(0), Some(99)] {
            let points = Points::new(512, seed);
            for dimension in 0..512 {
                let mut seen = [false; 32];
                (0..32).for_each(|p| seen[(points.coordinate(p, dimension) * 32.0) as usize] = true);
                assert!(seen.iter().all(|s| *s), "{seed:?}, {dimension}");
            }
        }
    }

    #[test]
    fn the_first_two_dimensions_are_the_textbooks() {
        let points = Points::new(2, None);
        let found: Vec<_> = (0..4).map(|p| (points.coordinate(p, 0), points.coordinate(p, 1))).collect();
        assert_eq!(found, [(0.0, 0.0), (0.5, 0.5), (0.75, 0.25), (0.25, 0.75)]);
    }

    #[test]
    fn the_seed_moves_the_points_and_first_points_do_not_depend_on_the_rest() {
        let (a, b) = (Points::new(8, Some(1)), Points::new(8, Some(2)));
        assert!((0..8).all(|d| a.coordinate(3, d) != b.coordinate(3, d)));
        let more = Points::new(200, Some(1));
        assert!((0..8).all(|d| a.coordinate(3, d) == more.coordinate(3, d)));
    }
}
