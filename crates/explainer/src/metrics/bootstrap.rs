//! How far a mean could lie elsewhere had other items been drawn: the percentile bootstrap.
//!
//! `resamples` times as many items as there are are drawn with replacement, and the interval is that between the quantiles of
//! their means, linear between order statistics. Efron, Annals of Statistics 1979, DOI 10.1214/aos/1176344552. Draws are a
//! function of the seed, so that the same values have the same interval.

use unmask_core::{Draws, Stream};

/// How an interval is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap {
    /// How often items are drawn again.
    pub resamples: u32,
    /// Share of the means that lie inside.
    pub confidence: f64,
    /// Seed of the draws.
    pub seed: u64,
}

/// The interval of the mean of `values`; `None` with fewer than two, of which nothing can be said.
pub fn interval(values: &[f64], bootstrap: &Bootstrap) -> Option<(f64, f64)> {
    let count = u32::try_from(values.len()).ok().filter(|count| *count > 1 && bootstrap.resamples > 0)?;
    let mut means: Vec<f64> = (0..u64::from(bootstrap.resamples))
        .map(|resample| {
            let mut draws = Draws::of(Stream::Bootstrap, bootstrap.seed, resample);
            (0..count).map(|_| values[draws.below(count) as usize]).sum::<f64>() / f64::from(count)
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let outside = (1.0 - bootstrap.confidence) / 2.0;
    Some((quantile(&means, outside), quantile(&means, 1.0 - outside)))
}

/// The quantile of sorted values, linear between them.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOTSTRAP: Bootstrap = Bootstrap { resamples: 4000, confidence: 0.95, seed: 3 };

    #[test]
    fn quantiles_are_linear_between_order_statistics() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        assert_eq!([0.0, 0.5, 1.0].map(|share| quantile(&sorted, share)), [1.0, 3.0, 8.0]);
        assert!((quantile(&sorted, 0.1) - 1.3).abs() < 1e-12);
    }

    #[test]
    fn the_interval_is_as_wide_as_the_standard_error_says() {
        let values: Vec<f64> = (0..100).map(|i| f64::from(i % 10)).collect();
        let (low, high) = interval(&values, &BOOTSTRAP).unwrap();
        // Standard deviation 2.872 of a tenth of a hundred items: 1.96 standard errors either side of 4.5.
        assert!((low - (4.5 - 0.563)).abs() < 0.06 && (high - (4.5 + 0.563)).abs() < 0.06, "{low} {high}");
        assert_eq!(interval(&values, &BOOTSTRAP), Some((low, high)));
    }

    #[test]
    fn one_value_has_no_interval_and_equal_ones_have_one_without_width() {
        assert_eq!((interval(&[], &BOOTSTRAP), interval(&[1.0], &BOOTSTRAP)), (None, None));
        assert_eq!(interval(&[0.25; 7], &BOOTSTRAP), Some((0.25, 0.25)));
    }
}
