//! Why the model says so: segmentation, references, method, regions, pictures.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use unmask_core::{Ended, LabelMap, Map, ModelSpec, Reading, Scale, Tensor, Violation, highest};
use unmask_explainer::image::{Frame, Limits};
use unmask_explainer::methods::watch::{self, Converged, Watch};
use unmask_explainer::methods::{Context, Errors, Explanation, Figures, Method};
use unmask_explainer::render::{self, Scene};
use unmask_explainer::segment::{MOST_SEGMENTS, Ranked, Segmentation, rank};
use unmask_explainer::tell::Sentence;
use unmask_pool::{Job, Meter};

use super::after::{After, Areas, Beside, Changed, Check, Steady};
use super::face::{self, Met};
use super::fill::{References, Searched, refer};
use super::tell::tell;
use super::{Bill, Caller, Live, Partial, Saving, Seen, Why, bill, read, shown, warnings};
use crate::decode::{Cut, ExplainJob, FillChoice, Named, Outputs};
use crate::error::RequestError;
use crate::fills::{Fills, Found};
use crate::telemetry::Trace;

/// An explained decision.
pub(crate) struct Explained {
    pub(crate) spec: Arc<ModelSpec>,
    pub(crate) logits: Vec<f32>,
    pub(crate) fill_logits: Vec<f32>,
    pub(crate) decision: Named,
    pub(crate) image_score: f64,
    pub(crate) fill_score: f64,
    pub(crate) map: Map,
    pub(crate) reading: Reading,
    pub(crate) figures: Figures,
    pub(crate) errors: Option<Errors>,
    /// The largest error of a region, as a share.
    pub(crate) error: Option<f64>,
    pub(crate) ended: Ended,
    pub(crate) frame: Frame,
    pub(crate) segments: Arc<LabelMap>,
    pub(crate) regions: Vec<Ranked>,
    pub(crate) adversarial: Option<Adversarial>,
    pub(crate) pictures: Pictures,
    /// The face that was looked for and found.
    pub(crate) met: Option<Met>,
    /// The parts of the face, where they are known, and those with the most evidence.
    pub(crate) parts: Option<(Arc<LabelMap>, Vec<Ranked>)>,
    pub(crate) checks: Vec<Check>,
    pub(crate) changed: Option<Changed>,
    pub(crate) steady: Option<Steady>,
    /// Whether the deadline left something out, of the method or of what is asked after it.
    pub(crate) late: bool,
    pub(crate) bill: Bill,
    pub(crate) warnings: Vec<String>,
    pub(crate) sentences: Vec<Sentence>,
}

/// What the search for an adversarial fill came to.
pub(crate) struct Adversarial {
    pub(crate) found: Arc<Found>,
    /// Largest and mean absolute change, in pixel values of 255.
    pub(crate) change: (f64, f64),
}

/// What was made because it was asked for.
#[derive(Default)]
pub(crate) struct Pictures {
    pub(crate) heat_map: Vec<u8>,
    pub(crate) overlay: Vec<u8>,
    pub(crate) picture_map: Option<Map>,
    pub(crate) fill: Vec<u8>,
}

/// Explains a decision.
pub(crate) fn explain(
    job: &mut ExplainJob,
    limits: &Limits,
    fills: &Fills,
    caller: &Caller,
) -> Result<Explained, RequestError> {
    Begun::new(job, limits, caller)?.explain(None, fills)
}

/// A picture that has been decoded and has its place at the model, with all that costs none of its passes: whatever is wrong in it has
/// been said.
pub(super) struct Begun<'a> {
    pub(super) job: &'a ExplainJob,
    limits: &'a Limits,
    caller: &'a Caller,
    started: Instant,
    pub(super) seen: Seen,
    segments: Arc<LabelMap>,
    /// The parts of the face, where they are known.
    parts: Option<Arc<LabelMap>>,
    met: Option<Met>,
    /// What looking for the face has cost.
    pub(super) looked: Meter,
    made: Option<Arc<Tensor>>,
    /// How long it has taken.
    pub(super) decode: Duration,
    pub(super) forward: Job,
}

