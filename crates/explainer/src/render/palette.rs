//! The diverging colours: cool for against, warm for evidence, light grey between.
//!
//! Both arms are straight lines in Oklab (Ottosson, "A perceptual color space for image processing", 2020) from one grey
//! to ends of equal lightness and chroma: equal steps of the value look equal, and neither sign looks stronger. The hues,
//! blue and orange-red, stay apart under the common colour-vision deficiencies.

/// Lightness of the grey in the middle.
const NEUTRAL: f64 = 0.93;
/// Lightness of both ends.
const LIGHTNESS: f64 = 0.58;
/// Chroma of both ends; the arms stay inside sRGB up to about 0.18.
const CHROMA: f64 = 0.17;
/// Hue of the warm end, in degrees.
const WARM: f64 = 42.0;
/// Hue of the cool end, in degrees.
const COOL: f64 = 258.0;
/// Colours on each side of the middle; more would not differ in eight bits.
const STEPS: usize = 256;

/// The colours of all values.
#[derive(Clone, Debug)]
pub(super) struct Palette {
    warm: Vec<[u8; 3]>,
    cool: Vec<[u8; 3]>,
}

impl Palette {
    pub(super) fn new() -> Self {
        let arm = |hue| (0..=STEPS).map(|i| srgb(along(i as f64 / STEPS as f64, hue))).collect();
        Self { warm: arm(WARM), cool: arm(COOL) }
    }

    /// The colour of a value between -1 and 1.
    pub(super) fn colour(&self, share: f64) -> [u8; 3] {
        let arm = if share < 0.0 { &self.cool } else { &self.warm };
        arm[((share.abs() * STEPS as f64).round() as usize).min(STEPS)]
    }
}

/// Lightness, a and b of a place between the middle (0) and an end (1).
fn along(place: f64, hue: f64) -> [f64; 3] {
    let (sin, cos) = hue.to_radians().sin_cos();
    [NEUTRAL + place * (LIGHTNESS - NEUTRAL), place * CHROMA * cos, place * CHROMA * sin]
}

/// Oklab to eight-bit sRGB, with the constants of its author.
fn srgb([lightness, a, b]: [f64; 3]) -> [u8; 3] {
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s,
    ]
    .map(|linear| {
        let encoded =
            if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
        (255.0 * encoded).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Eight-bit sRGB to Oklab.
    fn oklab(colour: [u8; 3]) -> [f64; 3] {
        let [r, g, b] = colour.map(|v| {
            let v = f64::from(v) / 255.0;
            if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        });
        let l = (0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b).cbrt();
        let m = (0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b).cbrt();
        let s = (0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b).cbrt();
        [
            0.210_454_255_3 * l + 0.793_617_785_0 * m - 0.004_072_046_8 * s,
            1.977_998_495_1 * l - 2.428_592_205_0 * m + 0.450_593_709_9 * s,
            0.025_904_037_1 * l + 0.782_771_766_2 * m - 0.808_675_766_0 * s,
        ]
    }

    fn distance(a: [u8; 3], b: [u8; 3]) -> f64 {
        let (a, b) = (oklab(a), oklab(b));
        (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>().sqrt()
    }

    // Eight-bit rounding moves a colour by about 0.002 in Oklab, a twelfth of the steps that are compared.
    #[test]
    fn equal_steps_of_the_value_are_equal_distances() {
        let palette = Palette::new();
        let step = (LIGHTNESS - NEUTRAL).hypot(CHROMA) / 16.0;
        for sign in [-1.0, 1.0] {
            for i in 0..16 {
                let [from, to] = [i, i + 1].map(|k| palette.colour(sign * f64::from(k) / 16.0));
                let ratio = distance(from, to) / step;
                assert!((ratio - 1.0).abs() < 0.12, "step {i} on side {sign}: {ratio}");
            }
        }
    }

    #[test]
    fn both_sides_are_equally_strong() {
        let palette = Palette::new();
        for i in 0..=256 {
            let share = f64::from(i) / 256.0;
            let [[warm, wa, wb], [cool, ca, cb]] = [share, -share].map(|v| oklab(palette.colour(v)));
            assert!((warm - cool).abs() < 0.005, "lightness at {share}");
            assert!((wa.hypot(wb) - ca.hypot(cb)).abs() < 0.008, "chroma at {share}");
        }
    }

    #[test]
    fn every_colour_lies_inside_srgb() {
        for hue in [WARM, COOL] {
            for i in 0..=STEPS {
                let wanted = along(i as f64 / STEPS as f64, hue);
                let got = oklab(srgb(wanted));
                assert!((0..3).all(|k| (wanted[k] - got[k]).abs() < 0.004), "{hue} {i}: {wanted:?} {got:?}");
            }
        }
    }

    #[test]
    fn zero_is_grey_from_both_sides() {
        let palette = Palette::new();
        let [r, g, b] = palette.colour(0.0);
        assert!(r == g && g == b);
        assert_eq!(palette.colour(-0.0), palette.colour(0.0));
        assert_eq!(palette.colour(1e-9), palette.colour(-1e-9));
        assert_eq!(palette.colour(7.0), palette.colour(1.0));
    }
}
