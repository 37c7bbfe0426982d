//! The list of explanation methods, and what every one of them gets and gives.
//!
//! ```
//! use std::sync::Arc;
//! use unmask_core::{FromFn, ModelSpec, Target, Tensor};
//! use unmask_explainer::methods::{Context, Method, Occlusion};
//! use unmask_explainer::segment::grid;
//!
//! // A model that calls a picture fake as far as its top left pixel is bright.
//! let model = FromFn::new(ModelSpec::plain("corner", 4, 4, &["real", "fake"]), |x| vec![0.0, x[0]]);
//! let context = Context {
//!     image: &Arc::new(Tensor::constant(&[1.0; 3], 4, 4)),
//!     fill: &Arc::new(Tensor::constant(&[0.0; 3], 4, 4)),
//!     target: &Target::class(1, 2),
//!     segments: &Arc::new(grid(4, 4, 2, 2)),
//!     seed: 0,
//!     image_score: 1.0,
//!     fill_score: 0.0,
//!     forward: &model,
//!     watch: &(),
//! };
//! let method = Method::Occlusion(Occlusion { grid: 4, ..Occlusion::default() });
//! let explanation = method.explain(&context)?;
//! assert_eq!(explanation.map.data[0], 1.0);
//! assert!(explanation.map.data[1..].iter().all(|v| *v == 0.0));
//! # Ok::<(), unmask_core::ForwardError>(())
//! ```

pub mod hipe;
pub mod hsic;
pub mod kernel_shap;
pub mod lime;
pub mod linear;
pub mod occlusion;
pub mod partition_shap;
pub mod reveal;
pub mod rise;
pub mod sobol;
pub mod watch;

#[cfg(test)]
mod common_checks;
#[cfg(test)]
mod error_checks;

use std::ops::ControlFlow;
use std::sync::Arc;

use unmask_core::{
    Ended, Forward, ForwardError, LabelMap, Map, Perturbation, ROUND, Reading, Round, Scale, Target, Tensor,
};

use crate::catalogue::Descriptor;
pub use hipe::Hipe;
pub use hsic::Hsic;
pub use kernel_shap::KernelShap;
pub use lime::Lime;
pub use occlusion::{Mode, Occlusion};
pub use partition_shap::PartitionShap;
pub use reveal::Reveal;
pub use rise::Rise;
pub use sobol::Sobol;
pub use watch::Watch;

/// All methods, in the order of the contract.
pub const METHODS: &[Descriptor] = &[
    rise::DESCRIPTOR,
    occlusion::DESCRIPTOR,
    lime::DESCRIPTOR,
    sobol::DESCRIPTOR,
    partition_shap::DESCRIPTOR,
    kernel_shap::DESCRIPTOR,
    reveal::DESCRIPTOR,
    hsic::DESCRIPTOR,
    hipe::DESCRIPTOR,
];

/// A method with its parameters, which are within their declared bounds.
#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    /// Random masks, folded by score.
    Rise(Rise),
    /// One window at a time.
    Occlusion(Occlusion),
    /// A linear model fitted on random sets of segments.
    Lime(Lime),
    /// Share of the score's variance that each cell takes part in.
    Sobol(Sobol),
    /// Owen values over a tree of ever smaller blocks.
    PartitionShap(PartitionShap),
    /// Shapley values of segments by weighted least squares.
    KernelShap(KernelShap),
    /// One patch at a time, shown on the fill.
    Reveal(Reveal),
    /// How far the score depends on whether each cell shows.
    Hsic(Hsic),
    /// From coarse windows to ever finer ones, only where something was found.
    Hipe(Hipe),
}

