//! A model in closed form, for tests: its answers are known, and it can be told to fail.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Backend, BackendError, Opener};

/// What a planted model says of one picture: the graph's own output, or the words it fails with.
type Answer = dyn FnMut(&[f32]) -> Result<Vec<f32>, String> + Send;

/// Runs a function per picture.
pub struct Planted {
    answer: Box<Answer>,
}

impl Planted {
    /// A model whose raw output for a picture is `answer`.
    pub fn boxed(
        answer: impl FnMut(&[f32]) -> Result<Vec<f32>, String> + Send + 'static,
    ) -> Box<dyn Backend> {
        Box::new(Self { answer: Box::new(answer) })
    }
}

impl Planted {
    /// Sessions of one model, each of which goes on where the last one ended.
    pub fn opener(answer: impl FnMut(&[f32]) -> Result<Vec<f32>, String> + Send + 'static) -> Opener {
        let answer = Arc::new(Mutex::new(answer));
        Box::new(move || {
            let answer = Arc::clone(&answer);
            Ok(Self::boxed(move |picture| {
                let mut answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
                answer(picture)
            }))
        })
    }
}

impl Backend for Planted {
    fn run(&mut self, batch: usize, input: &[f32]) -> Result<Vec<f32>, BackendError> {
        let mut rows = Vec::new();
        for picture in input.chunks_exact(input.len() / batch.max(1)) {
            rows.extend((self.answer)(picture).map_err(BackendError::Run)?);
        }
        Ok(rows)
    }
}
