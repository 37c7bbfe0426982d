//! Where the points of a removal curve lie.

/// Numbers of pixels after the first point, 0: each `step` more, the last all of them.
fn tops(pixels: usize, step: usize) -> impl Iterator<Item = usize> {
    let step = step.max(1);
    (1..=pixels.div_ceil(step)).map(move |i| (i * step).min(pixels))
}

/// The share of pixels at each point, from 0 to 1, and the number of pixels at each but the first.
pub(super) fn points(pixels: usize, step: usize) -> (Vec<f64>, Vec<usize>) {
    let tops: Vec<usize> = tops(pixels, step).collect();
    let shares = std::iter::once(0).chain(tops.iter().copied()).map(|top| top as f64 / pixels as f64);
    (shares.collect(), tops)
}

/// Points but the first.
pub(super) fn passes(pixels: usize, step: usize) -> u64 {
    pixels.div_ceil(step.max(1)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_may_be_shorter() {
        assert_eq!(points(10, 4), (vec![0.0, 0.4, 0.8, 1.0], vec![4, 8, 10]));
        assert_eq!(points(4, 100), (vec![0.0, 1.0], vec![4]));
        assert_eq!((passes(10, 4), passes(8, 4), passes(4, 100)), (3, 2, 1));
    }
}
