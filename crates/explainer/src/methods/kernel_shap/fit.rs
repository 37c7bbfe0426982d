//! The regression: sums over the sets so far, the values that fit them, and their standard errors.

use std::ops::Range;

use unmask_core::ROUND;

use super::super::linear::{self, Row, Sums, line};
use super::sets::Sets;

/// The additive model that fits the rows best and sums to `total`; scores are those of the sets less that of nothing.
/// Where rows leave a choice, values lie as near to each other as the rows allow.
pub fn solve(rows: &[Row], total: f64) -> Vec<f64> {
    let segments = rows.first().map_or(0, |row| row.bits.len());
    let share = total / segments.max(1) as f64;
    let rows: Vec<Row> =
        rows.iter().map(|row| uneven(row.bits.clone(), row.weight, row.score, share)).collect();
    let mut sums = Sums::new(segments);
    sums.add(&rows);
    constrained(&sums, share)
}

/// A row whose score is what even shares leave to explain, taken off before anything is summed, so that nothing large
/// cancels later.
fn uneven(bits: Box<[bool]>, weight: f64, score: f64, share: f64) -> Row {
    let shown = bits.iter().filter(|shown| **shown).count();
    Row { bits, weight, score: score - share * shown as f64 }
}

/// Sums over the sets so far, in their order.
pub(super) struct Fold {
    /// Every segment's even share of the total.
    share: f64,
    /// Of listed sets, which count by mass.
    listed: Sums,
    /// Of drawn sets, which count by how often they came.
    drawn: Sums,
    pub(super) scores: Vec<f64>,
}

impl Fold {
    pub(super) fn new(segments: usize, total: f64) -> Self {
        let share = total / segments.max(1) as f64;
        Self { share, listed: Sums::new(segments), drawn: Sums::new(segments), scores: Vec::new() }
    }

    pub(super) fn add(&mut self, scores: impl Iterator<Item = f64>, sets: &Sets) {
        let first = self.scores.len();
        self.scores.extend(scores);
        let rows = self.rows(first..self.scores.len(), sets);
        let (listed, drawn) = rows.split_at(sets.listed().saturating_sub(first).min(rows.len()));
        self.listed.add(listed);
        self.drawn.add(drawn);
    }

    fn rows(&self, range: Range<usize>, sets: &Sets) -> Vec<Row> {
        let row = |index| uneven(sets.shown(index), sets.weight(index), self.scores[index], self.share);
        range.map(row).collect()
    }

    /// How often drawn sets count, for all of them together to have the mass of the sizes that they stand for.
    fn factor(&self, sets: &Sets) -> f64 {
        if self.drawn.weight > 0.0 { sets.rest() / self.drawn.weight } else { 0.0 }
    }

    fn sums(&self, sets: &Sets) -> Sums {
        let mut sums = self.listed.clone();
        sums.merge(&self.drawn, self.factor(sets));
        sums
    }

    /// The values.
    pub(super) fn finish(&self, sets: &Sets) -> Vec<f64> {
        constrained(&self.sums(sets), self.share)
    }

    /// Standard errors of the values: a pair that was drawn moves them by what the values leave of the difference of its two scores.
    /// What is listed is not drawn and has none: where every set was asked about, all are 0. None where sets that are listed are still
    /// to come, and where there are hardly more pairs than values.
    pub(super) fn errors(&self, values: &[f64], sets: &Sets) -> Option<Vec<f64>> {
        let (size, listed, count) = (values.len(), sets.listed(), self.scores.len());
        if count < listed {
            return None;
        }
        if listed == sets.len() {
            return Some(vec![0.0; size]);
        }
        let pairs = (count - listed) / 2;
        let free = (count / 2).checked_sub(size).filter(|free| *free > size / 4 && pairs > 1)?;
        let uneven: Vec<f64> = values.iter().map(|value| value - self.share).collect();
        let mut scatter = Sums::new(size);
        for first in (listed..count).step_by(ROUND) {
            let mut rows = self.rows(first..count.min(first + ROUND), sets);
            let rests: Vec<f64> = rows
                .iter()
                .map(|row| {
                    let fitted = row.bits.iter().zip(&uneven).filter(|(shown, _)| **shown);
                    row.score - fitted.map(|(_, value)| value).sum::<f64>()
                })
                .collect();
            // Of the two rows of a pair the second is the first turned round, and what is left of it counts the other way.
            let pairs = rows.chunks_exact_mut(2).zip(rests.chunks_exact(2));
            for (index, (pair, rests)) in (first..).step_by(2).zip(pairs) {
                // A draw counts `once`, its square `once` squared, and the weight is `once` for every draw of the pair.
                pair[0].weight *= sets.once(index) * (rests[0] - rests[1]).powi(2);
                pair[1].weight = 0.0;
            }
            scatter.add(&rows);
        }
        let factor = self.factor(sets) * ((count / 2) as f64 / free as f64).sqrt();
        let scatter = projected(&scatter.pairs, size).0;
        let errors = linear::errors(&regular(&self.sums(sets)), &scatter, size)?;
        Some(errors.into_iter().map(|error| factor * error).collect())
    }
}

/// Takes the mean off both sides of a symmetric matrix, a lower triangle; with the mean of its diagonal afterwards.
fn projected(pairs: &[f64], size: usize) -> (Vec<f64>, f64) {
    let count = size.max(1) as f64;
    let mut across = vec![0.0; size];
    for i in 0..size {
        for (j, pair) in pairs[line(i)].iter().enumerate() {
            across[i] += pair;
            across[j] += if j < i { *pair } else { 0.0 };
        }
    }
    let mean = across.iter().sum::<f64>() / (count * count);
    let mut matrix = pairs.to_vec();
    for i in 0..size {
        let pairs = matrix[line(i)].iter_mut().zip(&across);
        pairs.for_each(|(pair, other)| *pair += mean - (across[i] + other) / count);
    }
    let diagonal = (0..size).map(|i| matrix[line(i).end - 1]).sum::<f64>() / count;
    (matrix, diagonal)
}

/// `P A P`, and what P takes away put back as a multiple of `1 1^T`, which touches nothing whose sum is 0 and makes the matrix regular.
fn regular(sums: &Sums) -> Vec<f64> {
    let size = sums.bits.len();
    let (mut matrix, diagonal) = projected(&sums.pairs, size);
    matrix.iter_mut().for_each(|pair| *pair += diagonal / size.max(1) as f64);
    matrix
}

/// Solves for `share + u` with `sum(u) = 0`. With P the projection that takes the mean off, A the sums of pairs and b those of products,
/// u solves `P A P u = P b`.
fn constrained(sums: &Sums, share: f64) -> Vec<f64> {
    let mut right = sums.products.clone();
    centre(&mut right);
    let mut values = linear::solve(&regular(sums), &right);
    centre(&mut values);
    values.iter().map(|value| share + value).collect()
}

fn centre(values: &mut [f64]) {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    values.iter_mut().for_each(|value| *value -= mean);
}
