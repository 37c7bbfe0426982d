//! Randomness as a pure function of (seed, index).
//!
//! Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011, DOI 10.1145/2063384.2063405)
//! turns a counter into random bits, so batch size, worker count and neighbours never change a draw.

use std::convert::Infallible;

use rand_core::TryRng;
use rand_distr::{Distribution as _, StandardNormal};

/// One block of Philox4x32-10: four random words for a counter and a key.
pub fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
        }
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (b >> 32) as u32 ^ counter[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ counter[3] ^ key[1],
            a as u32,
        ];
    }
    counter
}

/// Who draws: under one seed, nobody's draws are another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// A method: its masks, rows or sets.
    Method,
    /// The scrambling of quasi-random points.
    Scramble,
    /// The directions of a search.
    Search,
    /// A fill.
    Fill,
    /// A segmentation.
    Segmentation,
    /// A metric.
    Metric,
    /// The directions of an attack, which are not those of a search for a fill.
    Attack,
    /// A map that has seen nothing.
    Control,
    /// Items that are drawn again.
    Bootstrap,
}

impl Stream {
    /// Where the stream's items begin; none has as many as lie between two beginnings.
    fn first(self) -> u64 {
        match self {
            Self::Method => 0,
            Self::Scramble => 1 << 60,
            Self::Search => 1 << 61,
            Self::Fill => 1 << 62,
            Self::Segmentation => 1 << 63,
            Self::Metric => 3 << 62,
            Self::Attack => 3 << 61,
            Self::Control => 5 << 61,
            Self::Bootstrap => 7 << 61,
        }
    }

    /// A seed of the stream's own under `seed`, for what draws from another stream itself.
    pub fn seed(self, seed: u64) -> u64 {
        let mut draws = Draws::of(self, seed, 0);
        u64::from(draws.word()) | u64::from(draws.word()) << 32
    }
}

/// The endless sequence of draws that belongs to (seed, index), such as those of one mask.
#[derive(Clone, Debug)]
pub struct Draws {
    key: [u32; 2],
    index: [u32; 2],
    block: u32,
    words: [u32; 4],
    used: usize,
}

impl Draws {
    /// The draws of item `index` under `seed`.
    pub fn new(seed: u64, index: u64) -> Self {
        Self { key: halves(seed), index: halves(index), block: 0, words: [0; 4], used: 4 }
    }

    /// The draws of item `index` of a stream under `seed`.
    pub fn of(stream: Stream, seed: u64, index: u64) -> Self {
        Self::new(seed, stream.first() + index)
    }

    /// 32 random bits.
    pub fn word(&mut self) -> u32 {
        if self.used == 4 {
            self.words = philox4x32([self.block, 0, self.index[0], self.index[1]], self.key);
            self.block = self.block.wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }

    /// A uniform number in [0, 1), a multiple of 2^-24.
    pub fn unit(&mut self) -> f32 {
        (self.word() >> 8) as f32 / 16_777_216.0
    }

    /// A standard normal deviate (the ziggurat of Marsaglia and Tsang as in Doornik, "An Improved Ziggurat Method to
    /// Generate Normal Random Samples", 2005); it takes two words, and more in a few cases of a hundred.
    pub fn normal(&mut self) -> f32 {
        StandardNormal.sample(self)
    }

    /// A uniform whole number in 0..n, without bias (Lemire, arXiv 1805.10941); 0 where `n` is 0.
    pub fn below(&mut self, n: u32) -> u32 {
        if n == 0 {
            return 0;
        }
        let threshold = n.wrapping_neg() % n;
        loop {
            let product = u64::from(self.word()) * u64::from(n);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }
}

impl TryRng for Draws {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from(self.word()) | u64::from(self.word()) << 32)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        rand_core::utils::fill_bytes_via_next_word(bytes, || self.try_next_u32())
    }
}

fn halves(x: u64) -> [u32; 2] {
    [x as u32, (x >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    // Known answers of the authors' Random123 distribution, kat_vectors, philox4x32 with 10 rounds.
    #[test]
    fn philox_gives_the_authors_known_answers() {
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox4x32([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox4x32([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn draws_depend_on_seed_and_index_only() {
        let first: Vec<u32> = {
            let mut d = Draws::new(7, 3);
            (0..9).map(|_| d.word()).collect()
        };
        let mut again = Draws::new(7, 3);
        assert!(first.iter().all(|w| *w == again.word()));
        assert_ne!(first[0], Draws::new(7, 4).word());
        assert_ne!(first[0], Draws::new(8, 3).word());
    }

    #[test]
    fn deviates_have_the_moments_of_a_standard_normal() {
        let mut draws = Draws::new(3, 0);
        let deviates: Vec<f64> = (0..40_000).map(|_| f64::from(draws.normal())).collect();
        let moment = |power| deviates.iter().map(|d| d.powi(power)).sum::<f64>() / deviates.len() as f64;
        assert!(moment(1).abs() < 0.02 && (moment(2) - 1.0).abs() < 0.03, "{} {}", moment(1), moment(2));
        assert!(moment(3).abs() < 0.1 && (moment(4) - 3.0).abs() < 0.2, "{} {}", moment(3), moment(4));
    }

    #[test]
    fn nobodys_draws_are_anothers() {
        let first = |stream| Draws::of(stream, 7, 3).word();
        let streams = [
            Stream::Method,
            Stream::Scramble,
            Stream::Search,
            Stream::Fill,
            Stream::Segmentation,
            Stream::Metric,
            Stream::Attack,
            Stream::Control,
            Stream::Bootstrap,
        ]
        .map(first);
        for (i, word) in streams.iter().enumerate() {
            assert!(!streams[..i].contains(word), "{i}");
        }
    }

    #[test]
    fn units_and_small_integers_are_uniform() {
        let mut draws = Draws::new(1, 0);
        let mean = (0..20_000).map(|_| f64::from(draws.unit())).sum::<f64>() / 20_000.0;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        let mut counts = [0u32; 6];
        (0..60_000).for_each(|_| counts[draws.below(6) as usize] += 1);
        assert!(counts.iter().all(|c| c.abs_diff(10_000) < 500), "{counts:?}");
    }
}
