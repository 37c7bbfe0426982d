//! What the lossy pictures of WebP take to decode (RFC 6386).
//!
//! The decoder makes room for a partition of the length that the file announces before it looks whether that much is
//! there, so this reads as far as the lengths and refuses those that lie.

use super::PictureError;
use super::webp::NAME;

/// Bytes that decoding holds beside the picture it writes.
pub(super) fn working(data: &[u8], (width, height): (u32, u32)) -> Result<u64, PictureError> {
    const UNCOMPRESSED: usize = 10;
    let truncated = || PictureError::truncated(NAME);
    let [tag, first_low, first_high, ..] = data else { return Err(truncated()) };
    if tag & 1 != 0 {
        return Err(PictureError::broken(NAME, "its lossy picture builds on another one"));
    }
    let first = usize::from(tag >> 5) | usize::from(*first_low) << 3 | usize::from(*first_high) << 11;
    let body = data.get(UNCOMPRESSED..).ok_or_else(truncated)?;
    let (header, rest) = body.split_at_checked(first).ok_or_else(truncated)?;
    let lengths = 3 * (Bools::new(header).partitions() - 1);
    let (lengths, rest) = rest.split_at_checked(lengths).ok_or_else(truncated)?;
    let announced: usize =
        lengths.chunks(3).map(|l| usize::from(l[0]) | usize::from(l[1]) << 8 | usize::from(l[2]) << 16).sum();
    if announced > rest.len() {
        return Err(truncated());
    }
    // Brightness and two colours of half the size, in whole blocks of 16 x 16, and a list of those that grows by doubling.
    const BLOCK: u64 = 16 * 16 * 3 / 2 + 3 * 32;
    let blocks = u64::from(width).div_ceil(16) * u64::from(height).div_ceil(16);
    // Partitions are copied as they are read and again once they are whole; the last one grows by doubling.
    Ok(BLOCK * blocks + 32 * u64::from(width) + 5 * data.len() as u64)
}

/// The boolean decoder of section 7, for values that are as likely to be true as false.
struct Bools<'a> {
    rest: &'a [u8],
    value: u32,
    range: u32,
    shifted: u32,
}

impl<'a> Bools<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let mut bools = Self { rest: bytes, value: 0, range: 255, shifted: 0 };
        bools.value = bools.byte() << 8 | bools.byte();
        bools
    }

    /// After the end come zeros.
    fn byte(&mut self) -> u32 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        u32::from(*first)
    }

    fn flag(&mut self) -> bool {
        let split = 1 + (self.range - 1) / 2;
        let set = self.value >= split << 8;
        if set {
            self.range -= split;
            self.value -= split << 8;
        } else {
            self.range = split;
        }
        while self.range < 128 {
            self.value <<= 1;
            self.range <<= 1;
            self.shifted += 1;
            if self.shifted == 8 {
                self.shifted = 0;
                self.value |= self.byte();
            }
        }
        set
    }

    fn literal(&mut self, bits: u32) -> u32 {
        (0..bits).fold(0, |value, _| value << 1 | u32::from(self.flag()))
    }

    /// So many values with a sign, each of which may be left out.
    fn skip_optional(&mut self, count: u32, bits: u32) {
        for _ in 0..count {
            if self.flag() {
                self.literal(bits + 1);
            }
        }
    }

    /// The frame header as far as the number of partitions, section 9.2 to 9.5.
    fn partitions(&mut self) -> usize {
        self.literal(2);
        if self.flag() {
            let (map, values) = (self.flag(), self.flag());
            if values {
                self.flag();
                self.skip_optional(4, 7);
                self.skip_optional(4, 6);
            }
            for _ in 0..if map { 3 } else { 0 } {
                if self.flag() {
                    self.literal(8);
                }
            }
        }
        self.literal(1 + 6 + 3);
        if self.flag() && self.flag() {
            self.skip_optional(8, 6);
        }
        1 << self.literal(2)
    }
}
