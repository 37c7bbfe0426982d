//! The passes: explanations, then metrics, explanation by explanation.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use unmask_core::{ForwardError, LabelMap, Map, Reading, Target, Tensor, highest};
use unmask_explainer::methods::{Context, Explanation, Method};
use unmask_explainer::metrics::{Again, Case, Measured, Shared, Total};
use unmask_pool::{Job, Meter};

use super::super::bill::by_reason;
use super::super::explain::run;
use super::super::fill::{Searched, Source, find};
use super::super::{Adversarial, Caller, Saving, Seen, Why, warnings, whole};
use super::prepare::Prepared;
use super::{Outcome, Scored};
use crate::decode::{EvaluateJob, Kind, Making, Measure};
use crate::error::RequestError;
use crate::fills::Fills;

/// One request's work.
pub(super) struct Work<'a> {
    pub(super) job: &'a EvaluateJob,
    pub(super) seen: &'a Seen,
    pub(super) prepared: &'a Prepared,
    pub(super) forward: &'a Job,
    pub(super) fills: &'a Fills,
    pub(super) caller: &'a Caller,
    /// Logits of the picture.
    pub(super) logits: &'a [f32],
    /// The scalar on which removal is read.
    pub(super) target: &'a Target,
    pub(super) announced: u64,
    pub(super) common: Common,
}

/// What the explanations of one request share, and what was saved by it.
#[derive(Default)]
pub(super) struct Common {
    shared: Shared,
    known: RefCell<Vec<Known>>,
    warnings: RefCell<Vec<String>>,
    tally: Tally,
}

/// A fill of the picture that has been made or found.
struct Known {
    source: Source,
    segments: Arc<LabelMap>,
    filled: Filled,
}

/// What stands where the picture is hidden.
#[derive(Clone)]
struct Filled {
    tensor: Arc<Tensor>,
    searched: Option<Searched>,
}

/// What was saved, and what was paid elsewhere.
#[derive(Default)]
struct Tally {
    flipped: Cell<u64>,
    duplicate: Cell<u64>,
    cut_off: Cell<bool>,
    searches: RefCell<Vec<(Searched, u64)>>,
}

/// An explanation that was made.
struct Made {
    map: Map,
    reading: Reading,
    total: Total,
    fill_logits: Vec<f32>,
    /// Passes that were asked for.
    asked: u64,
}

/// An explanation, made or taken.
struct Explained {
    map: Map,
    reading: Reading,
    total: Option<Total>,
    searched: Option<Searched>,
    /// Passes that it would have cost alone.
    used: u64,
}

impl<'a> Work<'a> {
    /// Every explanation with its figures, the controls last.
    pub(super) fn all(&self) -> Result<Vec<Scored>, RequestError> {
        let mut scored = Vec::new();
        for (at, candidate) in self.job.plan.candidates.iter().enumerate() {
            let ready = &self.prepared.candidates[at];
            let (explained, making) = match (&candidate.kind, &ready.source, &ready.map) {
                (Kind::Made(making), Some(source), _) => {
                    let explained = self.explain(&candidate.name, making, source, &ready.segments);
                    (explained, Some((&**making, source)))
                }
                (Kind::Supplied(_), _, Some((map, reading))) => (Ok(taken(map.clone(), *reading)), None),
                (Kind::Made(_), None, _) | (Kind::Supplied(_), _, None) => {
                    return Err(RequestError::Panicked);
                }
            };
            let again = |picture: &Arc<Tensor>| match making {
                Some((making, source)) => self.again(making, source, picture),
                None => Err(ForwardError::Malformed("a supplied map is not made again".into())),
            };
            let again: Option<&Again<'_>> = if making.is_some() { Some(&again) } else { None };
            scored.push(self.score(at, &candidate.name, explained, &ready.segments, again)?);
        }
        for (i, (name, map)) in self.prepared.controls.iter().enumerate() {
            let at = self.prepared.candidates.len() + i;
            // A control says the same of every picture.
            let again = |_: &Arc<Tensor>| Ok(map.clone());
            let explained = Ok(taken(map.clone(), Reading::Evidence));
            let segments = &self.prepared.segments;
            scored.push(self.score(at, name, explained, segments, Some(&again))?);
        }
        Ok(scored)
    }

    /// The meter with what was paid for searches, and what was saved.
    pub(super) fn billed(&self) -> (Meter, Vec<Saving>) {
        let (mut meter, mut savings) = (self.forward.meter(), Vec::new());
        for (searched, announced) in self.common.tally.searches.borrow().iter() {
            let (with, saved) = searched.bill(meter, *announced);
            meter = with;
            savings.extend(saved);
        }
        for (why, passes) in [
            (Why::Flipped, self.common.tally.flipped.get()),
            (Why::Duplicate, self.common.tally.duplicate.get()),
        ] {
            if passes > 0 {
                savings.push(Saving { why, passes });
            }
        }
        savings.push(Saving { why: Why::Duplicate, passes: self.forward.meter().duplicate });
        savings.retain(|saving| saving.passes > 0);
        (meter, by_reason(savings))
    }

