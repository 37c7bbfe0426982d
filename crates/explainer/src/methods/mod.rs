//! The list of explanation methods, and what every one of them gets and gives.
//!
//! ```
//! use std::sync::Arc;
//! use unmask_core::{FromFn, ModelSpec, Target, Tensor};
//! use unmask_explainer::methods::{Context, Method, Occlusion};
//!
//! // A model that calls a picture fake as far as its top left pixel is bright.
//! let model = FromFn::new(ModelSpec::plain("corner", 4, 4, &["real", "fake"]), |x| vec![0.0, x[0]]);
//! let context = Context {
//!     image: &Arc::new(Tensor::constant(&[1.0; 3], 4, 4)),
//!     fill: &Arc::new(Tensor::constant(&[0.0; 3], 4, 4)),
//!     target: &Target::class(1, 2),
//!     seed: 0,
//!     image_score: 1.0,
//!     fill_score: 0.0,
//!     forward: &model,
//! };
//! let method = Method::Occlusion(Occlusion { grid: 4, ..Occlusion::default() });
//! let explanation = method.explain(&context)?;
//! assert_eq!(explanation.map.data[0], 1.0);
//! assert!(explanation.map.data[1..].iter().all(|v| *v == 0.0));
//! # Ok::<(), unmask_core::ForwardError>(())
//! ```

pub mod occlusion;
pub mod rise;

#[cfg(test)]
mod common_checks;

use std::sync::Arc;

use unmask_core::{Ended, Forward, ForwardError, Map, Target, Tensor};

use crate::catalogue::Descriptor;
pub use occlusion::{Mode, Occlusion};
pub use rise::Rise;

/// All methods.
pub const METHODS: &[Descriptor] = &[rise::DESCRIPTOR, occlusion::DESCRIPTOR];

/// A method with its parameters, which are within their declared bounds.
#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    /// Random masks, folded by score.
    Rise(Rise),
    /// One window at a time.
    Occlusion(Occlusion),
}

/// What a method explains, and whom it may ask.
pub struct Context<'a> {
    /// The image in the model's units.
    pub image: &'a Arc<Tensor>,
    /// What stands where the image is hidden; the image's shape.
    pub fill: &'a Arc<Tensor>,
    /// The scalar to explain.
    pub target: &'a Target,
    /// Seed of every random choice.
    pub seed: u64,
    /// The scalar on the untouched image.
    pub image_score: f64,
    /// The scalar on the fill alone.
    pub fill_score: f64,
    /// The model.
    pub forward: &'a dyn Forward,
}

/// A method's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Signed evidence per pixel of the model's frame, in nats of log-odds of the target.
    pub map: Map,
    /// Why the rounds are over; anything but `All` means that fewer passes were folded than announced.
    pub ended: Ended,
}

impl Method {
    /// Upper bound of the forward passes that `explain` asks for.
    pub fn announced(&self) -> u64 {
        match self {
            Self::Rise(rise) => rise.announced(),
            Self::Occlusion(occlusion) => occlusion.announced(),
        }
    }

    /// Fewest forward passes with which `explain` has an answer.
    pub fn least(&self) -> u64 {
        match self {
            Self::Rise(rise) => rise.least(),
            Self::Occlusion(occlusion) => occlusion.announced(),
        }
    }

    /// Explains.
    ///
    /// # Errors
    /// What [`Forward`] answers, and [`ForwardError::Unanswered`] when the rounds ended before there was an answer.
    pub fn explain(&self, context: &Context<'_>) -> Result<Explanation, ForwardError> {
        match self {
            Self::Rise(rise) => rise.explain(context),
            Self::Occlusion(occlusion) => occlusion.explain(context),
        }
    }
}
