//! What is looked at after an explanation, beside its budget: what the model says where something was replaced, what has to be replaced
//! for another decision, and how much of the explanation stays with another seed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use unmask_core::{
    Ended, Forward as _, ForwardError, LabelMap, Map, ModelSpec, Perturbation, Ranks, Reading, Round, Tensor,
    highest,
};
use unmask_explainer::counterfactual::{Counterfactual, Outcome, Scene, hidden};
use unmask_explainer::image::{self, Frame, Limits, Rect};
use unmask_explainer::methods::Context;
use unmask_explainer::metrics::controls;
use unmask_explainer::metrics::stability::pearson;
use unmask_explainer::render;
use unmask_explainer::segment::{Ranked, rank};
use unmask_pool::Job;

use super::fill::{References, Searched, refer};
use super::{Caller, Seen, read};
use crate::decode::{ExplainJob, Named, REFERENCE_PASSES};
use crate::error::RequestError;
use crate::fills::Fills;

/// Regions that are replaced together to see what happens.
const FOUND: usize = 3;
/// Passes of it: what was found, the rest, the middle.
pub(crate) const CHECKS: u64 = 3;

/// What can be named of a picture: the parts of its face, else regions.
pub(super) struct Areas {
    pub(super) labels: Arc<LabelMap>,
    /// Those that have most more of the evidence than of the area first.
    pub(super) ranked: Vec<Ranked>,
    /// Labels of what carries the evidence, best first.
    pub(super) found: Vec<usize>,
    /// Whether others do that are not answered.
    pub(super) is_unlisted: bool,
    /// The label that comes first in the answer; none where nothing speaks for anything.
    first: Option<usize>,
}

impl Areas {
    /// Parts of a face; all of them are answered, those first that have most more of the evidence than of the area.
    pub(super) fn parts(map: &Map, reading: Reading, labels: &Arc<LabelMap>) -> Self {
        let areas = Self::regions(map, reading, labels, usize::MAX);
        let first = areas.first.and(areas.ranked.first()).map(|part| part.label);
        Self { first, ..areas }
    }

    /// Regions, of which so many are answered, those with the highest mean first.
    pub(super) fn regions(map: &Map, reading: Reading, labels: &Arc<LabelMap>, most: usize) -> Self {
        let mut ranked = rank(map, reading, labels);
        let by_excess = |a: &Ranked, b: &Ranked| b.excess().total_cmp(&a.excess());
        let standing = |ranked: &[Ranked]| -> Vec<Ranked> {
            ranked.iter().filter(|area| area.stands_out()).copied().collect()
        };
        let mut found = standing(&ranked[..most.min(ranked.len())]);
        let is_unlisted = standing(&ranked).len() > found.len();
        let first = ranked.first().filter(|_| !is_flat(map, reading)).map(|region| region.label);
        found.sort_by(by_excess);
        ranked.sort_by(by_excess);
        let found = found.iter().map(|area| area.label).take(FOUND).collect();
        Self { labels: Arc::clone(labels), ranked, found, is_unlisted, first }
    }

    fn pixels(&self, which: &[usize]) -> usize {
        self.labels.labels().iter().filter(|label| which.contains(&(**label as usize))).count()
    }

    fn share(&self, which: &[usize]) -> f64 {
        self.pixels(which) as f64 / self.labels.labels().len().max(1) as f64
    }
}

/// Whether nothing speaks for the target, or nothing matters more than anything else.
pub(super) fn is_flat(map: &Map, reading: Reading) -> bool {
    match reading {
        Reading::Evidence => map.data.iter().all(|v| *v <= 0.0),
        Reading::Importance => map.data.iter().all(|v| *v == map.floor()),
    }
}

/// What was replaced in a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replaced {
    /// What carries the evidence.
    Found,
    /// All else.
    Rest,
    /// As much around the middle of the frame.
    Middle,
}

/// What the model says where something was replaced.
pub(crate) struct Check {
    pub(crate) replaced: Replaced,
    pub(crate) area_share: f64,
    pub(crate) value: f64,
    pub(crate) logits: Vec<f32>,
}