impl<'a> Begun<'a> {
    pub(super) fn new(
        job: &'a mut ExplainJob,
        limits: &'a Limits,
        caller: &'a Caller,
    ) -> Result<Self, RequestError> {
        let started = Instant::now();
        let picture = caller.trace.step("decode", || read(&job.subject.image, limits, "image"))?;
        let (met, looked) = face::settle(job, &picture, limits.min_side, caller)?;
        let seen = shown(&job.subject, picture);
        let parts = face::parts_seen(job, &seen.frame)?;
        if let Segmentation::Parts(known) = &mut job.cut.segmentation {
            let message =
                "no face was found in what the model sees; send face.landmarks, or another segmentation";
            let unknown = || RequestError::Missed(Violation::new("segmentation.parts", message));
            *known = Some(Arc::clone(parts.as_ref().ok_or_else(unknown)?));
        }
        face::settle_change(job, parts.is_some())?;
        let job = &*job;
        let spec = job.subject.served.spec();
        let segments = cut(&job.cut, spec, &seen.tensor, job.seed, "segmentation", &caller.trace)?;
        let made = super::fill::made(job, job.seed, &seen, &segments, limits, &caller.trace)?;
        let decode = started.elapsed();
        let forward = job.subject.served.job(caller.limits(job.announced(), job.budget.max_passes))?;
        Ok(Self { job, limits, caller, started, seen, segments, parts, met, looked, made, decode, forward })
    }

    /// Explains it; `scored` are the picture's logits where its pass has been run.
    pub(super) fn explain(self, scored: Option<Vec<f32>>, fills: &Fills) -> Result<Explained, RequestError> {
        let Self { job, limits, caller, started, seen, segments, parts, met, looked, made, decode, forward } =
            self;
        let subject = &job.subject;
        let spec = Arc::clone(subject.served.spec());
        let announced = job.announced();
        let unanswered = caller.unanswered(announced, &forward);
        let references = refer(job, job.seed, &seen.tensor, (made, scored), &forward, fills, caller)?;
        let References { fill, logits, fill_logits, searched } = &references;
        let decision = job.question.about(highest(logits), &spec);
        let (image_score, fill_score) = (decision.target.value(logits), decision.target.value(fill_logits));

        let looking = Looking {
            converged: job.budget.target_error.map(|target| Converged::new(target, &segments)),
            live: caller.live.as_deref(),
            job,
            before: forward.meter().used,
            segments: &segments,
            frame: &seen.frame,
        };
        let context = Context {
            image: &seen.tensor,
            fill,
            target: &decision.target,
            segments: &segments,
            seed: job.seed,
            image_score,
            fill_score,
            forward: &forward,
            watch: &looking,
        };
        let explanation = run(&job.method, &context, &forward, &caller.trace)?;
        let own = forward.meter();
        let error = watch::error(&explanation, &segments);
        let Explanation { map, reading, figures, errors, ended } = explanation;

        forward.lift();
        let named = match &parts {
            Some(parts) => Areas::parts(&map, reading, parts),
            None => Areas::regions(&map, reading, &segments, job.top_regions),
        };
        let after = After {
            job,
            context: &context,
            forward: &forward,
            decision: &decision,
            logits,
            reading,
            limits,
            took: started.elapsed(),
        };
        // Whose time is up gets what there is.
        let found = match ended {
            _ if job.beside() == 0 => Beside::default(),
            Ended::Deadline => after.late(&named),
            Ended::All | Ended::Stopped | Ended::Budget => {
                caller.trace.step("after", || after.all(&map, &named, &seen, fills, caller))?
            }
        };
        caller.rounds_ended(if found.late { Ended::Deadline } else { ended }, forward.folded_at());

        let rendering = Instant::now();
        let mut regions = rank(&map, reading, &segments);
        regions.truncate(job.top_regions);
        let legend = legend(&decision, reading);
        let scene = Scene { map: &map, reading, frame: &seen.frame, legend: &legend };
        let pictures = caller
            .trace
            .step("render", || Ok::<_, RequestError>(draw(job.outputs, &scene, &seen, fill, &spec)))?;
        let bill = self::bill(job, (own, ended), &forward.meter(), looked, (searched.as_ref(), &found));
        unanswered.answered(&bill.savings);
        caller.telemetry.metrics().explained(job.method.name(), ended, 1);
        let bill = Bill { decode, render: rendering.elapsed(), total: started.elapsed(), ..bill };
        let mut warnings = warnings::picture(&spec, subject);
        warnings.extend(warnings::face(job, met.as_ref()));
        warnings.extend(match (&job.fill, searched) {
            (FillChoice::Search(search), Some(Searched { found, .. })) if !found.sample.flipped => {
                Some(warnings::search(&spec, search, &found.sample))
            }
            _ => warnings::fill(&spec, &decision, fill_logits),
        });
        warnings.extend(warnings::map(&map, reading, ended, &bill));
        if found.late && ended != Ended::Deadline {
            warnings.push(warnings::AFTER.to_owned());
        }
        let adversarial = references.searched.as_ref().map(|search| Adversarial {
            found: Arc::clone(&search.found),
            change: search.found.sample.change(&seen.tensor, &spec),
        });
        let Areas { ranked, found: standing, is_unlisted, .. } = named;
        let parts = parts.map(|labels| (labels, ranked));
        let Beside { checks, changed, steady, late, .. } = found;
        let References { logits, fill_logits, .. } = references;
        let mut explained = Explained {
            logits,
            fill_logits,
            decision,
            image_score,
            fill_score,
            map,
            reading,
            figures,
            errors,
            error,
            ended,
            frame: seen.frame,
            segments,
            regions,
            adversarial,
            pictures,
            met,
            parts,
            checks,
            changed,
            steady,
            late,
            bill,
            warnings,
            sentences: Vec::new(),
            spec,
        };
        if job.outputs.sentences {
            explained.sentences = tell(job, &explained, (&standing, is_unlisted));
        }
        Ok(explained)
    }
}

