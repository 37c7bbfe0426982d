//! The list of metrics: how far an explanation can be trusted. Each is one file, with what it gets and gives declared here.
//!
//! A number of these says little alone: on a centred face a map that knows nothing but the centre does well, so every table
//! has the [`controls`] beside it. What removes parts of a picture and looks at the score says as much about the fill as
//! about the map (Gowrisankar and Thing, arXiv 2312.06627), so every such metric takes any fill.
//!
//! ```
//! use std::sync::Arc;
//! use unmask_core::{FromFn, Map, ModelSpec, Reading, Scale, Target, Tensor};
//! use unmask_explainer::metrics::{Case, Deletion, Metric as _, Shared};
//! use unmask_explainer::segment::grid;
//!
//! // A model that calls a picture fake as far as its top left pixel is bright.
//! let model = FromFn::new(ModelSpec::plain("corner", 4, 4, &["real", "fake"]), |x| vec![0.0, 4.0 * x[0]]);
//! let right = Map { height: 4, width: 4, data: (0..16).map(|i| if i == 0 { 1.0 } else { 0.0 }).collect() };
//! let case = Case {
//!     map: &right,
//!     reading: Reading::Evidence,
//!     image: &Arc::new(Tensor::constant(&[1.0; 3], 4, 4)),
//!     logits: &[0.0, 4.0],
//!     target: &Target::new(vec![1], None, 2, Scale::Probability),
//!     total: None,
//!     fill: &Arc::new(Tensor::constant(&[0.0; 3], 4, 4)),
//!     segments: &Arc::new(grid(4, 4, 2, 2)),
//!     mask: None,
//!     truth: None,
//!     seed: 0,
//!     forward: &model,
//!     again: None,
//!     shared: &Shared::default(),
//! };
//! // Gone with the first pixel: the probability falls from 0.98 to 0.5 at once.
//! let measured = Deletion { step: 1 }.measure(&case)?;
//! let area = measured.figures[0].value.unwrap();
//! assert!((area - (0.982 / 2.0 + 15.5 * 0.5) / 16.0).abs() < 1e-3, "{area}");
//! # Ok::<(), unmask_core::ForwardError>(())
//! ```

pub mod adversarial_sufficiency;
mod attack;
pub mod auroc;
pub mod average_drop;
pub mod average_precision;
pub mod bootstrap;
pub mod centredness;
#[cfg(test)]
mod common_checks;
pub mod completeness_gap;
pub mod comprehensiveness;
pub mod controls;
pub mod deletion;
pub mod effective_complexity;
pub mod entropy;
pub mod impute;
pub mod insertion;
pub mod iou;
pub mod max_sensitivity;
pub mod pixel_flipping;
#[cfg(test)]
mod planted;
pub mod pointing_game;
pub mod relevance_mass;
pub mod relevance_rank;
mod removal;
pub mod rfxg;
pub mod road;
pub mod sparseness;
pub mod spread;
pub mod stability;
pub mod sufficiency;
pub mod total_variation;

use std::sync::Arc;

use unmask_core::{
    Ended, Forward, ForwardError, LabelMap, Map, Perturbation, ROUND, Ranks, Reading, Round, Target, Tensor,
    log_sum_exp,
};

use crate::catalogue::Descriptor;
pub use adversarial_sufficiency::AdversarialSufficiency;
pub use attack::Shared;
pub use auroc::Auroc;
pub use average_drop::AverageDrop;
pub use average_precision::AveragePrecision;
pub use centredness::Centredness;
pub use completeness_gap::CompletenessGap;
pub use comprehensiveness::Comprehensiveness;
pub use deletion::Deletion;
pub use effective_complexity::EffectiveComplexity;
pub use entropy::Entropy;
pub use insertion::Insertion;
pub use iou::Iou;
pub use max_sensitivity::MaxSensitivity;
pub use pixel_flipping::PixelFlipping;
pub use pointing_game::PointingGame;
pub use relevance_mass::RelevanceMass;
pub use relevance_rank::RelevanceRank;
pub use rfxg::{Rfxg, RfxgScore};
pub use road::Road;
pub use sparseness::Sparseness;
pub use spread::Spread;
pub use stability::Stability;
pub use sufficiency::Sufficiency;
pub use total_variation::TotalVariation;

/// All metrics, in the order of the contract.
pub const METRICS: &[&About] = &[
    &adversarial_sufficiency::ABOUT,
    &stability::ABOUT,
    &deletion::ABOUT,
    &insertion::ABOUT,
    &pixel_flipping::ABOUT,
    &road::ABOUT,
    &average_drop::ABOUT,
    &comprehensiveness::ABOUT,
    &sufficiency::ABOUT,
    &completeness_gap::ABOUT,
    &pointing_game::ABOUT,
    &relevance_mass::ABOUT,
    &relevance_rank::ABOUT,
    &iou::ABOUT,
    &auroc::ABOUT,
    &average_precision::ABOUT,
    &sparseness::ABOUT,
    &entropy::ABOUT,
    &effective_complexity::ABOUT,
    &total_variation::ABOUT,
    &spread::ABOUT,
    &centredness::ABOUT,
    &max_sensitivity::ABOUT,
    &rfxg::ABOUT,
];

