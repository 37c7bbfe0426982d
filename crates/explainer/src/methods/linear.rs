//! Weighted least squares on rows of bits, for the methods that fit a linear model over sets of segments.
//!
//! Rows are summed into normal equations in float64 and in their own order, so that memory does not grow with their
//! number and the size of a round never changes a sum. A symmetric matrix is its lower triangle, row by row.

use std::ops::Range;

use unmask_core::ROUND;

/// What a pivot must exceed, as a share of the largest value of the diagonal; below it the system counts as singular.
const SINGULAR: f64 = 1e-12;

/// Penalties that are tried in turn, as shares of the largest value of the diagonal. The first that gives a regular
/// system picks, to about its own size, the solution of least norm among those that fit equally well; it is about the
/// square root of float64's precision, where rounding errors over it are as small as itself.
const PENALTIES: [f64; 5] = [0.0, 1e-8, 1e-6, 1e-3, 1.0];

/// One row: bits, what the model said of them, and how much that counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The inputs, each 0 or 1.
    pub bits: Box<[bool]>,
    /// Weight, not negative.
    pub weight: f64,
    /// Score, less a constant of the method's.
    pub score: f64,
}

/// Weighted sums over rows, in the order of the rows.
#[derive(Clone)]
pub(super) struct Sums {
    /// Sum of the weights.
    pub(super) weight: f64,
    /// Weighted sum of every bit.
    pub(super) bits: Vec<f64>,
    /// Weighted sum of the product of every two bits, a lower triangle.
    pub(super) pairs: Vec<f64>,
    /// Weighted sum of the score.
    pub(super) score: f64,
    /// Weighted sum of every bit times the score.
    pub(super) products: Vec<f64>,
    /// Weighted sum of the score's square.
    pub(super) square: f64,
}

impl Sums {
    pub(super) fn new(size: usize) -> Self {
        Self {
            weight: 0.0,
            bits: vec![0.0; size],
            pairs: vec![0.0; line(size).start],
            score: 0.0,
            products: vec![0.0; size],
            square: 0.0,
        }
    }

    /// Adds rows. Every sum takes them one by one, so that how they are dealt out over calls changes nothing.
    pub(super) fn add(&mut self, rows: &[Row]) {
        for rows in rows.chunks(ROUND) {
            self.add_round(rows);
        }
    }

    fn add_round(&mut self, rows: &[Row]) {
        let size = self.bits.len();
        let mut weighted = Vec::with_capacity(rows.len() * size);
        for row in rows {
            weighted.extend(row.bits.iter().map(|bit| if *bit { row.weight } else { 0.0 }));
            self.weight += row.weight;
            self.score += row.weight * row.score;
            self.square += row.weight * row.score * row.score;
        }
        // One line of the triangle takes the whole round while it is in the cache.
        for i in 0..size {
            let triangle = &mut self.pairs[line(i)];
            for (row, weighted) in rows.iter().zip(weighted.chunks_exact(size)).filter(|(row, _)| row.bits[i])
            {
                triangle.iter_mut().zip(weighted).for_each(|(sum, w)| *sum += w);
                self.bits[i] += row.weight;
                self.products[i] += row.weight * row.score;
            }
        }
    }

    /// Adds other sums, with their weights multiplied by `factor`.
    pub(super) fn merge(&mut self, other: &Self, factor: f64) {
        let vectors = [
            (&mut self.bits, &other.bits),
            (&mut self.pairs, &other.pairs),
            (&mut self.products, &other.products),
        ];
        for (own, other) in vectors {
            own.iter_mut().zip(other).for_each(|(own, other)| *own += factor * other);
        }
        self.weight += factor * other.weight;
        self.score += factor * other.score;
        self.square += factor * other.square;
    }
}

/// Where row `i` of a lower triangle lies.
pub(super) fn line(i: usize) -> Range<usize> {
    i * (i + 1) / 2..(i + 1) * (i + 2) / 2
}

