//! Gaussian noise that has the moments of the picture.

use unmask_core::{Draws, InputSpec, Stream, Tensor};

/// Independent deviates with the mean and `strength` times the standard deviation of each channel, within the range of
/// pixels; a function of the seed.
pub(super) fn noise(image: &Tensor, input: &InputSpec, strength: f64, seed: u64) -> Tensor {
    let mut data = Vec::with_capacity(image.data().len());
    for c in 0..image.channels() {
        let values = image.channel(c);
        let count = values.len().max(1) as f64;
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
        let variance = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / count;
        let deviation = strength * variance.sqrt();
        let (a, b) = (input.units(c % 3, 0.0), input.units(c % 3, 255.0));
        let mut draws = Draws::of(Stream::Fill, seed, c as u64);
        data.extend(
            values
                .iter()
                .map(|_| ((mean + deviation * f64::from(draws.normal())) as f32).clamp(a.min(b), a.max(b))),
        );
    }
    Tensor::new(image.channels(), image.height(), image.width(), data).expect("each channel keeps its size")
}

#[cfg(test)]
mod tests {
    use super::*;
    use unmask_core::ModelSpec;

    #[test]
    fn noise_has_the_pictures_moments_and_stays_in_range() {
        let input = ModelSpec::plain("m", 64, 64, &["real", "fake"]).input;
        let data = (0..3 * 64 * 64).map(|i| 0.5 + 0.1 * ((i % 3) as f32 - 1.0)).collect();
        let image = Tensor::new(3, 64, 64, data).unwrap();
        let moments = |tensor: &Tensor| {
            let values = tensor.channel(1);
            let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64;
            (mean, values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / values.len() as f64)
        };
        let (mean, variance) = moments(&noise(&image, &input, 1.0, 7));
        assert!((mean - moments(&image).0).abs() < 0.005 && (variance / moments(&image).1 - 1.0).abs() < 0.1);
        assert!(noise(&image, &input, 10.0, 7).data().iter().all(|v| (0.0..=1.0).contains(v)));
        assert_eq!(noise(&image, &input, 1.0, 7), noise(&image, &input, 1.0, 7));
        assert_ne!(noise(&image, &input, 1.0, 7), noise(&image, &input, 1.0, 8));
    }
}