/// What a search for another decision came to.
pub(crate) struct Changed {
    pub(crate) outcome: Outcome,
    /// The regions that were searched.
    pub(crate) areas: Arc<LabelMap>,
    /// Whether they are the parts of a face.
    pub(crate) of_face: bool,
    pub(crate) candidates: usize,
    pub(crate) passes: u64,
    /// Share of the frame that is replaced.
    pub(crate) area_share: f64,
    /// The picture with the regions replaced.
    pub(crate) image: Option<Filed>,
}

/// A picture as a file, and what the model says of the file.
pub(crate) struct Filed {
    pub(crate) png: Vec<u8>,
    pub(crate) logits: Vec<f32>,
}

impl Changed {
    /// Bounds of what is replaced, in the picture.
    pub(crate) fn boxes(&self, frame: &Frame) -> Vec<Rect> {
        let Outcome::Found(set, _) = &self.outcome else { return Vec::new() };
        let width = self.areas.width();
        let one = |label: &usize| {
            let inside = self.areas.labels().iter().enumerate().filter(|(_, l)| **l as usize == *label);
            let (mut left, mut top, mut right, mut bottom) = (usize::MAX, usize::MAX, 0, 0);
            for (at, _) in inside {
                let (x, y) = (at % width, at / width);
                (left, top, right, bottom) = (left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1));
            }
            frame.rect_to_displayed(left as u32, top as u32, right as u32, bottom as u32)
        };
        set.iter().map(one).collect()
    }
}

/// The explanation once more.
pub(crate) struct Steady {
    pub(crate) correlation: f64,
    pub(crate) same_first: bool,
    /// Whether either map is flat, so that there is nothing to compare.
    pub(crate) is_flat: bool,
    pub(crate) seed: u64,
}

/// Everything that may be asked about an explanation that there is.
pub(super) struct After<'a> {
    pub(super) job: &'a ExplainJob,
    pub(super) context: &'a Context<'a>,
    pub(super) forward: &'a Job,
    pub(super) decision: &'a Named,
    pub(super) logits: &'a [f32],
    pub(super) reading: Reading,
    pub(super) limits: &'a Limits,
    /// How long it took until there was a map.
    pub(super) took: Duration,
}

/// What was found of what was asked for.
#[derive(Default)]
pub(super) struct Beside {
    pub(super) checks: Vec<Check>,
    pub(super) changed: Option<Changed>,
    pub(super) steady: Option<Steady>,
    /// The search of the second explanation.
    pub(super) searched: Option<Searched>,
    /// Whether the deadline left something out.
    pub(super) late: bool,
}