/// Solves `matrix x = right` for a symmetric matrix without negative eigenvalues, given as its lower triangle, by
/// Cholesky's factorisation.
///
/// A singular system is solved with a small penalty on its diagonal, which picks the solution of least norm. The answer
/// is finite always: zeros where the matrix is zero or something is not a finite number.
pub fn solve(matrix: &[f64], right: &[f64]) -> Vec<f64> {
    factors(matrix, right.len())
        .map(|factor| substitute(&factor, right))
        .find(|solution| solution.iter().all(|x| x.is_finite()))
        .unwrap_or_else(|| vec![0.0; right.len()])
}

/// The factors of a matrix under ever larger penalties, the first that is regular first.
fn factors(matrix: &[f64], size: usize) -> impl Iterator<Item = Vec<f64>> {
    let scale = (0..size).map(|i| matrix[line(i).end - 1]).fold(0.0, f64::max);
    PENALTIES.iter().filter_map(move |penalty| factorise(matrix, size, penalty * scale, SINGULAR * scale))
}

/// More unknowns than this have no errors: finding them takes a dozen times what solving does.
const MOST_WITH_ERRORS: usize = 512;

/// Standard errors of what [`solve`] answers, where the right side is a sum of independent parts and `scatter`, a lower triangle, the
/// sum of each part times itself: the roots of the diagonal of `matrix^-1 scatter matrix^-1` (White, Econometrica 1980,
/// DOI 10.2307/1912934). None where there are too many unknowns.
pub(super) fn errors(matrix: &[f64], scatter: &[f64], size: usize) -> Option<Vec<f64>> {
    if size > MOST_WITH_ERRORS {
        return None;
    }
    let factor = factors(matrix, size).next()?;
    let at = |i: usize, j: usize| scatter[line(i.max(j)).start + i.min(j)];
    let half: Vec<Vec<f64>> =
        (0..size).map(|i| substitute(&factor, &(0..size).map(|j| at(i, j)).collect::<Vec<_>>())).collect();
    let whole = |i: usize| substitute(&factor, &half.iter().map(|column| column[i]).collect::<Vec<_>>())[i];
    Some((0..size).map(|i| whole(i).max(0.0).sqrt()).collect())
}

/// The lower triangle L with `L L^T = matrix + penalty I`, or nothing when a pivot does not exceed `least`.
fn factorise(matrix: &[f64], size: usize, penalty: f64, least: f64) -> Option<Vec<f64>> {
    let mut factor = matrix.to_vec();
    for i in 0..size {
        let (above, own) = factor.split_at_mut(line(i).start);
        for j in 0..i {
            let other = &above[line(j)];
            own[j] = (own[j] - dot(&own[..j], &other[..j])) / other[j];
        }
        let pivot = own[i] + penalty - dot(&own[..i], &own[..i]);
        // Not a number fails too.
        if !(pivot > least && pivot.is_finite()) {
            return None;
        }
        own[i] = pivot.sqrt();
    }
    Some(factor)
}

/// Solves `L L^T x = right`.
fn substitute(factor: &[f64], right: &[f64]) -> Vec<f64> {
    let mut x = right.to_vec();
    for i in 0..x.len() {
        let row = &factor[line(i)];
        x[i] = (x[i] - dot(&row[..i], &x[..i])) / row[i];
    }
    for i in (0..x.len()).rev() {
        let row = &factor[line(i)];
        x[i] /= row[i];
        let own = x[i];
        x[..i].iter_mut().zip(row).for_each(|(x, l)| *x -= l * own);
    }
    x
}

/// A sum of products in four strands, an order that the processor can keep up with and that never changes.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut strands = [0.0; 4];
    let (fours, others) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = fours.remainder().iter().zip(others.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in fours.zip(others) {
        for (strand, (a, b)) in strands.iter_mut().zip(a.iter().zip(b)) {
            *strand += a * b;
        }
    }
    (strands[0] + strands[1]) + (strands[2] + strands[3]) + rest
}

