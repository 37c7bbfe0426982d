//! A metric's message to a metric, with what it hides by and how it attacks.

use std::sync::Arc;

use unmask_core::{Preset, Violation};
use unmask_explainer::fill::Made;
use unmask_explainer::fill::adversarial::Search;
use unmask_explainer::metrics::{self as m, Metric, RfxgScore};
use unmask_protocol::v1::{self, metric::Kind};

use super::fill::{FillChoice, fill, search_as_paper, search_within};
use super::{Seeing, nested};

/// A metric and what it takes besides its numbers.
pub(crate) struct Measure {
    pub(crate) metric: Arc<dyn Metric>,
    /// What stands where it hides; `None` where it hides nothing or fills by itself.
    pub(crate) fill: Option<FillChoice>,
    /// How it attacks.
    pub(crate) attack: Option<Search>,
    /// Its message with every number as it is used; fill and attack stand above.
    pub(crate) message: Kind,
}

impl Measure {
    fn new(metric: impl Metric + 'static, message: Kind) -> Self {
        Self { metric: Arc::new(metric), fill: None, attack: None, message }
    }

    fn over(mut self, fill: Option<FillChoice>) -> Self {
        self.fill = fill;
        self
    }

    fn by(mut self, attack: Search) -> Self {
        self.attack = Some(attack);
        self
    }
}

/// The passes of an attack within a bound where the caller names none: many regions cannot be flipped, and what has not
/// changed the decision by then hardly ever does.
const ATTACK_PASSES: u32 = 1000;
/// Steps of the paper's attack where the caller names none (arXiv 2404.18649: 50, where its explainers take 80).
const ATTACK_STEPS: u32 = 50;

/// The metric; what is wrong with it is recorded under `plan.metrics[i]`.
pub(super) fn measure(
    message: v1::Metric,
    path: &str,
    seeing: &Seeing<'_>,
    wrong: &mut Vec<Violation>,
) -> Option<Measure> {
    let mut found = None;
    nested(path, wrong, |wrong| {
        let Some(kind) = message.kind else {
            wrong.push(Violation::new("kind", "is not set or not known to this server, see ListMetrics"));
            return;
        };
        found = Reader { seeing, wrong }.read(kind);
    });
    found
}

struct Reader<'a> {
    seeing: &'a Seeing<'a>,
    wrong: &'a mut Vec<Violation>,
}

const CLEAN: Preset = Preset::Clean;

