//! Pixels filled from their neighbours: noisy linear imputation of ROAD.
//!
//! Each removed value is the weighted mean of its eight neighbours, those at the sides with weight 1/6 and those at the
//! corners with 1/12, of which some are removed themselves; at the frame's edge the weights that are inside count. With W the
//! sum of the weights inside, that is `W x_i - sum of w x_j over removed j = sum of w x_j over known j`, a symmetric system,
//! solved by conjugate gradients.

use unmask_core::Tensor;

/// Largest norm of the remainder, of that of the right side.
const PRECISE: f64 = 1e-8;
/// Steps after which the solution stands as it is; a frame of 224 x 224 takes some hundred.
const MOST_STEPS: usize = 5000;

/// The picture with the removed pixels imputed, before any noise.
pub fn impute(image: &Tensor, removed: &[bool]) -> Tensor {
    let (height, width) = (image.height(), image.width());
    let system = System::new(removed, height, width);
    let mut data = Vec::with_capacity(image.data().len());
    for c in 0..image.channels() {
        let mut values = image.channel(c).to_vec();
        let solution = system.solve(&values);
        system.unknown.iter().zip(solution).for_each(|(at, value)| values[*at] = value as f32);
        data.extend(values);
    }
    Tensor::new(image.channels(), height, width, data).expect("every value is kept")
}

/// The removed pixels and their neighbours.
struct System {
    /// Pixels that are removed.
    unknown: Vec<usize>,
    /// Sum of the weights around each.
    whole: Vec<f64>,
    /// For each, the removed neighbours by their place among the unknown, with weights.
    removed: Vec<Vec<(usize, f64)>>,
    /// For each, the known neighbours by their pixel, with weights.
    known: Vec<Vec<(usize, f64)>>,
}

impl System {
    fn new(removed: &[bool], height: usize, width: usize) -> Self {
        let unknown: Vec<usize> = (0..removed.len()).filter(|at| removed[*at]).collect();
        let mut place = vec![usize::MAX; removed.len()];
        unknown.iter().enumerate().for_each(|(i, at)| place[*at] = i);
        let mut system = Self { whole: Vec::new(), removed: Vec::new(), known: Vec::new(), unknown };
        for at in &system.unknown {
            let (mut inside, mut own, mut others) = (0.0, Vec::new(), Vec::new());
            for (neighbour, weight) in neighbours(*at, height, width) {
                inside += weight;
                match place[neighbour] {
                    usize::MAX => others.push((neighbour, weight)),
                    i => own.push((i, weight)),
                }
            }
            system.whole.push(inside);
            system.removed.push(own);
            system.known.push(others);
        }
        system
    }

    fn solve(&self, values: &[f32]) -> Vec<f64> {
        let given = |taps: &Vec<(usize, f64)>| taps.iter().map(|(at, w)| w * f64::from(values[*at])).sum();
        let right: Vec<f64> = self.known.iter().map(given).collect();
        let mut x = vec![0.0; right.len()];
        let (mut rest, mut direction) = (right.clone(), right.clone());
        let mut norm = dot(&rest, &rest);
        let enough = PRECISE * PRECISE * norm;
        for _ in 0..MOST_STEPS {
            if norm <= enough {
                break;
            }
            let applied = self.apply(&direction);
            let curvature = dot(&direction, &applied);
            // Without a known pixel anywhere the system has no solution.
            if curvature <= 0.0 {
                break;
            }
            let step = norm / curvature;
            x.iter_mut().zip(&direction).for_each(|(x, d)| *x += step * d);
            rest.iter_mut().zip(&applied).for_each(|(r, a)| *r -= step * a);
            let next = dot(&rest, &rest);
            let share = next / norm;
            direction.iter_mut().zip(&rest).for_each(|(d, r)| *d = r + share * *d);
            norm = next;
        }
        x
    }

    fn apply(&self, x: &[f64]) -> Vec<f64> {
        let row = |(i, taps): (usize, &Vec<(usize, f64)>)| {
            self.whole[i] * x[i] - taps.iter().map(|(j, w)| w * x[*j]).sum::<f64>()
        };
        self.removed.iter().enumerate().map(row).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The neighbours of a pixel that lie inside the frame, with their weights.
fn neighbours(at: usize, height: usize, width: usize) -> impl Iterator<Item = (usize, f64)> {
    let (y, x) = ((at / width) as isize, (at % width) as isize);
    (-1..=1).flat_map(move |dy: isize| (-1..=1).map(move |dx: isize| (dy, dx))).filter_map(move |(dy, dx)| {
        let weight = match dy.abs() + dx.abs() {
            0 => return None,
            1 => 1.0 / 6.0,
            _ => 1.0 / 12.0,
        };
        let (y, x) = (y + dy, x + dx);
        let inside = (0..height as isize).contains(&y) && (0..width as isize).contains(&x);
        inside.then(|| (y as usize * width + x as usize, weight))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Tensor {
        Tensor::new(1, 6, 6, (0..36).map(|i| (i / 6) as f32 + 2.0 * (i % 6) as f32).collect()).unwrap()
    }

    #[test]
    fn one_pixel_is_the_weighted_mean_of_its_neighbours() {
        let image = Tensor::new(1, 3, 3, vec![1.0, 2.0, 3.0, 4.0, 99.0, 6.0, 7.0, 8.0, 9.0]).unwrap();
        let mut removed = [false; 9];
        removed[4] = true;
        let expected = (2.0 + 4.0 + 6.0 + 8.0) / 6.0 + (1.0 + 3.0 + 7.0 + 9.0) / 12.0;
        assert!((f64::from(impute(&image, &removed).data()[4]) - expected).abs() < 1e-6);
        // At a corner three neighbours are inside: 1/6, 1/6 and 1/12 of 5/12.
        let mut removed = [false; 9];
        removed[0] = true;
        let expected = (2.0 / 6.0 + 4.0 / 6.0 + 99.0 / 12.0) / (5.0 / 12.0);
        assert!((f64::from(impute(&image, &removed).data()[0]) - expected).abs() < 1e-5);
    }

    #[test]
    fn a_ramp_is_restored_inside() {
        let mut removed = [false; 36];
        [14, 15, 20, 21].iter().for_each(|at| removed[*at] = true);
        let restored = impute(&ramp(), &removed);
        assert!(restored.data().iter().zip(ramp().data()).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn nothing_known_gives_zeros_and_nothing_removed_the_picture() {
        assert_eq!(impute(&ramp(), &[true; 36]).data(), [0.0; 36]);
        assert_eq!(impute(&ramp(), &[false; 36]), ramp());
    }
}