#[cfg(test)]
mod tests {
    use unmask_core::Draws;

    use super::*;

    /// `matrix x`, of a lower triangle.
    fn product(matrix: &[f64], x: &[f64]) -> Vec<f64> {
        let at = |i: usize, j: usize| matrix[line(i.max(j)).start + i.min(j)];
        (0..x.len()).map(|i| (0..x.len()).map(|j| at(i, j) * x[j]).sum()).collect()
    }

    fn rows(count: u64, size: usize) -> Vec<Row> {
        let row = |index| {
            let mut draws = Draws::new(4, index);
            let bits = (0..size).map(|_| draws.word() & 1 == 1).collect();
            Row { bits, weight: f64::from(draws.unit()), score: f64::from(draws.normal()) }
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn a_regular_system_is_solved() {
        let mut sums = Sums::new(37);
        sums.add(&rows(300, 37));
        let expected: Vec<f64> = (0..37).map(|i| f64::from(i) - 11.5).collect();
        let found = solve(&sums.pairs, &product(&sums.pairs, &expected));
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-10, "{found} {expected}");
        }
    }

    #[test]
    fn a_singular_system_gets_the_solution_of_least_norm() {
        // x0 + x1 = 2 twice over, and nothing is said of x2.
        let found = solve(&[1.0, 1.0, 1.0, 0.0, 0.0, 0.0], &[2.0, 2.0, 0.0]);
        assert!((found[0] - 1.0).abs() < 1e-6 && (found[1] - 1.0).abs() < 1e-6, "{found:?}");
        assert_eq!(found[2], 0.0);
    }

    #[test]
    fn a_system_with_fewer_rows_than_unknowns_fits_its_rows() {
        let rows = rows(20, 64);
        let mut sums = Sums::new(64);
        sums.add(&rows);
        let found = solve(&sums.pairs, &sums.products);
        for row in &rows {
            let fitted: f64 = row.bits.iter().zip(&found).filter(|(bit, _)| **bit).map(|(_, x)| x).sum();
            assert!((fitted - row.score).abs() < 1e-5, "{fitted} {}", row.score);
        }
    }

    #[test]
    fn no_matrix_makes_the_answer_infinite() {
        for value in [0.0, f64::NAN, f64::INFINITY, f64::MAX, f64::MIN_POSITIVE, 5e-324, -1.0] {
            for right in [0.0, 1.0, f64::NAN, f64::MAX] {
                let found = solve(&[value, value, value], &[right, right]);
                assert!(found.iter().all(|x| x.is_finite()), "{value} {right}: {found:?}");
            }
        }
        assert!(solve(&[], &[]).is_empty());
    }

    #[test]
    fn how_rows_are_dealt_out_changes_no_bit() {
        let rows = rows(300, 21);
        let (mut whole, mut parts) = (Sums::new(21), Sums::new(21));
        whole.add(&rows);
        rows.chunks(7).for_each(|part| parts.add(part));
        assert_eq!(whole.pairs, parts.pairs);
        assert_eq!((whole.bits, whole.products), (parts.bits, parts.products));
        assert_eq!((whole.weight, whole.score, whole.square), (parts.weight, parts.score, parts.square));
    }

    #[test]
    fn sums_are_those_of_the_definition() {
        let row = |bits: [bool; 2], weight, score| Row { bits: bits.into(), weight, score };
        let mut sums = Sums::new(2);
        sums.add(&[row([true, true], 2.0, 3.0)]);
        let mut other = Sums::new(2);
        other.add(&[row([false, true], 1.0, -1.0)]);
        sums.merge(&other, 0.5);
        assert_eq!((sums.weight, sums.score, sums.square), (2.5, 5.5, 18.5));
        assert_eq!((sums.bits, sums.products), (vec![2.0, 2.5], vec![6.0, 5.5]));
        assert_eq!(sums.pairs, [2.0, 2.0, 2.5]);
    }
}