impl After<'_> {
    /// All that was asked for.
    pub(super) fn all(
        &self,
        map: &Map,
        areas: &Areas,
        seen: &Seen,
        fills: &Fills,
        caller: &Caller,
    ) -> Result<Beside, RequestError> {
        let mut found = Beside::default();
        if self.job.outputs.sentences {
            found.checks = self.checks(areas)?;
            found.late |= found.checks.is_empty() && !areas.found.is_empty();
        }
        if let Some(change) = &self.job.counterfactual {
            let of_face = change.parts == Some(true);
            let changed = if of_face {
                self.changed(&change.search, areas, true)?
            } else {
                let own = Areas::regions(map, self.reading, self.context.segments, usize::MAX);
                self.changed(&change.search, &own, false)?
            };
            found.late |= changed.outcome == Outcome::Deadline;
            found.changed = Some(changed);
        }
        // What takes as long again is not begun where there is less time: a search that is given up is nobody's.
        let is_in_time = caller
            .deadline
            .is_none_or(|deadline| deadline.saturating_duration_since(Instant::now()) >= self.took);
        found.late |= self.job.outputs.steadiness && !is_in_time;
        if self.job.outputs.steadiness && is_in_time {
            let seed = self.job.seed.wrapping_add(1);
            let made =
                super::fill::made(self.job, seed, seen, self.context.segments, self.limits, &caller.trace)?;
            (found.steady, found.searched) = self.again((map, areas), made, seed, fills, caller)?;
            found.late |= found.steady.is_none();
        }
        Ok(found)
    }

    /// What is answered where the deadline came before anything of it.
    pub(super) fn late(&self, areas: &Areas) -> Beside {
        let changed = self.job.counterfactual.map(|change| Changed {
            outcome: Outcome::Deadline,
            areas: Arc::clone(&areas.labels),
            of_face: change.parts == Some(true),
            candidates: 0,
            passes: 0,
            area_share: 0.0,
            image: None,
        });
        Beside { late: true, changed, ..Beside::default() }
    }

    fn spec(&self) -> &ModelSpec {
        self.job.subject.served.spec()
    }

    fn ask(&self, items: Vec<Perturbation>) -> Result<Option<unmask_core::Scores>, RequestError> {
        let (image, fill) = (Arc::clone(self.context.image), Arc::clone(self.context.fill));
        in_time(self.forward.scores(Round { image, fill, items })).map_err(Into::into)
    }

    /// What the model says without what carries the evidence, without all else, and without as much around the middle. Nothing where
    /// nothing carries it, or where there is no time.
    pub(super) fn checks(&self, areas: &Areas) -> Result<Vec<Check>, RequestError> {
        let found = &areas.found;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let rest: Vec<usize> = (0..areas.labels.count()).filter(|label| !found.contains(label)).collect();
        let (height, width) = (self.context.image.height(), self.context.image.width());
        let ranks = Arc::new(Ranks::new(&controls::centre(height, width).data));
        let middle = Perturbation::Ranked { ranks, top: areas.pixels(found), shown: false };
        let items = vec![hidden(&areas.labels, found), hidden(&areas.labels, &rest), middle];
        let share = areas.share(found);
        let which =
            [(Replaced::Found, share), (Replaced::Rest, areas.share(&rest)), (Replaced::Middle, share)];
        let scores = self.ask(items)?;
        Ok(scores
            .iter()
            .flat_map(unmask_core::Scores::rows)
            .zip(which)
            .map(|(row, (replaced, area_share))| {
                let (value, logits) = (self.decision.target.value(row), row.to_vec());
                Check { replaced, area_share, value, logits }
            })
            .collect())
    }

    /// The smallest set of regions whose replacement changes the decision.
    pub(super) fn changed(
        &self,
        search: &Counterfactual,
        areas: &Areas,
        of_face: bool,
    ) -> Result<Changed, RequestError> {
        let real = self.spec().output.real;
        let was_real = highest(self.logits) == real;
        let margin = |row: &[f32]| {
            let others = row.iter().enumerate().filter(|(class, _)| *class != real).map(|(_, v)| *v);
            let margin = f64::from(row[real]) - f64::from(others.fold(f32::NEG_INFINITY, f32::max));
            if was_real { -margin } else { margin }
        };
        // What is decided is what the highest score says, ties and all.
        let is_over = |row: &[f32]| (highest(row) == real) != was_real;
        let over = |row: &[f32]| match (is_over(row), margin(row)) {
            (true, margin) => margin.max(f64::MIN_POSITIVE),
            (false, margin) => margin.min(0.0),
        };
        let mut by_share = areas.ranked.clone();
        by_share.sort_by(|a, b| b.evidence_share.total_cmp(&a.evidence_share));
        let order: Vec<usize> = by_share.iter().map(|area| area.label).collect();
        let (image, fill, labels) = (self.context.image, self.context.fill, &areas.labels);
        let scene = Scene { image, fill, labels, over: &over };
        // Each set is checked once, and few of them are pictures that stand.
        let (mut checked, mut failed) = (Vec::new(), None);
        let outcome = search.search(&scene, &order, self.forward, &mut |set| match self
            .as_a_file(&hidden(labels, set))
        {
            Ok(Some(filed)) => {
                let stands = is_over(&filed.logits);
                if stands {
                    let mut set = set.to_vec();
                    set.sort_unstable();
                    checked.push((set, filed));
                }
                Ok(Some(stands))
            }
            Ok(None) => Ok(None),
            Err(RequestError::Forward(error)) => Err(error),
            Err(error) => {
                failed = Some(error);
                Ok(None)
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let (outcome, passes) = outcome?;
        let image = match &outcome {
            Outcome::Found(found, _) => {
                checked.into_iter().find(|(set, _)| set == found).map(|(_, image)| image)
            }
            Outcome::None | Outcome::Passes | Outcome::Deadline => None,
        };
        let area_share = match &outcome {
            Outcome::Found(set, _) => areas.share(set),
            Outcome::None | Outcome::Passes | Outcome::Deadline => 0.0,
        };
        Ok(Changed {
            outcome,
            areas: Arc::clone(labels),
            of_face,
            candidates: order.len().min(search.regions),
            passes,
            area_share,
            image,
        })
    }

    /// A changed picture as a file, and what the model says of the file: pixels have whole values there.
    fn as_a_file(&self, change: &Perturbation) -> Result<Option<Filed>, RequestError> {
        let (image, input) = (self.context.image, &self.spec().input);
        let mut pixels = vec![0.0; image.data().len()];
        change.expand(image, self.context.fill, unmask_core::Layout::Nchw, &mut pixels);
        let changed = Tensor::new(image.channels(), image.height(), image.width(), pixels)
            .expect("it has the picture's shape");
        let png = render::plain(&changed, input);
        // A model's frame may be smaller than the least picture that is read from a caller.
        let picture = read(&png, &Limits { min_side: 1, ..*self.limits }, "counterfactual")?;
        let whole = Rect::whole(picture.width(), picture.height());
        let tensor = Arc::new(image::to_tensor(&picture, whole, input));
        let scores = self.ask(vec![Perturbation::Dense(tensor)])?;
        Ok(scores.map(|scores| Filed { png, logits: scores.row(0).to_vec() }))
    }

    /// The same explanation with the next seed; `None` where there is no time for it. With it, what its search has cost.
    pub(super) fn again(
        &self,
        (map, areas): (&Map, &Areas),
        made: Option<Arc<Tensor>>,
        seed: u64,
        fills: &Fills,
        caller: &Caller,
    ) -> Result<(Option<Steady>, Option<Searched>), RequestError> {
        let whose = (made, Some(self.logits.to_vec()));
        let references =
            match in_time(refer(self.job, seed, self.context.image, whose, self.forward, fills, caller))? {
                Some(references) => references,
                None => return Ok((None, None)),
            };
        let References { fill, fill_logits, searched, .. } = references;
        let fill_score = self.decision.target.value(&fill_logits);
        let context = Context { fill: &fill, fill_score, seed, watch: &(), ..*self.context };
        let explanation = match in_time(self.job.method.explain(&context))? {
            Some(explanation) if matches!(explanation.ended, Ended::All | Ended::Stopped) => explanation,
            Some(_) | None => return Ok((None, searched)),
        };
        let (map_again, reading) = (&explanation.map, explanation.reading);
        let second = match self.job.landmarks {
            Some(_) => Areas::parts(map_again, reading, &areas.labels),
            None => Areas::regions(map_again, reading, &areas.labels, usize::MAX),
        };
        let is_flat = areas.first.is_none() || second.first.is_none();
        let same_first = areas.first.is_some() && areas.first == second.first;
        let correlation = pearson(&map.data, &explanation.map.data).unwrap_or_default();
        Ok((Some(Steady { correlation, same_first, is_flat, seed }), searched))
    }
}

/// Passes of explaining once more, at most.
pub(crate) fn again_announced(job: &ExplainJob) -> u64 {
    REFERENCE_PASSES + job.fill.announced() + job.method.announced()
}

/// `None` where the deadline came first.
trait Timely {
    fn is_late(&self) -> bool;
}

impl Timely for ForwardError {
    fn is_late(&self) -> bool {
        matches!(self, Self::Unanswered(Ended::Deadline))
    }
}

impl Timely for RequestError {
    fn is_late(&self) -> bool {
        self.cut_off() == Some(Ended::Deadline)
    }
}

fn in_time<T, E: Timely>(done: Result<T, E>) -> Result<Option<T>, E> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.is_late() => Ok(None),
        Err(error) => Err(error),
    }
}