/// The passes of everything: `own` are those of the method and its references, `whole` those of the job in the end.
fn bill(
    job: &ExplainJob,
    (own, ended): (Meter, Ended),
    whole: &Meter,
    looked: Meter,
    (searched, found): (Option<&Searched>, &Beside),
) -> Bill {
    let announced = job.announced();
    let again = if job.outputs.steadiness { job.fill.announced() } else { 0 };
    let of_beside = job.beside() - again;
    let of_method = announced - job.fill.announced() - job.beside() - job.face.announced();
    // Read once: rounds of the method that were taken back may still have been running when it ended.
    let unused = (of_method + of_beside).saturating_sub(whole.run + whole.duplicate);
    let beside = match ended {
        // All that the method asked was run.
        Ended::All => unused - of_method.saturating_sub(own.asked).min(unused),
        Ended::Stopped | Ended::Budget | Ended::Deadline => {
            of_beside.saturating_sub(whole.asked - own.asked).min(unused)
        }
    };
    let late = if found.late { Ended::Deadline } else { Ended::All };
    let unused = [
        Saving { why: Why::Duplicate, passes: whole.duplicate },
        Saving { why: Why::of(ended), passes: unused - beside },
        Saving { why: Why::of(late), passes: beside },
        // A face that is not large is looked at once.
        Saving { why: Why::Converged, passes: job.face.announced().saturating_sub(looked.run) },
    ];
    let unused = unused.into_iter().filter(|saving| saving.passes > 0);
    // What has been asked after the method is no part of what a budget of the same request would be.
    let mut meter = Meter { used: own.used, ..*whole };
    let mut savings: Vec<Saving> = Vec::new();
    for (searched, announced) in [(searched, job.fill.announced()), (found.searched.as_ref(), again)] {
        match searched {
            Some(searched) => {
                let (together, saved) = searched.bill(meter, announced);
                meter = together;
                savings.extend(saved);
            }
            // A search that was announced and never begun.
            None if announced > 0 => savings.push(Saving { why: Why::Deadline, passes: announced }),
            None => {}
        }
    }
    meter = Meter {
        asked: meter.asked + looked.asked,
        run: meter.run + looked.run,
        queue: meter.queue + looked.queue,
        forward: meter.forward + looked.forward,
        ..meter
    };
    let savings = bill::by_reason(savings.into_iter().chain(unused));
    let none = Duration::ZERO;
    Bill { announced, meter, savings, decode: none, render: none, total: none }
}

/// Whoever looks on: a target of the error, and a caller who wants to see how it goes.
struct Looking<'a> {
    converged: Option<Converged<'a>>,
    live: Option<&'a Live>,
    job: &'a ExplainJob,
    /// Passes before the method's first.
    before: u64,
    segments: &'a Arc<LabelMap>,
    frame: &'a Frame,
}