/// What a method explains, and whom it may ask.
pub struct Context<'a> {
    /// The image in the model's units.
    pub image: &'a Arc<Tensor>,
    /// What stands where the image is hidden; the image's shape.
    pub fill: &'a Arc<Tensor>,
    /// The scalar to explain.
    pub target: &'a Target,
    /// The regions of the request's segmentation, in the image's frame.
    pub segments: &'a Arc<LabelMap>,
    /// Seed of every random choice.
    pub seed: u64,
    /// The scalar on the untouched image.
    pub image_score: f64,
    /// The scalar on the fill alone.
    pub fill_score: f64,
    /// The model.
    pub forward: &'a dyn Forward,
    /// Who looks on.
    pub watch: &'a dyn Watch,
}

impl Context<'_> {
    /// Questions about this image and this fill, answered together.
    fn round(&self, items: Vec<Perturbation>) -> Round {
        round(self.image, self.fill, items)
    }

    /// Questions 0 to `count` in rounds of [`ROUND`], each made when it is asked for.
    fn rounds(&self, count: u64, question: impl Fn(u64) -> Perturbation) -> impl Iterator<Item = Round> {
        self.rounds_of(ROUND, count, question)
    }

    /// The same in rounds of another size, for a method that can end after fewer.
    fn rounds_of(
        &self,
        size: usize,
        count: u64,
        question: impl Fn(u64) -> Perturbation,
    ) -> impl Iterator<Item = Round> {
        rounds((self.image, self.fill), size, count, question)
    }

    /// Shows what there is once so many questions are folded, where somebody wants to see it.
    fn shown(&self, folded: u64, so_far: impl FnOnce() -> Option<Explanation>) -> ControlFlow<()> {
        if !self.watch.wants(folded) {
            return ControlFlow::Continue(());
        }
        so_far().map_or(ControlFlow::Continue(()), |so_far| self.watch.look(folded, &so_far))
    }

    /// Some segments shown, the others hidden.
    fn segments_shown(&self, shown: Box<[bool]>) -> Perturbation {
        Perturbation::Segments { labels: Arc::clone(self.segments), shown }
    }
}

fn round(image: &Arc<Tensor>, fill: &Arc<Tensor>, items: Vec<Perturbation>) -> Round {
    Round { image: Arc::clone(image), fill: Arc::clone(fill), items }
}

/// Questions 0 to `count` about an image over a fill in rounds of a size, each made when it is asked for.
fn rounds(
    (image, fill): (&Arc<Tensor>, &Arc<Tensor>),
    size: usize,
    count: u64,
    question: impl Fn(u64) -> Perturbation,
) -> impl Iterator<Item = Round> {
    (0..count).step_by(size).map(move |first| {
        round(image, fill, (first..count.min(first + size as u64)).map(&question).collect())
    })
}

/// A method's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// One value per pixel of the model's frame, in the unit of the target's scale unless the method says otherwise.
    pub map: Map,
    /// How the values read.
    pub reading: Reading,
    /// What the method knows besides the map.
    pub figures: Figures,
    /// How far the values are from those of infinitely many draws, where the method draws and knows it.
    pub errors: Option<Errors>,
    /// Why the rounds are over; anything but `All` means that fewer passes were folded than announced.
    pub ended: Ended,
}

/// Standard errors: of the values over seeds, for the same picture and the same fill.
#[derive(Clone, Debug, PartialEq)]
pub struct Errors {
    /// Of the mean of each region of the request's segmentation, in the order of the labels.
    pub regions: Vec<f64>,
    /// Of each pixel's value.
    pub map: Map,
}

/// What a method knows besides its map.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Linear models of segments: the score when every segment is hidden.
    pub intercept: Option<f64>,
    /// LIME: weighted coefficient of determination of the linear model on its own samples.
    pub r2: Option<f64>,
    /// Shapley-type methods: score of the image less score of the fill, to which the values sum.
    pub total: Option<f64>,
    /// SOBOL: variance of the score over the design.
    pub variance: Option<f64>,
}