    /// Whether a deadline has left figures out.
    pub(super) fn was_cut_off(&self) -> bool {
        self.common.tally.cut_off.get()
    }

    /// The figures of an explanation, or of none where a deadline came before it.
    fn score(
        &self,
        at: usize,
        name: &str,
        explained: Result<Explained, RequestError>,
        segments: &Arc<LabelMap>,
        again: Option<&Again<'_>>,
    ) -> Result<Scored, RequestError> {
        let _span = tracing::info_span!("score").entered();
        let control = at >= self.prepared.candidates.len();
        let (name, announced) = (name.to_owned(), self.job.plan.own(at));
        let plan = &self.job.plan;
        let none = |missing: String| Scored {
            name: name.clone(),
            control,
            announced,
            outcomes: plan.measures.iter().map(|m| self.outcome(at, m, 0, Err(missing.clone()))).collect(),
            adversarial: None,
            used: 0,
            missing: Some(missing),
        };
        let explained = match explained {
            Ok(explained) => explained,
            Err(error) => return Ok(none(self.cut_off(error)?)),
        };
        let mut outcomes = Vec::new();
        for (i, measure) in plan.measures.iter().enumerate() {
            let before = self.passes();
            let measured = self.measure(i, measure, &explained, segments, again);
            let run = self.passes() - before;
            let measured = match measured {
                Ok(measured) => {
                    self.common.tally.flipped.set(self.common.tally.flipped.get() + measured.flipped);
                    self.common.tally.duplicate.set(self.common.tally.duplicate.get() + measured.shared);
                    Ok(measured)
                }
                Err(error) => Err(self.cut_off(error)?),
            };
            outcomes.push(self.outcome(at, measure, run, measured));
        }
        let used = explained.used;
        let adversarial = explained.searched.map(|searched| Adversarial {
            change: searched.found.sample.change(&self.seen.tensor, self.job.subject.served.spec()),
            found: searched.found,
        });
        Ok(Scored { name, control, announced, used, outcomes, adversarial, missing: None })
    }

    fn outcome(&self, at: usize, measure: &Measure, run: u64, measured: Result<Measured, String>) -> Outcome {
        let metric = measure.metric.about().entry.name;
        let announced =
            measure.metric.announced(&self.job.plan.size(&self.job.subject.served.spec().input, at));
        Outcome { metric, announced, run, measured: Some(measured) }
    }

    /// A deadline leaves the rest out; everything else ends the request.
    fn cut_off(&self, error: RequestError) -> Result<String, RequestError> {
        let ended = error.cut_off().ok_or(error)?;
        self.common.tally.cut_off.set(true);
        Ok(format!("the {ended} came first"))
    }

    /// Passes run so far, those of searches that were paid for here among them.
    fn passes(&self) -> u64 {
        self.billed().0.run
    }

    fn measure(
        &self,
        i: usize,
        measure: &Measure,
        explained: &Explained,
        segments: &Arc<LabelMap>,
        again: Option<&Again<'_>>,
    ) -> Result<Measured, RequestError> {
        let fill = match &self.prepared.sources[i] {
            Some(source) => self.filled(source, &self.prepared.segments)?.tensor,
            None => Arc::clone(&self.seen.tensor),
        };
        let case = Case {
            map: &explained.map,
            reading: explained.reading,
            image: &self.seen.tensor,
            logits: self.logits,
            target: self.target,
            total: explained.total,
            fill: &fill,
            segments,
            mask: self.prepared.mask.as_deref(),
            truth: self.job.truth,
            seed: self.job.plan.seed,
            forward: self.forward,
            again,
            shared: &self.common.shared,
        };
        let _span = tracing::info_span!("metric", name = measure.metric.about().entry.name).entered();
        Ok(measure.metric.measure(&case)?)
    }

    fn explain(
        &self,
        name: &str,
        making: &Making,
        source: &Source,
        segments: &Arc<LabelMap>,
    ) -> Result<Explained, RequestError> {
        let filled = self.filled(source, segments)?;
        let made = self.map(making, &self.seen.tensor, self.logits, &filled.tensor, segments)?;
        let spec = self.job.subject.served.spec();
        let warning = match (source, &filled.searched) {
            (Source::Search(search), Some(searched)) if !searched.found.sample.flipped => {
                Some(warnings::search(spec, search, &searched.found.sample))
            }
            _ => {
                let decision = making.question.about(highest(self.logits), spec);
                warnings::fill(spec, &decision, &made.fill_logits)
            }
        };
        let named = warning.map(|warning| format!("{name}: {warning}"));
        self.common.warnings.borrow_mut().extend(named);
        let Made { map, reading, total, asked, .. } = made;
        // The picture itself is scored once for all.
        let used = 1 + asked + filled.searched.as_ref().map_or(0, |s| s.found.sample.passes);
        Ok(Explained { map, reading, total: Some(total), searched: filled.searched, used })
    }

