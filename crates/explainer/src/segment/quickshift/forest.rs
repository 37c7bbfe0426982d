//! The tree of quickshift: each pixel's parent is the nearest pixel around it of higher density.

/// A picture ready for clustering: colours row-major `[height, width]`, already weighed against closeness.
pub(super) struct Colours<'a> {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) pixels: &'a [[f64; 3]],
}

/// The pixel at the root of each pixel's tree.
///
/// Density is noise plus the sum over the window of exp(-d^2 / 2 kernel_size^2), d^2 = |colours apart|^2 + dy^2 + dx^2; the
/// window reaches three kernel sizes. A link longer than `max_distance` is cut.
pub(super) fn roots(colours: &Colours<'_>, noise: &[f64], kernel_size: f64, max_distance: f64) -> Vec<u32> {
    let reach = (3.0 * kernel_size).ceil() as usize;
    let densities = densities(colours, noise, kernel_size, reach);
    let mut parents = parents(colours, &densities, max_distance, reach);
    loop {
        // Links lead uphill, so doubling each one ends at the roots.
        let further: Vec<u32> = parents.iter().map(|parent| parents[*parent as usize]).collect();
        if further == parents {
            return parents;
        }
        parents = further;
    }
}

/// Each pair is weighed once, in raster order of its first pixel: every sum still runs in raster order.
fn densities(colours: &Colours<'_>, noise: &[f64], kernel_size: f64, reach: usize) -> Vec<f64> {
    let exponent = -0.5 / (kernel_size * kernel_size);
    let mut densities = noise.to_vec();
    for r in 0..colours.height {
        for c in 0..colours.width {
            let here = r * colours.width + c;
            // A pixel stands in its own window, at distance 0.
            let mut sum = densities[here] + 1.0;
            for row in r..(r + reach + 1).min(colours.height) {
                let from = if row == r { c + 1 } else { c.saturating_sub(reach) };
                for col in from..(c + reach + 1).min(colours.width) {
                    let there = row * colours.width + col;
                    let weight = (colours.apart((r, c), (row, col)) * exponent).exp();
                    sum += weight;
                    densities[there] += weight;
                }
            }
            densities[here] = sum;
        }
    }
    densities
}

/// The first of equally near pixels wins; a pixel above all around it is its own parent.
fn parents(colours: &Colours<'_>, densities: &[f64], max_distance: f64, reach: usize) -> Vec<u32> {
    let mut parents = Vec::with_capacity(densities.len());
    for r in 0..colours.height {
        for c in 0..colours.width {
            let here = r * colours.width + c;
            let (mut parent, mut closest) = (here, f64::INFINITY);
            let cols = c.saturating_sub(reach)..(c + reach + 1).min(colours.width);
            for row in r.saturating_sub(reach)..(r + reach + 1).min(colours.height) {
                for col in cols.clone() {
                    let there = row * colours.width + col;
                    if densities[there] > densities[here] {
                        let apart = colours.apart((r, c), (row, col));
                        if apart < closest {
                            (parent, closest) = (there, apart);
                        }
                    }
                }
            }
            let linked = closest.sqrt() <= max_distance;
            parents.push(if linked { parent } else { here } as u32);
        }
    }
    parents
}

impl Colours<'_> {
    /// Squared distance of two pixels in colour and place.
    fn apart(&self, a: (usize, usize), b: (usize, usize)) -> f64 {
        let (first, second) = (self.pixels[a.0 * self.width + a.1], self.pixels[b.0 * self.width + b.1]);
        let colour = first.iter().zip(second).map(|(x, y)| (x - y) * (x - y)).sum::<f64>();
        let (dy, dx) = (a.0.abs_diff(b.0) as f64, a.1.abs_diff(b.1) as f64);
        colour + dy * dy + dx * dx
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line whose colours lie 100 apart between its halves.
    fn line() -> Vec<[f64; 3]> {
        (0..8).map(|x| if x < 4 { [0.0; 3] } else { [100.0, 0.0, 0.0] }).collect()
    }

    fn roots_of(pixels: &[[f64; 3]], max_distance: f64) -> Vec<u32> {
        let noise: Vec<f64> = (0..pixels.len()).map(|i| i as f64 * 1e-9).collect();
        roots(&Colours { height: 1, width: pixels.len(), pixels }, &noise, 4.0, max_distance)
    }

    #[test]
    fn two_colours_are_two_trees_where_links_are_short() {
        // Of two equally dense middle pixels noise lifts the second.
        assert_eq!(roots_of(&line(), 50.0), [2, 2, 2, 2, 6, 6, 6, 6]);
    }

    #[test]
    fn a_long_link_joins_what_the_window_sees() {
        assert_eq!(roots_of(&line(), 200.0), [6; 8]);
    }

    #[test]
    fn with_links_of_no_length_every_pixel_is_a_root() {
        assert_eq!(roots_of(&line(), 0.0), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn values_that_are_no_numbers_do_not_panic() {
        assert_eq!(roots_of(&[[f64::NAN; 3]; 3], 200.0), [0, 1, 2]);
    }
}
