//! What a model must show before it serves: its golden scores, a free batch axis, and the same bits in every batch.

use thiserror::Error;
use unmask_core::ModelSpec;
use unmask_registry::Golden;

use crate::backend::{Backend, BackendError};

/// Why a model does not serve.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The backend refused it.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Its scores are not the manifest's.
    #[error(
        "golden score {class} of row {row} is {got}, the manifest says {expected} within {tolerance}: the model or \
         its pre-processing is not what the manifest was written for"
    )]
    Golden {
        /// Row of the golden input.
        row: usize,
        /// Position in the graph's output.
        class: usize,
        /// What the model says.
        got: f32,
        /// What the manifest says.
        expected: f32,
        /// Largest difference allowed.
        tolerance: f32,
    },
    /// A session of the same model has other bits than the first.
    #[error("a session that was opened later gives other bits than the first one")]
    Differs,
    /// A worker thread could not be started.
    #[error("cannot start a worker thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// How pictures may stand together so that nobody's score depends on the others'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batching {
    /// Any number up to this one.
    Any(usize),
    /// This number and no other; places that nobody needs are filled.
    Fixed(usize),
    /// One at a time.
    Single,
}

impl Batching {
    /// Most pictures of a batch.
    pub fn most(self) -> usize {
        match self {
            Self::Any(most) | Self::Fixed(most) => most,
            Self::Single => 1,
        }
    }

    /// The largest size up to `count` that has been probed: what is handed out is never of another.
    pub(crate) fn fitting(self, count: usize) -> usize {
        match self {
            // A padded batch costs the same however few it is of.
            Self::Fixed(size) => size,
            Self::Single => 1,
            Self::Any(most) if count >= most => most,
            Self::Any(_) if count <= EACH => count.max(1),
            Self::Any(_) => 1 << count.ilog2(),
        }
    }

    /// The size of every batch, where there is but one.
    pub(crate) fn fixed(self) -> Option<usize> {
        match self {
            Self::Fixed(size) => Some(size),
            Self::Any(_) | Self::Single => None,
        }
    }
}

/// Sizes up to this one are probed each, larger ones at the powers of two and at the largest.
const EACH: usize = 16;

/// What a session has shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    pub(crate) batching: Batching,
    /// Whether the same picture gets the same bits every time.
    pub(crate) deterministic: bool,
    /// The scores of a golden picture, which every other session of the model must give as well.
    pub(crate) scores: Vec<f32>,
}

/// Compares the golden scores, then finds how pictures may stand together: a picture must get the same bits as alone in
/// batches of several sizes up to `batch`, at the first and the last place and beside other neighbours. Where it does not, one
/// padded size is tried, then one picture at a time.
pub(crate) fn probe(
    spec: &ModelSpec,
    golden: &Golden,
    backend: &mut dyn Backend,
    batch: usize,
) -> Result<Shown, LoadError> {
    golden_scores(spec, golden, backend)?;
    let first = &golden.input[..spec.picture_len()];
    let powers = (0..usize::BITS).map(|power| 1usize << power).skip_while(|size| *size <= EACH);
    let mut sizes: Vec<usize> = (2..=batch.min(EACH)).collect();
    sizes.extend(powers.take_while(|size| *size < batch));
    sizes.extend((batch > EACH).then_some(batch));
    let alone = backend.run(1, first)?;
    let free = among(spec, golden, backend, &sizes)?;
    if free.iter().all(|scores| *scores == alone) {
        let again = backend.run(1, first)? == alone;
        return Ok(Shown { batching: Batching::Any(batch), deterministic: again, scores: alone });
    }
    let fixed = among(spec, golden, backend, &[batch, batch])?;
    if let Some(scores) = fixed.first().filter(|one| fixed.iter().all(|other| other == *one)) {
        let scores = scores.clone();
        return Ok(Shown { batching: Batching::Fixed(batch), deterministic: true, scores });
    }
    let again = backend.run(1, first)? == alone;
    Ok(Shown { batching: Batching::Single, deterministic: again, scores: alone })
}

/// Whether a session that comes later can stand beside or in place of the first: golden scores, and the same bits.
pub(crate) fn same(
    spec: &ModelSpec,
    golden: &Golden,
    backend: &mut dyn Backend,
    shown: &Shown,
) -> Result<bool, LoadError> {
    golden_scores(spec, golden, backend)?;
    let sizes = match shown.batching {
        Batching::Any(most) | Batching::Fixed(most) if most > 1 => vec![most],
        Batching::Any(_) | Batching::Fixed(_) | Batching::Single => Vec::new(),
    };
    let mut scores = among(spec, golden, backend, &sizes)?;
    if shown.batching.fixed().is_none() {
        scores.push(backend.run(1, &golden.input[..spec.picture_len()])?);
    }
    Ok(scores.iter().all(|scores| *scores == shown.scores))
}