impl Looking<'_> {
    fn partial(&self, folded: u64, so_far: &Explanation, error: Option<f64>) -> Partial {
        let mut regions = rank(&so_far.map, so_far.reading, self.segments);
        regions.truncate(self.job.top_regions);
        Partial {
            used: self.before + folded,
            map: so_far.map.clone(),
            reading: so_far.reading,
            figures: so_far.figures,
            errors: so_far.errors.clone(),
            error,
            regions,
            segments: Arc::clone(self.segments),
            frame: *self.frame,
        }
    }

    fn converges(&self, folded: u64) -> Option<&Converged<'_>> {
        self.converged.as_ref().filter(|converged| converged.wants(folded))
    }
}

impl Watch for Looking<'_> {
    fn wants(&self, folded: u64) -> bool {
        // What is made for one is shown to both.
        let is_due = self.live.is_some_and(Live::is_due);
        is_due || self.converges(folded).is_some()
    }

    fn look(&self, folded: u64, so_far: &Explanation) -> ControlFlow<()> {
        if let Some(live) = self.live {
            let error = watch::error(so_far, self.segments);
            // The error falls with the root of the passes.
            let needed = |(error, target): (f64, f64)| folded as f64 * (error / target).max(1.0).powi(2);
            if let Some(needed) = error.zip(self.job.budget.target_error).map(needed) {
                let method = (needed as u64).min(self.job.method.announced());
                live.expects(self.before + method + self.job.beside());
            }
            if live.wants() {
                live.show(self.partial(folded, so_far, error));
            }
        }
        self.converges(folded).map_or(ControlFlow::Continue(()), |converged| converged.look(folded, so_far))
    }
}

/// The regions of a picture. What cuts it into more than can be worked with is refused before anything is paid for.
pub(super) fn cut(
    cut: &Cut,
    spec: &ModelSpec,
    image: &Tensor,
    seed: u64,
    path: &str,
    trace: &Trace,
) -> Result<Arc<LabelMap>, RequestError> {
    trace.step("segment", || divide(cut, spec, image, seed, path))
}

fn divide(
    cut: &Cut,
    spec: &ModelSpec,
    image: &Tensor,
    seed: u64,
    path: &str,
) -> Result<Arc<LabelMap>, RequestError> {
    let segmentation = &cut.segmentation;
    let segments = segmentation.segment(image, &spec.input, seed);
    // A grid is bounded by its sides, and where segments are worked with, by what was checked of the request.
    if segments.count() <= MOST_SEGMENTS || matches!(segmentation, Segmentation::Grid(..)) {
        return Ok(segments);
    }
    let message = format!(
        "cuts this picture into {} regions, at most {MOST_SEGMENTS} are allowed; ask for fewer or larger ones",
        segments.count()
    );
    Err(RequestError::Invalid(vec![Violation::new(path, message)]))
}

/// The rounds of a method, up to the last that is folded, and what it then makes of all of them.
pub(super) fn run(
    method: &Method,
    context: &Context<'_>,
    forward: &Job,
    trace: &Trace,
) -> Result<Explanation, RequestError> {
    let _line = tracing::info_span!("method").entered();
    let started = Instant::now();
    let explained = method.explain(context);
    let ended = Instant::now();
    // A method that asks nothing folds nothing.
    let folded = forward.folded_at().filter(|at| *at >= started).unwrap_or(ended);
    trace.past("rounds", started, folded, explained.is_ok());
    trace.past("fold", folded, ended, explained.is_ok());
    Ok(explained?)
}

fn legend(decision: &Named, reading: Reading) -> String {
    let unit = match decision.target.scale() {
        Scale::LogOdds => "log-odds",
        Scale::Probability => "probability",
        Scale::DoubleSoftmax => "probability after two softmaxes",
    };
    match reading {
        Reading::Evidence => format!("evidence for {} ({unit})", decision.label),
        Reading::Importance => format!("importance for {} (of the {unit})", decision.label),
    }
}

fn draw(outputs: Outputs, scene: &Scene<'_>, seen: &Seen, fill: &Tensor, spec: &ModelSpec) -> Pictures {
    let wanted = |wanted: bool, make: &dyn Fn() -> Vec<u8>| if wanted { make() } else { Vec::new() };
    Pictures {
        heat_map: wanted(outputs.heat_map, &|| render::heat_map(scene)),
        overlay: wanted(outputs.overlay, &|| render::overlay(scene, &seen.picture)),
        picture_map: outputs.picture_map.then(|| render::picture_map(scene.map, &seen.frame)),
        fill: wanted(outputs.fill, &|| render::plain(fill, &spec.input)),
    }
}
