//! What the lossless pictures of WebP take to decode (RFC 9649, section 3).
//!
//! A picture may bring 65 536 groups of five prefix codes, and the decoder makes tables of up to 70 KB of a code that
//! takes 8 bytes of the file. So this walk reads every code, as far as the first pixel, and adds up what its tables
//! take. Of the small pictures that come before, which say how pixels were predicted and which group stands where,
//! only the bits are read: the largest number of a group is that of a literal, because copies repeat literals.

use super::PictureError;
use super::webp::NAME;

/// Most bytes of tables. Encoders write up to a few thousand groups, and most of their codes are short.
const MAX_TABLES: u64 = 1 << 26;

/// Bytes that decoding holds beside four channels of every pixel. The stream begins after its size.
pub(super) fn working(stream: &[u8], (width, height): (u32, u32)) -> Result<u64, PictureError> {
    let mut walk = Walk { bytes: stream, at: 0 };
    let held = walk.picture(width, height)?;
    Ok(held + u64::from(width))
}

/// Alphabets of a group: green with lengths, red, blue, alpha, distances.
const ALPHABETS: [usize; 5] = [256 + 24, 256, 256, 256, 40];
const GREEN: usize = 0;
const RED: usize = 1;
const DISTANCE: usize = 4;

struct Walk<'a> {
    bytes: &'a [u8],
    /// The next bit.
    at: usize,
}