/// What a metric is, as the catalogue tells it and the common checks hold it to.
#[derive(Debug)]
pub struct About {
    /// Name, sentence, source, parameters and cost.
    pub entry: Descriptor,
    /// Figures that it gives, each with the direction that is better.
    pub figures: &'static [FigureAbout],
    /// What it cannot do without, besides map and picture.
    pub needs: &'static [Need],
    /// Wrong explanations that its first figure tells from the right one, on planted models.
    pub tells: &'static [Wrong],
}

/// A figure of a metric. A name that ends in `_K` stands for one figure for each K.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FigureAbout {
    /// Name; the metric's own where it has one figure.
    pub name: &'static str,
    /// Which way is better.
    pub better: Better,
}

/// Which way a figure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// The higher.
    Higher,
    /// The lower.
    Lower,
    /// Neither: it describes.
    Neither,
}

/// What a metric cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A mask of what was manipulated.
    Mask,
    /// A method that explains another picture; a supplied map has none.
    Method,
    /// Something that stands where parts are hidden.
    Fill,
}

/// A deliberately wrong explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Every segment has its neighbour's value.
    Shifted,
    /// The highest is the lowest.
    Inverted,
    /// Random values.
    Random,
}

/// A metric with its parameters.
pub trait Metric: std::fmt::Debug + Send + Sync {
    /// What it is.
    fn about(&self) -> &'static About;

    /// Upper bound of the forward passes of `measure`.
    fn announced(&self, size: &Size) -> u64;

    /// Measures.
    ///
    /// # Errors
    /// What [`Forward`] answers, and [`ForwardError::Unanswered`] when a deadline came first. What cannot be told of this map
    /// or picture is no error: its figure has a reason in place of a value.
    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError>;
}

/// What the cost of a metric depends on besides its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Rows of the model's frame.
    pub height: usize,
    /// Columns of the model's frame.
    pub width: usize,
    /// Upper bound of the passes of explaining another picture in the same way; `None` where that cannot be done.
    pub again: Option<u64>,
}

/// An explanation and everything that it may be held against.
pub struct Case<'a> {
    /// The explanation, in the model's frame.
    pub map: &'a Map,
    /// How its values read.
    pub reading: Reading,
    /// The picture in the model's units.
    pub image: &'a Arc<Tensor>,
    /// Logits of the picture.
    pub logits: &'a [f32],
    /// The scalar on which removal is read.
    pub target: &'a Target,
    /// What the values of the map should sum to, and do; `None` where the map was not made by a method.
    pub total: Option<Total>,
    /// What stands where the metric hides; the image itself for a metric that has no fill.
    pub fill: &'a Arc<Tensor>,
    /// The regions of the picture.
    pub segments: &'a Arc<LabelMap>,
    /// What was manipulated, row-major in the model's frame; neither empty nor full.
    pub mask: Option<&'a [bool]>,
    /// The class that the picture truly belongs to, where that is known.
    pub truth: Option<usize>,
    /// Seed of every random choice.
    pub seed: u64,
    /// The model.
    pub forward: &'a dyn Forward,
    /// Explains another picture in the same way.
    pub again: Option<&'a Again<'a>>,
    /// What the explanations of one request share.
    pub shared: &'a Shared,
}

/// What attributions should sum to, and do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Total {
    /// Score of the picture less score of the fill, both as the method read them.
    pub expected: f64,
    /// Sum of the attributions: over segments where the method's values belong to segments, else over pixels.
    pub sum: f64,
}

/// Explains another picture as a map was made.
pub type Again<'a> = dyn Fn(&Arc<Tensor>) -> Result<Map, ForwardError> + 'a;

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Figures, in the order of [`About::figures`].
    pub figures: Vec<Figure>,
    /// The curves behind them.
    pub curves: Vec<Curve>,
    /// Passes that an attack did not need, because it had reached its goal.
    pub flipped: u64,
    /// Passes that another explanation of the same request has paid for.
    pub shared: u64,
}

/// One number, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Name.
    pub name: String,
    /// Which way is better.
    pub better: Better,
    /// The number, or a sentence that says why there is none.
    pub value: Result<f64, &'static str>,
}

/// A curve behind a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Name.
    pub name: &'static str,
    /// Where: the share of pixels, in most cases.
    pub x: Vec<f64>,
    /// The score there.
    pub y: Vec<f64>,
}

/// What a map says where it says the same of every pixel.
pub(crate) const FLAT: &str = "the map is flat";
/// What a metric against a mask says without one.
const NO_MASK: &str = "no mask was given";
/// What a metric of the evidence says where there is none.
const NOTHING: &str = "nothing in the map speaks for the target";
/// What a metric that explains again says of a caller's map.
const SUPPLIED: &str = "a supplied map cannot be made again";

