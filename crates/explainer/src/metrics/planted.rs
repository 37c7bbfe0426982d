//! Planted pictures, detectors and maps for the tests of the metrics.

use std::sync::Arc;

use unmask_core::{FromFn, LabelMap, Map, ModelSpec, Perturbation, Reading, Round, Scale, Target, Tensor};

use super::{Case, Measured, Metric, Shared, Total};
use unmask_core::Forward;

type Logits = Box<dyn Fn(&[f32]) -> Vec<f32>>;

thread_local! {
    /// Pictures that planted detectors of this test have been asked about.
    static PASSES: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// A detector, a picture of ones over a fill of zeros, and the map that explains it. Everything may be changed before
/// [`Planted::measure`].
pub(super) struct Planted {
    pub(super) model: FromFn<Logits>,
    pub(super) image: Arc<Tensor>,
    pub(super) fill: Arc<Tensor>,
    pub(super) map: Map,
    pub(super) reading: Reading,
    pub(super) target: Target,
    pub(super) total: Option<Total>,
    pub(super) segments: Arc<LabelMap>,
    pub(super) mask: Option<Vec<bool>>,
    pub(super) truth: Option<usize>,
    pub(super) seed: u64,
    /// Whether another picture can be explained.
    pub(super) explains_again: bool,
    pub(super) shared: Shared,
}

impl Planted {
    /// A frame of one row whose log-odds of "fake" are the sum of `weights`, brought to sum 1, over the pixels that show. The
    /// map is the weights; each pixel is a segment; the target is read in log-odds.
    pub(super) fn linear(weights: &[f32]) -> Self {
        let sum: f32 = weights.iter().sum();
        let weights: Vec<f32> = weights.iter().map(|w| w / sum).collect();
        let of = weights.clone();
        let logits = move |x: &[f32]| vec![0.0, of.iter().zip(x).map(|(w, x)| w * x).sum()];
        Self::new(1, weights.len(), &["real", "fake"], weights, logits)
    }

    /// A detector of any kind on a frame of `height * width` pixels; the target is the last class.
    pub(super) fn new(
        height: usize,
        width: usize,
        labels: &[&str],
        map: Vec<f32>,
        logits: impl Fn(&[f32]) -> Vec<f32> + 'static,
    ) -> Self {
        let numbers: Vec<u32> = (0..(height * width) as u32).collect();
        let logits = move |x: &[f32]| {
            PASSES.set(PASSES.get() + 1);
            logits(x)
        };
        Self {
            model: FromFn::new(ModelSpec::plain("planted", height, width, labels), Box::new(logits)),
            image: Arc::new(Tensor::constant(&[1.0; 3], height, width)),
            fill: Arc::new(Tensor::constant(&[0.0; 3], height, width)),
            map: Map { height, width, data: map },
            reading: Reading::Evidence,
            target: Target::new(vec![labels.len() - 1], None, labels.len(), Scale::LogOdds),
            total: None,
            segments: Arc::new(LabelMap::new(height, width, &numbers).unwrap()),
            mask: None,
            truth: None,
            seed: 0,
            explains_again: true,
            shared: Shared::default(),
        }
    }

    /// Pictures that have been asked about.
    pub(super) fn passes(&self) -> u64 {
        PASSES.get()
    }

    /// Logits of a picture.
    pub(super) fn logits(&self, picture: &Arc<Tensor>) -> Vec<f32> {
        let items = vec![Perturbation::Dense(Arc::clone(picture))];
        let round = Round { image: Arc::clone(picture), fill: Arc::clone(picture), items };
        self.model.scores(round).unwrap().row(0).to_vec()
    }

    /// What a metric says of it; explaining another picture gives that picture's first channel times the map.
    pub(super) fn measure(&self, metric: &dyn Metric) -> Measured {
        let again = |picture: &Arc<Tensor>| {
            let pairs = self.map.data.iter().zip(picture.channel(0));
            Ok(Map { data: pairs.map(|(m, x)| m * x).collect(), ..self.map.clone() })
        };
        let case = Case {
            map: &self.map,
            reading: self.reading,
            image: &self.image,
            logits: &self.logits(&self.image),
            target: &self.target,
            total: self.total,
            fill: &self.fill,
            segments: &self.segments,
            mask: self.mask.as_deref(),
            truth: self.truth,
            seed: self.seed,
            forward: &self.model,
            again: if self.explains_again { Some(&again) } else { None },
            shared: &self.shared,
        };
        metric.measure(&case).unwrap()
    }

    /// The first figure of a metric.
    pub(super) fn value(&self, metric: &dyn Metric) -> f64 {
        self.measure(metric).figures[0].value.unwrap()
    }
}