fn golden_scores(spec: &ModelSpec, golden: &Golden, backend: &mut dyn Backend) -> Result<(), LoadError> {
    let row = spec.output_len();
    let scores = backend.run(golden.rows, &golden.input)?;
    for (i, (got, expected)) in scores.iter().zip(&golden.scores).enumerate() {
        let near = (got - expected).abs() <= golden.tolerance;
        if !near {
            let (got, expected, tolerance) = (*got, *expected, golden.tolerance);
            return Err(LoadError::Golden { row: i / row, class: i % row, got, expected, tolerance });
        }
    }
    Ok(())
}

/// The scores of the first golden picture at the first and the last place of batches of these sizes.
fn among(
    spec: &ModelSpec,
    golden: &Golden,
    backend: &mut dyn Backend,
    sizes: &[usize],
) -> Result<Vec<Vec<f32>>, BackendError> {
    let (picture, row) = (spec.picture_len(), spec.output_len());
    let first = &golden.input[..picture];
    let mut found = Vec::new();
    for (round, size) in sizes.iter().enumerate() {
        for place in [0, size - 1] {
            // Neighbours are the golden pictures in turn, each a little darker than the last, so that no two are equal.
            let neighbour = |i: usize| {
                let (start, shade) = (i % golden.rows * picture, 1.0 - 0.01 * (i + round) as f32);
                golden.input[start..start + picture].iter().map(move |v| v * shade)
            };
            let pictures: Vec<f32> = (0..*size)
                .flat_map(|i| if i == place { first.to_vec() } else { neighbour(i + 1).collect() })
                .collect();
            let scores = backend.run(*size, &pictures)?;
            found.push(scores.get(place * row..(place + 1) * row).unwrap_or_default().to_vec());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 2;

    /// A model of the sum of a picture, and what a batch adds to it.
    struct Batched<F>(F);

    impl<F: FnMut(usize, usize, &[f32]) -> f32 + Send> Backend for Batched<F> {
        fn run(&mut self, batch: usize, input: &[f32]) -> Result<Vec<f32>, BackendError> {
            let pictures = input.chunks_exact(3 * SIDE * SIDE).enumerate();
            Ok(pictures
                .flat_map(|(i, x)| {
                    let sum: f32 = x.iter().sum();
                    [0.0, sum + (self.0)(batch, i, input)]
                })
                .collect())
        }
    }

    fn shown(added: impl FnMut(usize, usize, &[f32]) -> f32 + Send) -> Shown {
        let spec = ModelSpec::plain("m", SIDE, SIDE, &["real", "fake"]);
        let input: Vec<f32> = (0..2 * spec.picture_len()).map(|i| i as f32 / 50.0).collect();
        let sums = input.chunks_exact(spec.picture_len()).map(|x| x.iter().sum::<f32>());
        let scores = sums.flat_map(|sum| [0.0, sum]).collect();
        let golden = Golden { input, scores, rows: 2, tolerance: 0.1 };
        probe(&spec, &golden, &mut Batched(added), 8).unwrap()
    }

    #[test]
    fn pictures_stand_together_as_far_as_they_keep_their_bits() {
        assert_eq!(shown(|_, _, _| 0.0).batching, Batching::Any(8));
        // By size alone, as a kernel chosen by shape would.
        assert_eq!(shown(|batch, _, _| batch as f32 * 1e-3).batching, Batching::Fixed(8));
        // By place and by neighbour.
        assert_eq!(shown(|_, place, _| place as f32 * 1e-3).batching, Batching::Single);
        let by_neighbour =
            |batch, _, input: &[f32]| if batch > 1 { input.iter().sum::<f32>() * 1e-4 } else { 0.0 };
        assert_eq!(shown(by_neighbour).batching, Batching::Single);
    }

    #[test]
    fn only_sizes_that_are_probed_are_handed_out() {
        let handed = |batching: Batching, counts: [usize; 5]| counts.map(|count| batching.fitting(count));
        assert_eq!(handed(Batching::Any(8), [0, 1, 7, 8, 90]), [1, 1, 7, 8, 8]);
        assert_eq!(handed(Batching::Any(48), [16, 17, 33, 47, 48]), [16, 16, 32, 32, 48]);
        assert_eq!(handed(Batching::Fixed(8), [1, 2, 8, 9, 90]), [8; 5]);
        assert_eq!(handed(Batching::Single, [1, 2, 8, 9, 90]), [1; 5]);
    }

    #[test]
    fn a_model_that_never_says_the_same_twice_is_not_deterministic() {
        let mut calls = 0;
        let drifting = shown(move |_, _, _| {
            calls += 1;
            calls as f32 * 1e-4
        });
        assert_eq!((drifting.batching, drifting.deterministic), (Batching::Single, false));
        assert!(shown(|_, place, _| place as f32 * 1e-3).deterministic);
    }
}