impl Measured {
    /// The figures of `about` in order, each with its value.
    ///
    /// # Panics
    /// When there are not as many values as figures.
    pub(crate) fn of(about: &About, values: &[Result<f64, &'static str>]) -> Self {
        assert_eq!(about.figures.len(), values.len(), "a value for each figure of {}", about.entry.name);
        let figures = about.figures.iter().zip(values);
        let figures = figures.map(|(about, value)| about.is(*value)).collect();
        Self { figures, ..Self::default() }
    }

    /// With a curve.
    pub(crate) fn with(mut self, name: &'static str, x: Vec<f64>, y: Vec<f64>) -> Self {
        self.curves.push(Curve { name, x, y });
        self
    }
}

impl FigureAbout {
    /// The K of a figure's name, 0 for a name that stands for itself; `None` where the figure is another.
    pub fn k_of(&self, name: &str) -> Option<u16> {
        let Some(stem) = self.name.strip_suffix('K') else { return (name == self.name).then_some(0) };
        let k = name.strip_prefix(stem)?;
        let canonical = k == "0" || (!k.starts_with('0') && k.bytes().all(|b| b.is_ascii_digit()));
        canonical.then(|| k.parse().ok()).flatten()
    }

    /// The name of the figure for one K, as [`FigureAbout::k_of`] reads it.
    pub fn named(&self, k: u16) -> String {
        match self.name.strip_suffix('K') {
            Some(stem) => format!("{stem}{k}"),
            None => self.name.to_owned(),
        }
    }

    fn is(&self, value: Result<f64, &'static str>) -> Figure {
        Figure { name: self.name.into(), better: self.better, value }
    }

    /// The figure for one `k`, of a name that ends in `_K`.
    fn at(&self, k: usize, value: Result<f64, &'static str>) -> Figure {
        let stem = self.name.strip_suffix('K').unwrap_or(self.name);
        Figure { name: format!("{stem}{k}"), better: self.better, value }
    }
}

impl Case<'_> {
    /// The map as nobody can misread it: what speaks for the target is positive, 0 says nothing. Of a map that reads as
    /// importance the lowest value is taken off.
    fn evidence(&self) -> Vec<f64> {
        self.evidence_of(self.map)
    }

    /// The same of another map that reads alike.
    fn evidence_of(&self, map: &Map) -> Vec<f64> {
        let floor = match self.reading {
            Reading::Evidence => 0.0,
            Reading::Importance => f64::from(map.floor()),
        };
        map.data.iter().map(|v| f64::from(*v) - floor).collect()
    }

    /// Whether the map says the same of every pixel.
    fn is_flat(&self) -> bool {
        self.map.data.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// Probability of the classes that speak for the target, together; never above 1.
    fn probability(&self, logits: &[f32]) -> f64 {
        let pro = log_sum_exp(self.target.pro().iter().map(|class| logits[*class]));
        (pro - log_sum_exp(logits.iter().copied())).exp().min(1.0)
    }

    /// The ranking of the map's pixels.
    fn ranks(&self) -> Arc<Ranks> {
        Arc::new(Ranks::new(&self.map.data))
    }

    /// Logits of the picture without its highest pixels, or of these alone over the fill, for each number of pixels.
    fn ranked(&self, tops: &[usize], shown: bool) -> Result<Vec<Vec<f32>>, ForwardError> {
        let ranks = self.ranks();
        let items =
            tops.iter().map(|top| Perturbation::Ranked { ranks: Arc::clone(&ranks), top: *top, shown });
        self.ask(self.fill, items)
    }

    /// Logits of questions about the picture over `fill`, in order.
    fn ask(
        &self,
        fill: &Arc<Tensor>,
        items: impl Iterator<Item = Perturbation>,
    ) -> Result<Vec<Vec<f32>>, ForwardError> {
        self.ask_by(ROUND, fill, items)
    }

    /// The same in rounds of `size` questions, each made when its turn has come.
    fn ask_by(
        &self,
        size: usize,
        fill: &Arc<Tensor>,
        mut items: impl Iterator<Item = Perturbation>,
    ) -> Result<Vec<Vec<f32>>, ForwardError> {
        let (mut asked, mut logits) = (0, Vec::new());
        let mut rounds = std::iter::from_fn(|| {
            let items: Vec<_> = items.by_ref().take(size).collect();
            asked += items.len();
            let (image, fill) = (Arc::clone(self.image), Arc::clone(fill));
            (!items.is_empty()).then_some(Round { image, fill, items })
        });
        let ended = self.forward.run(&mut rounds, &mut |_, scores| {
            logits.extend(scores.rows().map(<[f32]>::to_vec));
            std::ops::ControlFlow::Continue(())
        })?;
        match ended {
            Ended::All if logits.len() == asked => Ok(logits),
            Ended::All | Ended::Stopped | Ended::Deadline | Ended::Budget => {
                Err(ForwardError::Unanswered(ended))
            }
        }
    }
}

/// Area under a curve by the trapezoid rule.
fn area(x: &[f64], y: &[f64]) -> f64 {
    x.windows(2).zip(y.windows(2)).map(|(x, y)| (x[1] - x[0]) * (y[0] + y[1]) / 2.0).sum()
}
