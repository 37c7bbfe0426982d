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
    /// A worker thread could not be started.
    #[error("cannot start a worker thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// Compares the golden scores, then finds the largest batch up to `batch` in which a picture gets the same bits as
/// alone, at the first and last place and beside other neighbours.
pub(crate) fn probe(
    spec: &ModelSpec,
    golden: &Golden,
    backend: &mut dyn Backend,
    batch: usize,
) -> Result<usize, LoadError> {
    let row = spec.output_len();
    let scores = backend.run(golden.rows, &golden.input)?;
    for (i, (got, expected)) in scores.iter().zip(&golden.scores).enumerate() {
        let near = (got - expected).abs() <= golden.tolerance;
        if !near {
            let (got, expected, tolerance) = (*got, *expected, golden.tolerance);
            return Err(LoadError::Golden { row: i / row, class: i % row, got, expected, tolerance });
        }
    }
    Ok(if same_bits(spec, golden, backend, batch)? { batch } else { 1 })
}

fn same_bits(
    spec: &ModelSpec,
    golden: &Golden,
    backend: &mut dyn Backend,
    batch: usize,
) -> Result<bool, BackendError> {
    let (picture, row) = (spec.picture_len(), spec.output_len());
    let first = &golden.input[..picture];
    let alone = backend.run(1, first)?;
    // Neighbours are the golden pictures in turn, each a little darker than the last, so that no two are equal.
    let neighbour = |i: usize| {
        let start = i % golden.rows * picture;
        golden.input[start..start + picture].iter().map(move |v| v * (1.0 - 0.01 * i as f32))
    };
    for size in [2, 3, batch].into_iter().filter(|size| (2..=batch).contains(size)) {
        for place in [0, size - 1] {
            let pictures: Vec<f32> = (0..size)
                .flat_map(|i| if i == place { first.to_vec() } else { neighbour(i + 1).collect() })
                .collect();
            let scores = backend.run(size, &pictures)?;
            if scores[place * row..(place + 1) * row] != alone[..] {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
