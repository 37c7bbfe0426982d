//! How far a map of RISE is from that of infinitely many masks.
//!
//! With s_i the scores, s their mean, M_i the masks and m(x) their mean at pixel x, the map's value there is the ratio of two means
//! less a third, and mask i moves it by
//!
//! ```text
//! p_i(x) = (s_i - R(x)) M_i(x) / m(x) - (s_i - s),   R(x) = sum_i s_i M_i(x) / sum_i M_i(x)
//! ```
//!
//! over N, to first order (the delta method). Draws are independent, each a mask or a pair of them; with P_d the sum of the p_i of draw d
//! out of D, the standard error is `sqrt(sum_d P_d(x)^2 D / (D - 1)) / N`; that of a region is the same of the mean of P_d over its
//! pixels. Both are taken on a lattice of points over the picture: masks are
//! smooth, and their error is too. The fold of the paper's code is a plain mean, `p_i(x) = s_i M_i(x) / 0.1 - S(x)`.

use unmask_core::{Cells, Filter, Map, Tap};

use super::{Masking, PAPER_SHOWN, Rise};
use crate::methods::Errors;

/// Points on each side of the lattice.
const POINTS: usize = 32;

/// The errors of the map whose sums are `[weighted, shown]` for every pixel, after masks with these scores; none where there are too few
/// masks to tell.
pub(super) fn of(rise: &Rise, sums: &[[f64; 2]], scores: &[f64], masking: &Masking<'_>) -> Option<Errors> {
    let count = scores.len() as f64;
    let draws = scores.chunks(rise.together());
    if draws.len() < 2 {
        return None;
    }
    let few = draws.len() as f64 / (draws.len() - 1) as f64;
    let mean = scores.iter().sum::<f64>() / count;
    let (height, width) = masking.shape;
    let frame = (masking.image.height(), masking.image.width());
    let (rows, cols) = (points(height), points(width));
    let labels = masking.segments.labels();
    let at = |y: usize, x: usize| y * width + x;
    // Of each point: what its score is taken off by, what its share is divided by, and the region that it lies in.
    let places: Vec<(f64, f64, usize)> = rows
        .iter()
        .flat_map(|y| cols.iter().map(move |x| at(*y, *x)))
        .map(|pixel| {
            let [weighted, shown] = sums[pixel];
            let label = labels[pixel] as usize;
            match rise.centred {
                true if shown > 0.0 => (weighted / shown, shown / count, label),
                true => (0.0, f64::INFINITY, label),
                false => (weighted / (count * PAPER_SHOWN), PAPER_SHOWN, label),
            }
        })
        .collect();
    let regions = masking.segments.count();
    let mut inside = vec![0.0f64; regions];
    places.iter().for_each(|(_, _, label)| inside[*label] += 1.0);
    let (mut squares, mut region_squares) = (vec![0.0; places.len()], vec![0.0; regions]);
    let (mut shares, mut own) = (vec![0.0f32; places.len()], vec![0.0; places.len()]);
    let mut moved = vec![0.0; regions];
    let mut masks = 0..;
    for draw in draws {
        own.fill(0.0);
        for (score, index) in draw.iter().zip(&mut masks) {
            stretch(&rise.mask(masking.seed, index, frame.0, frame.1), &rows, &cols, &mut shares);
            for ((share, own), (level, shown, _)) in shares.iter().zip(&mut own).zip(&places) {
                let share = f64::from(*share) / shown;
                *own += match rise.centred {
                    true => (score - level) * share - (score - mean),
                    false => score * share - level,
                };
            }
        }
        moved.fill(0.0);
        for ((own, square), (_, _, label)) in own.iter().zip(&mut squares).zip(&places) {
            *square += own * own;
            moved[*label] += own;
        }
        for (square, (moved, inside)) in region_squares.iter_mut().zip(moved.iter().zip(&inside)) {
            *square += (moved / inside.max(1.0)).powi(2);
        }
    }
    let error = |square: f64| (square * few).sqrt() / count;
    let values: Box<[f32]> = squares.iter().map(|square| error(*square) as f32).collect();
    let plane = (height, width);
    let mut data = vec![0.0; height * width];
    let filter = Filter::Bilinear;
    Cells { rows: rows.len(), cols: cols.len(), values, plane, offset: (0, 0), filter }
        .shares(height, width, &mut data);
    let map = Map { height, width, data };
    let mut regions: Vec<f64> = region_squares.into_iter().map(error).collect();
    // A region between the points has the error of any of its pixels.
    for (pixel, label) in labels.iter().enumerate() {
        let label = *label as usize;
        if inside[label] == 0.0 {
            regions[label] = f64::from(map.data[pixel]);
        }
    }
    Some(Errors { regions, map })
}

/// The pixels of one side that stand for it.
fn points(side: usize) -> Vec<usize> {
    let count = side.min(POINTS);
    (0..count).map(|i| (2 * i + 1) * side / (2 * count)).collect()
}

/// The shares of a mask at the points.
fn stretch(mask: &Cells, rows: &[usize], cols: &[usize], out: &mut [f32]) {
    let across: Vec<Tap> = cols.iter().map(|x| mask.across(*x)).collect();
    let mut line = vec![0.0f32; mask.cols];
    for (y, out) in rows.iter().zip(out.chunks_exact_mut(cols.len())) {
        let tap = mask.down(*y);
        let cells = |row: usize| &mask.values[row * mask.cols..(row + 1) * mask.cols];
        for (own, (a, b)) in line.iter_mut().zip(cells(tap.first).iter().zip(cells(tap.second))) {
            *own = a + tap.weight * (b - a);
        }
        for (out, tap) in out.iter_mut().zip(&across) {
            *out = line[tap.first] + tap.weight * (line[tap.second] - line[tap.first]);
        }
    }
}