impl Reader<'_> {
    fn read(&mut self, kind: Kind) -> Option<Measure> {
        Some(match kind {
            Kind::AdversarialSufficiency(message) => self.adversarial_sufficiency(message),
            Kind::Stability(message) => self.stability(message),
            Kind::Deletion(message) => {
                let step = m::deletion::STEP;
                let step = step.integer(message.step.map(u64::from), CLEAN, "deletion", self.wrong);
                let fill = self.fill(message.fill, "deletion", Made::Zero)?;
                let message = v1::Deletion { step: Some(step as u32), fill: None };
                Measure::new(m::Deletion { step: step as usize }, Kind::Deletion(message)).over(Some(fill))
            }
            Kind::Insertion(message) => {
                let step = m::insertion::STEP;
                let step = step.integer(message.step.map(u64::from), CLEAN, "insertion", self.wrong);
                let fill = self.fill(message.fill, "insertion", Made::Blur(5.0))?;
                let message = v1::Insertion { step: Some(step as u32), fill: None };
                Measure::new(m::Insertion { step: step as usize }, Kind::Insertion(message)).over(Some(fill))
            }
            Kind::PixelFlipping(message) => self.pixel_flipping(message)?,
            Kind::Road(message) => {
                let fill = match message.fill {
                    None => None,
                    given => Some(self.fill(given, "road", Made::Zero)?),
                };
                Measure::new(m::Road { impute: fill.is_none() }, Kind::Road(v1::Road { fill: None }))
                    .over(fill)
            }
            Kind::AverageDrop(message) => {
                let fill = self.fill(message.fill, "average_drop", BLACK)?;
                let message = Kind::AverageDrop(v1::AverageDrop { fill: None });
                Measure::new(m::AverageDrop {}, message).over(Some(fill))
            }
            Kind::Comprehensiveness(message) => {
                let fill = self.fill(message.fill, "comprehensiveness", Made::Mean)?;
                let message = Kind::Comprehensiveness(v1::Comprehensiveness { fill: None });
                Measure::new(m::Comprehensiveness {}, message).over(Some(fill))
            }
            Kind::Sufficiency(message) => {
                let fill = self.fill(message.fill, "sufficiency", Made::Mean)?;
                let message = Kind::Sufficiency(v1::Sufficiency { fill: None });
                Measure::new(m::Sufficiency {}, message).over(Some(fill))
            }
            Kind::Rfxg(message) => self.rfxg(message)?,
            Kind::PointingGame(message) => {
                let given = message.tolerance.map(u64::from);
                let path = "pointing_game";
                let tolerance = m::pointing_game::TOLERANCE.integer(given, CLEAN, path, self.wrong);
                let message = v1::PointingGame { tolerance: Some(tolerance as u32) };
                let metric = m::PointingGame { tolerance: tolerance as usize };
                Measure::new(metric, Kind::PointingGame(message))
            }
            Kind::Iou(message) => {
                let share = m::iou::SHARE.real(message.share, CLEAN, "iou", self.wrong);
                Measure::new(m::Iou { share }, Kind::Iou(v1::Iou { share: Some(share) }))
            }
            Kind::EffectiveComplexity(message) => {
                let threshold = m::effective_complexity::THRESHOLD;
                let threshold = threshold.real(message.threshold, CLEAN, "effective_complexity", self.wrong);
                let message = v1::EffectiveComplexity { threshold: Some(threshold) };
                Measure::new(m::EffectiveComplexity { threshold }, Kind::EffectiveComplexity(message))
            }
            Kind::MaxSensitivity(message) => {
                let path = "max_sensitivity";
                let draws = message.draws.map(u64::from);
                let draws = m::max_sensitivity::DRAWS.integer(draws, CLEAN, path, self.wrong);
                let radius = m::max_sensitivity::RADIUS.real(message.radius, CLEAN, path, self.wrong);
                let message = v1::MaxSensitivity { draws: Some(draws as u32), radius: Some(radius) };
                Measure::new(m::MaxSensitivity { draws, radius }, Kind::MaxSensitivity(message))
            }
            kind @ Kind::CompletenessGap(_) => Measure::new(m::CompletenessGap {}, kind),
            kind @ Kind::RelevanceMass(_) => Measure::new(m::RelevanceMass {}, kind),
            kind @ Kind::RelevanceRank(_) => Measure::new(m::RelevanceRank {}, kind),
            kind @ Kind::Auroc(_) => Measure::new(m::Auroc {}, kind),
            kind @ Kind::AveragePrecision(_) => Measure::new(m::AveragePrecision {}, kind),
            kind @ Kind::Sparseness(_) => Measure::new(m::Sparseness {}, kind),
            kind @ Kind::Entropy(_) => Measure::new(m::Entropy {}, kind),
            kind @ Kind::TotalVariation(_) => Measure::new(m::TotalVariation {}, kind),
            kind @ Kind::Spread(_) => Measure::new(m::Spread {}, kind),
            kind @ Kind::Centredness(_) => Measure::new(m::Centredness {}, kind),
        })
    }

    fn adversarial_sufficiency(&mut self, message: v1::AdversarialSufficiency) -> Measure {
        let path = "adversarial_sufficiency";
        let regions = message.regions.map(u64::from);
        let regions = m::adversarial_sufficiency::REGIONS.integer(regions, CLEAN, path, self.wrong);
        let attack = self.attack(message.attack, path);
        let metric = m::AdversarialSufficiency { regions: regions as usize, attack: attack.clone() };
        let message = v1::AdversarialSufficiency { regions: Some(regions as u32), attack: None };
        Measure::new(metric, Kind::AdversarialSufficiency(message)).by(attack)
    }

    fn stability(&mut self, message: v1::Stability) -> Measure {
        let path = "stability";
        let regions = message.regions.map(u64::from);
        let regions = m::stability::REGIONS.integer(regions, CLEAN, path, self.wrong);
        let change = m::stability::CHANGE.real(message.change, CLEAN, path, self.wrong);
        let attack = self.attack(message.attack, path);
        let metric = m::Stability { regions: regions as usize, change, attack: attack.clone() };
        let message = v1::Stability { regions: Some(regions as u32), change: Some(change), attack: None };
        Measure::new(metric, Kind::Stability(message)).by(attack)
    }

    fn attack(&mut self, message: Option<v1::Attack>, path: &str) -> Search {
        match message.and_then(|message| message.kind) {
            Some(v1::attack::Kind::Paper(mut paper)) => {
                paper.steps.get_or_insert(ATTACK_STEPS);
                search_as_paper(&paper, &format!("{path}.attack.paper"), self.wrong)
            }
            other => {
                let mut bounded = match other {
                    Some(v1::attack::Kind::Bounded(bounded)) => bounded,
                    Some(v1::attack::Kind::Paper(_)) | None => v1::AdversarialFill::default(),
                };
                bounded.max_passes.get_or_insert(ATTACK_PASSES);
                search_within(&bounded, &format!("{path}.attack.bounded"), self.wrong)
            }
        }
    }

    fn pixel_flipping(&mut self, message: v1::PixelFlipping) -> Option<Measure> {
        let path = "pixel_flipping";
        let patch = message.patch.map(u64::from);
        let patch = m::pixel_flipping::PATCH.integer(patch, CLEAN, path, self.wrong);
        let regions = message.regions.map(u64::from);
        let regions = m::pixel_flipping::REGIONS.integer(regions, CLEAN, path, self.wrong);
        let fill = self.fill(message.fill, path, BLACK)?;
        let metric = m::PixelFlipping { patch: patch as usize, regions: regions as usize };
        let (patch, regions) = (Some(patch as u32), Some(regions as u32));
        let message = v1::PixelFlipping { patch, regions, fill: None };
        Some(Measure::new(metric, Kind::PixelFlipping(message)).over(Some(fill)))
    }

    fn rfxg(&mut self, message: v1::Rfxg) -> Option<Measure> {
        let score = match v1::RfxgScore::try_from(message.score) {
            Ok(v1::RfxgScore::Unspecified) => RfxgScore::Fitting,
            Ok(v1::RfxgScore::Ccs) => RfxgScore::Ccs,
            Ok(v1::RfxgScore::Cgc) => RfxgScore::Cgc,
            Ok(v1::RfxgScore::Pgs) => RfxgScore::Pgs,
            Ok(v1::RfxgScore::Cgs) => RfxgScore::Cgs,
            Err(_) => {
                let allowed =
                    "RFXG_SCORE_CCS (1), RFXG_SCORE_CGC (2), RFXG_SCORE_PGS (3) and RFXG_SCORE_CGS (4)";
                let got = format!("got {}, allowed are {allowed}", message.score);
                self.wrong.push(Violation::new("rfxg.score", got));
                return None;
            }
        };
        let as_coded = message.as_coded.unwrap_or(false);
        let fill = self.fill(message.fill, "rfxg", Made::Zero)?;
        let message = v1::Rfxg { as_coded: Some(as_coded), fill: None, ..message };
        Some(Measure::new(m::Rfxg { score, as_coded }, Kind::Rfxg(message)).over(Some(fill)))
    }

    fn fill(&mut self, given: Option<v1::Fill>, path: &str, absent: Made) -> Option<FillChoice> {
        let Some(message) = given else { return Some(FillChoice::Made(absent)) };
        let mut found = None;
        nested(path, self.wrong, |wrong| {
            found = fill(message, self.seeing.header, self.seeing.limits, wrong);
        });
        found
    }
}

const BLACK: Made = Made::Constant([0.0; 3]);