impl Walk<'_> {
    fn picture(&mut self, mut width: u32, height: u32) -> Result<u64, PictureError> {
        let mut held = 0;
        let mut known = [false; 4];
        while self.bits(1)? == 1 {
            let kind = self.bits(2)?;
            if std::mem::replace(&mut known[kind as usize], true) {
                return Err(broken());
            }
            match kind {
                // Predictors, and how colours depend on one another: one pixel for each block.
                0 | 1 => {
                    let (across, down) = self.blocks(width, height)?;
                    self.small_picture(across, down)?;
                    held += 4 * u64::from(across) * u64::from(down);
                }
                // Green is subtracted.
                2 => {}
                _ => {
                    let colours = self.bits(8)? + 1;
                    self.small_picture(colours, 1)?;
                    width = match colours {
                        1..=2 => width.div_ceil(8),
                        3..=4 => width.div_ceil(4),
                        5..=16 => width.div_ceil(2),
                        _ => width,
                    };
                }
            }
        }
        let cache = self.cache()?;
        let mut groups = 1;
        if self.bits(1)? == 1 {
            let (across, down) = self.blocks(width, height)?;
            groups += self.small_picture(across, down)?;
            // Read as four channels, kept as a number.
            held += (4 + 2) * u64::from(across) * u64::from(down);
        }
        /// Five codes, in a list that grows by doubling.
        const GROUP: u64 = 3 * 5 * 56;
        let mut tables = 0;
        for _ in 0..groups {
            tables += GROUP;
            for code in self.group(cache)? {
                tables += code.tables;
            }
            if tables > MAX_TABLES {
                return Err(PictureError::broken(NAME, "its prefix codes would take more than 64 MiB"));
            }
        }
        Ok(held + tables)
    }

    /// Blocks across and down, whose side is a power of two that is read.
    fn blocks(&mut self, width: u32, height: u32) -> Result<(u32, u32), PictureError> {
        let side = 4 << self.bits(3)?;
        Ok((width.div_ceil(side), height.div_ceil(side)))
    }

    /// How many colours the cache has, if there is one.
    fn cache(&mut self) -> Result<usize, PictureError> {
        match self.bits(1)? {
            0 => Ok(0),
            _ => match self.bits(4)? {
                bits @ 1..=11 => Ok(1 << bits),
                _ => Err(broken()),
            },
        }
    }

    /// Steps over a picture with one group of codes. Answers the largest number that red and green of a literal make.
    fn small_picture(&mut self, width: u32, height: u32) -> Result<u32, PictureError> {
        let cache = self.cache()?;
        let codes = self.group(cache)?;
        let all = u64::from(width) * u64::from(height);
        let (mut done, mut largest) = (0, 0);
        while done < all {
            match self.symbol(&codes[GREEN])? {
                green @ 0..256 => {
                    let red = self.symbol(&codes[RED])?;
                    self.symbol(&codes[2])?;
                    self.symbol(&codes[3])?;
                    largest = largest.max(u32::from(red) << 8 | u32::from(green));
                    done += 1;
                }
                length @ 256..280 => {
                    done += u64::from(self.distance(length - 256)?);
                    let prefix = self.symbol(&codes[DISTANCE])?;
                    self.distance(prefix)?;
                }
                // A colour of the cache is one that a literal brought, or black.
                _ => done += 1,
            }
        }
        Ok(largest)
    }

    /// A length or a distance: a prefix and more bits.
    fn distance(&mut self, prefix: u16) -> Result<u32, PictureError> {
        let prefix = u32::from(prefix);
        if prefix < 4 {
            return Ok(prefix + 1);
        }
        let more = (prefix - 2) >> 1;
        Ok(((2 + (prefix & 1)) << more) + self.bits(more)? + 1)
    }

    fn group(&mut self, cache: usize) -> Result<Vec<Code>, PictureError> {
        let alphabets = ALPHABETS.into_iter().enumerate();
        alphabets.map(|(place, size)| self.code(size + if place == GREEN { cache } else { 0 })).collect()
    }

    fn code(&mut self, alphabet: usize) -> Result<Code, PictureError> {
        if self.bits(1)? == 1 {
            let two = self.bits(1)? == 1;
            let wide = self.bits(1)?;
            let zero = self.bits(1 + 7 * wide)? as u16;
            let code = if two { Code::pair(zero, self.bits(8)? as u16) } else { Code::single(zero) };
            let within = code.symbols.iter().all(|symbol| usize::from(*symbol) < alphabet);
            return if within { Ok(code) } else { Err(broken()) };
        }
        const ORDER: [usize; 19] = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        let mut lengths = [0; ORDER.len()];
        for place in &ORDER[..4 + self.bits(4)? as usize] {
            lengths[*place] = self.bits(3)? as u8;
        }
        let of_lengths = Code::new(&lengths)?;
        let mut left = if self.bits(1)? == 1 {
            let bits = 2 + 2 * self.bits(3)?;
            2 + self.bits(bits)? as usize
        } else {
            alphabet
        };
        if left > alphabet {
            return Err(broken());
        }
        let (mut lengths, mut last) = (Vec::with_capacity(alphabet), 8);
        while lengths.len() < alphabet && left > 0 {
            left -= 1;
            let (length, times) = match self.symbol(&of_lengths)? {
                16 => (last, 3 + self.bits(2)?),
                17 => (0, 3 + self.bits(3)?),
                18 => (0, 11 + self.bits(7)?),
                length => {
                    last = if length == 0 { last } else { length as u8 };
                    (length as u8, 1)
                }
            };
            lengths.extend(std::iter::repeat_n(length, times as usize));
        }
        if lengths.len() > alphabet { Err(broken()) } else { Code::new(&lengths) }
    }

    /// The next symbol of a code whose words are read from their first bit.
    fn symbol(&mut self, code: &Code) -> Result<u16, PictureError> {
        if let [only] = code.symbols[..] {
            return Ok(only);
        }
        let (mut word, mut first, mut index) = (0u32, 0u32, 0);
        for count in code.counts {
            word = word << 1 | self.bits(1)?;
            first <<= 1;
            if word - first < count {
                return Ok(code.symbols[(index + word - first) as usize]);
            }
            index += count;
            first += count;
        }
        Err(broken())
    }

    /// The next bits, the first of them the lowest; at most 24.
    fn bits(&mut self, count: u32) -> Result<u32, PictureError> {
        let mut window = [0; 4];
        let from = self.bytes.get(self.at / 8..).unwrap_or_default();
        let there = from.len().min(4);
        window[..there].copy_from_slice(&from[..there]);
        self.at += count as usize;
        if self.at > 8 * self.bytes.len() {
            return Err(PictureError::truncated(NAME));
        }
        let start = (self.at - count as usize) % 8;
        Ok(u32::from_le_bytes(window) >> start & ((1 << count) - 1))
    }
}

