//! The unit in which a method asks.

use std::sync::Arc;

use crate::{Perturbation, Tensor};

/// The most perturbations in one round. Methods cut their work into rounds of this size whatever the load, and an
/// explanation can end early only between two of them.
pub const ROUND: usize = 128;

/// Questions about one image and one fill, answered together and in order.
#[derive(Clone, Debug)]
pub struct Round {
    /// The image in the model's units.
    pub image: Arc<Tensor>,
    /// What stands where the image is hidden; the image's shape.
    pub fill: Arc<Tensor>,
    /// At most [`ROUND`] perturbations.
    pub items: Vec<Perturbation>,
}