impl Method {
    /// Its name in the contract.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Rise(_) => rise::DESCRIPTOR.name,
            Self::Occlusion(_) => occlusion::DESCRIPTOR.name,
            Self::Lime(_) => lime::DESCRIPTOR.name,
            Self::Sobol(_) => sobol::DESCRIPTOR.name,
            Self::PartitionShap(_) => partition_shap::DESCRIPTOR.name,
            Self::KernelShap(_) => kernel_shap::DESCRIPTOR.name,
            Self::Reveal(_) => reveal::DESCRIPTOR.name,
            Self::Hsic(_) => hsic::DESCRIPTOR.name,
            Self::Hipe(_) => hipe::DESCRIPTOR.name,
        }
    }

    /// Upper bound of the forward passes that `explain` asks for.
    pub fn announced(&self) -> u64 {
        match self {
            Self::Rise(rise) => rise.announced(),
            Self::Occlusion(occlusion) => occlusion.announced(),
            Self::Lime(lime) => lime.announced(),
            Self::Sobol(sobol) => sobol.announced(),
            Self::PartitionShap(shap) => shap.announced(),
            Self::KernelShap(shap) => shap.announced(),
            Self::Reveal(reveal) => reveal.announced(),
            Self::Hsic(hsic) => hsic.announced(),
            Self::Hipe(hipe) => hipe.announced(),
        }
    }

    /// Fewest forward passes with which `explain` has an answer.
    pub fn least(&self) -> u64 {
        match self {
            Self::Rise(rise) => rise.least(),
            Self::Occlusion(occlusion) => occlusion.announced(),
            Self::Lime(lime) => lime.least(),
            Self::Sobol(sobol) => sobol.least(),
            Self::PartitionShap(shap) => shap.least(),
            Self::KernelShap(shap) => shap.least(),
            Self::Reveal(reveal) => reveal.least(),
            Self::Hsic(hsic) => hsic.least(),
            Self::Hipe(hipe) => hipe.least(),
        }
    }

    /// Whether the method draws, and knows how far its values are from those of infinitely many draws.
    pub fn knows_error(&self) -> bool {
        match self {
            Self::Rise(_) | Self::Lime(_) | Self::KernelShap(_) => true,
            Self::Occlusion(_)
            | Self::Sobol(_)
            | Self::PartitionShap(_)
            | Self::Reveal(_)
            | Self::Hsic(_)
            | Self::Hipe(_) => false,
        }
    }

    /// Whether the method hides and shows segments.
    pub fn needs_segments(&self) -> bool {
        match self {
            Self::Lime(_) | Self::KernelShap(_) => true,
            Self::Rise(_)
            | Self::Occlusion(_)
            | Self::Sobol(_)
            | Self::PartitionShap(_)
            | Self::Reveal(_)
            | Self::Hsic(_)
            | Self::Hipe(_) => false,
        }
    }

    /// The scale on which the code of arXiv 2502.03957 reads the score for this method.
    pub fn paper_scale(&self) -> Scale {
        match self {
            Self::Rise(_) | Self::Lime(_) => Scale::DoubleSoftmax,
            Self::Sobol(_)
            | Self::PartitionShap(_)
            | Self::KernelShap(_)
            | Self::Occlusion(_)
            | Self::Reveal(_)
            | Self::Hsic(_)
            | Self::Hipe(_) => Scale::Probability,
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
            Self::Lime(lime) => lime.explain(context),
            Self::Sobol(sobol) => sobol.explain(context),
            Self::PartitionShap(shap) => shap.explain(context),
            Self::KernelShap(shap) => shap.explain(context),
            Self::Reveal(reveal) => reveal.explain(context),
            Self::Hsic(hsic) => hsic.explain(context),
            Self::Hipe(hipe) => hipe.explain(context),
        }
    }
}

/// The map in which every pixel has its segment's value.
fn paint(values: &[f64], segments: &LabelMap) -> Map {
    let data = segments.labels().iter().map(|label| values[*label as usize] as f32).collect();
    Map { height: segments.height(), width: segments.width(), data }
}