    /// About explanations over fills that say something themselves.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.common.warnings.take()
    }

    /// Explains another picture in the same way. The decision stays the one of the request's picture.
    fn again(&self, making: &Making, source: &Source, picture: &Arc<Tensor>) -> Result<Map, ForwardError> {
        let spec = self.job.subject.served.spec();
        let cut = &making.cut.segmentation;
        let segments = cut.segment(picture, &spec.input, self.job.plan.seed);
        let made = || -> Result<Map, RequestError> {
            let fill = self.make(source, picture, &segments)?.tensor;
            let logits = whole(self.forward, &[picture])?.row(0).to_vec();
            Ok(self.map(making, picture, &logits, &fill, &segments)?.map)
        };
        made().map_err(|error| {
            if let RequestError::Forward(error) = error {
                return error;
            }
            ForwardError::Backend { model: spec.id(), reason: error.to_string() }
        })
    }

    fn map(
        &self,
        making: &Making,
        picture: &Arc<Tensor>,
        logits: &[f32],
        fill: &Arc<Tensor>,
        segments: &Arc<LabelMap>,
    ) -> Result<Made, RequestError> {
        let spec = self.job.subject.served.spec();
        let target = &making.question.about(highest(self.logits), spec).target;
        let before = self.forward.meter().asked;
        let fill_logits = whole(self.forward, &[fill])?.row(0).to_vec();
        let (image_score, fill_score) = (target.value(logits), target.value(&fill_logits));
        let context = Context {
            image: picture,
            fill,
            target,
            segments,
            seed: self.job.plan.seed,
            image_score,
            fill_score,
            forward: self.forward,
            watch: &(),
        };
        let Explanation { map, reading, ended, .. } =
            run(&making.method, &context, self.forward, &self.caller.trace)?;
        match ended {
            unmask_core::Ended::All | unmask_core::Ended::Stopped => {}
            // A map that was cut short is not the explanation that is to be judged.
            unmask_core::Ended::Deadline | unmask_core::Ended::Budget => {
                return Err(ForwardError::Unanswered(ended).into());
            }
        }
        let sum = sum(&making.method, &map, segments);
        let total = Total { expected: image_score - fill_score, sum };
        let asked = self.forward.meter().asked - before;
        Ok(Made { map, reading, total, fill_logits, asked })
    }

    /// A fill of the picture, each once.
    fn filled(&self, source: &Source, segments: &Arc<LabelMap>) -> Result<Filled, RequestError> {
        let same = |known: &&Known| {
            let regions = match source {
                Source::Made(made) if made.needs_segments() => Arc::ptr_eq(&known.segments, segments),
                Source::Made(_) | Source::Search(_) => true,
            };
            regions && known.source == *source
        };
        if let Some(known) = self.common.known.borrow().iter().find(same) {
            return Ok(known.filled.clone());
        }
        let filled = self.make(source, &self.seen.tensor, segments)?;
        let (source, segments) = (source.clone(), Arc::clone(segments));
        self.common.known.borrow_mut().push(Known { source, segments, filled: filled.clone() });
        Ok(filled)
    }

    fn make(
        &self,
        source: &Source,
        picture: &Arc<Tensor>,
        segments: &Arc<LabelMap>,
    ) -> Result<Filled, RequestError> {
        let (served, seed) = (&self.job.subject.served, self.job.plan.seed);
        match source {
            Source::Made(made) => {
                let tensor = made.resolve(picture, segments, &served.spec().input, seed);
                Ok(Filled { tensor, searched: None })
            }
            Source::Search(search) => {
                let told = (self.passes(), self.announced);
                let searched = find(served, search, picture, seed, told, self.fills, self.caller)?;
                self.forward.charge(searched.found.sample.passes);
                self.common.tally.searches.borrow_mut().push((searched.clone(), search.announced()));
                let tensor = Arc::clone(&searched.found.sample.tensor);
                Ok(Filled { tensor, searched: Some(searched) })
            }
        }
    }
}

fn taken(map: Map, reading: Reading) -> Explained {
    Explained { map, reading, total: None, searched: None, used: 0 }
}

/// The sum of the attributions: a value that stands for a segment counts once.
fn sum(method: &Method, map: &Map, segments: &LabelMap) -> f64 {
    if !method.needs_segments() {
        return map.data.iter().map(|v| f64::from(*v)).sum();
    }
    let mut values = vec![0.0; segments.count()];
    segments.labels().iter().zip(&map.data).for_each(|(label, v)| values[*label as usize] = f64::from(*v));
    values.iter().sum()
}