/// A canonical prefix code.
struct Code {
    /// How many words have each length, from 1.
    counts: [u32; 15],
    /// Symbols in the order of their words.
    symbols: Vec<u16>,
    /// Bytes that the decoder makes of it.
    tables: u64,
}

impl Code {
    /// The only symbol takes no bits.
    fn single(symbol: u16) -> Self {
        Self { counts: [0; 15], symbols: vec![symbol], tables: 0 }
    }

    /// Two symbols of a bit each.
    fn pair(zero: u16, one: u16) -> Self {
        let mut counts = [0; 15];
        counts[0] = 2;
        Self { counts, symbols: vec![zero, one], tables: 2 * 4 + 2 * NODE }
    }

    /// The code whose words have these lengths, 0 to 15; 0 is a symbol without a word.
    fn new(lengths: &[u8]) -> Result<Self, PictureError> {
        let mut symbols: Vec<u16> =
            (0..).zip(lengths).filter(|(_, length)| **length > 0).map(|(symbol, _)| symbol).collect();
        if let [only] = symbols[..] {
            return Ok(Self::single(only));
        }
        symbols.sort_by_key(|symbol| lengths[usize::from(*symbol)]);
        let mut counts = [0; 15];
        for length in lengths.iter().filter(|length| **length > 0) {
            counts[usize::from(*length) - 1] += 1;
        }
        // Every sequence of bits must be the beginning of one word or begin with one.
        let share: u32 = (1..).zip(counts).map(|(length, count)| count << (15 - length)).sum();
        if share != 1 << 15 {
            return Err(broken());
        }
        // Words are looked up by their first ten bits; what is longer hangs in a tree below.
        const LOOKED_UP: usize = 10;
        let longest = 1 + counts.iter().rposition(|count| *count > 0).unwrap_or(0);
        let below: u32 = counts[LOOKED_UP..].iter().sum();
        let tables = (4 << longest.min(LOOKED_UP)) + 2 * NODE * u64::from(below);
        Ok(Self { counts, symbols, tables })
    }
}

/// Bytes of a node of the decoder's trees.
const NODE: u64 = 16;

fn broken() -> PictureError {
    PictureError::broken(NAME, "its prefix codes are damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_needs_a_word_for_every_sequence_and_no_more() {
        for whole in [&[0, 0, 1][..], &[1, 1], &[2, 2, 1], &[1, 2, 3, 3], &[11; 2048]] {
            assert!(Code::new(whole).is_ok(), "{whole:?}");
        }
        for damaged in [&[][..], &[0, 0], &[1, 1, 1], &[1, 2], &[11; 2047], &[1; 2328]] {
            assert!(Code::new(damaged).is_err(), "{damaged:?}");
        }
    }

    #[test]
    fn words_are_read_from_their_first_bit() {
        // Words 0, 10, 110 and 111 for the symbols 1, 0, 2 and 3.
        let code = Code::new(&[2, 1, 3, 3]).unwrap();
        let mut walk = Walk { bytes: &[0b0111_0110], at: 0 };
        // Read from the lowest bit: 0, 11 0, 111, 0.
        let symbols: Vec<u16> = (0..4).map(|_| walk.symbol(&code).unwrap()).collect();
        assert_eq!(symbols, [1, 2, 3, 1]);
        assert_eq!(walk.symbol(&code).unwrap_err(), PictureError::truncated(NAME));
    }

    #[test]
    fn a_code_of_long_words_takes_much_more_than_one_of_short_ones() {
        assert_eq!(Code::new(&[1, 1]).unwrap().tables, 8);
        assert_eq!(Code::new(&[10; 1024]).unwrap().tables, 4096);
        assert_eq!(Code::new(&[11; 2048]).unwrap().tables, 4096 + 2 * 2048 * NODE);
    }
}
