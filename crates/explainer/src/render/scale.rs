//! Which place between the ends of the palette a value has.

use unmask_core::{Map, Reading};

/// The values at the ends of the palette.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    reading: Reading,
    /// The value that is drawn as the left end of the legend's bar.
    pub(super) low: f64,
    /// The value that gets the full warm colour.
    pub(super) high: f64,
}

impl Scale {
    /// Evidence is drawn from minus its largest absolute value to plus that; importance from its lowest value to its
    /// highest. Values that are no numbers have no part in it.
    pub(super) fn new(map: &Map, reading: Reading) -> Self {
        let finite = map.data.iter().filter(|v| v.is_finite()).map(|v| f64::from(*v));
        let (low, high) = match reading {
            Reading::Evidence => {
                let peak = finite.fold(0.0, |peak: f64, v| peak.max(v.abs()));
                (-peak, peak)
            }
            Reading::Importance => {
                let low = finite.clone().fold(f64::INFINITY, f64::min);
                let high = finite.fold(f64::NEG_INFINITY, f64::max);
                if low <= high { (low, high) } else { (0.0, 0.0) }
            }
        };
        Self { reading, low, high }
    }

    /// The value's place: between -1 and 1 for evidence, between 0 and 1 for importance. A flat map and values that are
    /// no numbers are at 0.
    pub(super) fn share(self, value: f32) -> f64 {
        let (share, least) = match self.reading {
            Reading::Evidence => (f64::from(value) / self.high, -1.0),
            Reading::Importance => ((f64::from(value) - self.low) / (self.high - self.low), 0.0),
        };
        if share.is_finite() { share.clamp(least, 1.0) } else { 0.0 }
    }

    /// The place of a point of the legend's bar, from 0 at its left end to 1 at its right.
    pub(super) fn along(self, part: f64) -> f64 {
        match self.reading {
            Reading::Evidence => 2.0 * part - 1.0,
            Reading::Importance => part,
        }
    }

    pub(super) fn is_flat(self) -> bool {
        self.low == self.high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(data: &[f32], reading: Reading) -> Scale {
        Scale::new(&Map { height: 1, width: data.len(), data: data.into() }, reading)
    }

    #[test]
    fn values_that_are_no_numbers_have_no_part_in_the_scale() {
        let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -2.0, 1.0];
        let evidence = scale(&odd, Reading::Evidence);
        assert_eq!((evidence.low, evidence.high), (-2.0, 2.0));
        assert_eq!(odd.map(|v| evidence.share(v)), [0.0, 0.0, 0.0, -1.0, 0.5]);
        let importance = scale(&odd, Reading::Importance);
        assert_eq!((importance.low, importance.high), (-2.0, 1.0));
        assert_eq!(odd.map(|v| importance.share(v)), [0.0, 0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn a_map_of_one_value_is_flat_only_as_importance() {
        assert!(scale(&[3.0; 4], Reading::Importance).is_flat());
        assert!(!scale(&[3.0; 4], Reading::Evidence).is_flat());
        for reading in [Reading::Evidence, Reading::Importance] {
            for data in [&[0.0; 4][..], &[f32::NAN; 2], &[]] {
                let flat = scale(data, reading);
                assert!(flat.is_flat() && flat.share(0.0) == 0.0, "{reading:?} {data:?}");
            }
        }
    }
}
