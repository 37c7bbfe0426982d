//! A batch and the pixels of its perturbations.

use std::sync::Arc;

use unmask_core::ModelSpec;

use crate::queue::Queue;
use crate::schedule::Item;

impl Drop for Batch {
    fn drop(&mut self) {
        if !self.items.is_empty() {
            self.queue.give_back(std::mem::take(&mut self.items));
        }
    }
}

/// Perturbations of any jobs, as pixels one after another in the model's layout. One that is dropped before it was run gives
/// them back to the queue.
pub(crate) struct Batch {
    queue: Arc<Queue>,
    pub(crate) items: Vec<Item>,
    pub(crate) input: Vec<f32>,
    /// Pictures of the input: those of the items, and where the model takes one size only, pictures that nobody asked for.
    pub(crate) rows: usize,
}

impl Batch {
    /// Room for any batch of a worker, filled again and again.
    pub(crate) fn empty(queue: &Arc<Queue>) -> Self {
        Self { queue: Arc::clone(queue), items: Vec::new(), input: Vec::new(), rows: 0 }
    }

    /// Writes the pictures of `items`; the batch has `fixed` rows where the model takes one size only.
    pub(crate) fn compose(&mut self, spec: &ModelSpec, items: Vec<Item>, fixed: Option<usize>) {
        let picture = spec.picture_len();
        self.rows = fixed.unwrap_or(items.len()).max(items.len());
        self.input.resize(self.rows * picture, 0.0);
        let mut pictures = self.input.chunks_exact_mut(picture);
        for (item, out) in items.iter().zip(&mut pictures) {
            item.perturbation().expand(&item.round.image, &item.round.fill, spec.input.layout, out);
        }
        pictures.for_each(|rest| rest.fill(0.0));
        self.items = items;
    }
}
