//! sRGB in 0..=1 to CIE L*a*b* (white D65, two-degree observer), with the constants of scikit-image's `rgb2lab`.

/// Rows X, Y, Z over red, green and blue, each divided by the white's X, Y, Z.
const XYZ: [[f64; 3]; 3] =
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]];
const WHITE: [f64; 3] = [0.95047, 1.0, 1.08883];

/// The share of light that an sRGB value stands for.
pub(super) fn linear(value: f64) -> f64 {
    if value > 0.04045 { ((value + 0.055) / 1.055).powf(2.4) } else { value / 12.92 }
}

/// L*, a*, b* of [`linear`] red, green and blue.
pub(super) fn lab(rgb: [f64; 3]) -> [f64; 3] {
    let mut xyz = [0.0; 3];
    for ((value, row), white) in xyz.iter_mut().zip(XYZ).zip(WHITE) {
        let share = (row[0] * rgb[0] + row[1] * rgb[1] + row[2] * rgb[2]) / white;
        *value = if share > 0.008856 { share.cbrt() } else { 7.787 * share + 16.0 / 116.0 };
    }
    let [x, y, z] = xyz;
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The matrix has six digits, so white is grey to five.
    const CLOSE: f64 = 5e-3;

    fn near(rgb: [f64; 3], expected: [f64; 3]) {
        let got = lab(rgb.map(linear));
        assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < CLOSE), "{got:?}");
    }

    #[test]
    fn known_colours_have_their_known_places() {
        near([0.0; 3], [0.0; 3]);
        near([1.0; 3], [100.0, 0.0, 0.0]);
        near([1.0, 0.0, 0.0], [53.2406, 80.0923, 67.2028]);
        near([0.0, 0.0, 1.0], [32.2956, 79.1871, -107.8617]);
        near([0.02; 3], [1.3983, 0.0, 0.0]);
    }
}
