//! What to compare and by what. A plan is decoded with every picture anew: what it allows depends on the picture's size.

use std::collections::BTreeSet;
use std::sync::Arc;

use unmask_core::{ModelSpec, Preset, Reading, Scale, Violation};
use unmask_explainer::image;
use unmask_explainer::methods::Method;
use unmask_explainer::metrics::Need;
use unmask_pool::Served;
use unmask_protocol::v1::{self, candidate, segmentation as segmentation_kind};

use super::fill::FillChoice;
use super::metric::{Measure, measure};
use super::segmentation::{self, Cut};
use super::subject::Subject;
use super::target::Question;
use super::{Seeing, Sight, fill, finish, method, nested, shown, subject, target, usual_scale, word};
use crate::error::RequestError;

/// Explanations and metrics of one plan.
const MOST: usize = 32;
/// Names that are the controls' own.
pub(crate) const CONTROLS: [&str; 3] = ["centred Gaussian", "uniform", "random"];

/// Explanations to score, and by what.
pub(crate) struct EvaluateJob {
    pub(crate) subject: Subject,
    pub(crate) plan: Plan,
    pub(crate) mask: Option<Vec<u8>>,
    pub(crate) truth: Option<usize>,
    pub(crate) dry_run: bool,
}

/// What is done with a picture.
pub(crate) struct Plan {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) measures: Vec<Measure>,
    /// The decision, on the scale on which removal is read.
    pub(crate) question: Question,
    /// The target as it was asked for.
    pub(crate) target: Option<v1::Target>,
    /// The regions of controls, supplied maps and metrics' fills.
    pub(crate) cut: Cut,
    pub(crate) seed: u64,
    pub(crate) controls: bool,
}

/// An explanation to score.
pub(crate) struct Candidate {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// Where an explanation comes from.
pub(crate) enum Kind {
    /// It is made.
    Made(Box<Making>),
    /// It is the caller's.
    Supplied(Supplied),
}

/// How an explanation is made.
pub(crate) struct Making {
    pub(crate) method: Method,
    pub(crate) preset: Preset,
    pub(crate) fill: FillChoice,
    pub(crate) cut: Cut,
    pub(crate) question: Question,
}

/// A caller's map.
pub(crate) struct Supplied {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) values: Vec<f32>,
    pub(crate) sha256: String,
    pub(crate) reading: Reading,
}

impl Making {
    /// Upper bound of the passes of explaining a picture: fill and its score, and the method.
    pub(crate) fn announced(&self) -> u64 {
        1 + self.fill.announced() + self.method.announced()
    }
}

/// A request to evaluate explanations; `violations` are those that are known already.
pub(crate) fn evaluate(
    request: v1::EvaluateRequest,
    sight: &Sight<'_>,
    violations: Vec<Violation>,
) -> Result<EvaluateJob, RequestError> {
    let named = request.plan.as_ref().and_then(|plan| plan.model.as_ref());
    let model = sight.model(named).map_err(|error| error.below("plan"));
    evaluate_with(request, model, sight.limits, violations, false)
}

/// A picture of a dataset, for the model that the dataset began with. Where it has no mask, the figures that need one say so, as not every picture has one.
pub(crate) fn evaluate_item(
    request: v1::EvaluateRequest,
    served: &Arc<Served>,
    limits: &image::Limits,
) -> Result<EvaluateJob, RequestError> {
    evaluate_with(request, Ok(Arc::clone(served)), limits, Vec::new(), true)
}

fn evaluate_with(
    request: v1::EvaluateRequest,
    model: Result<Arc<Served>, RequestError>,
    limits: &image::Limits,
    mut violations: Vec<Violation>,
    maskless: bool,
) -> Result<EvaluateJob, RequestError> {
    let wrong = &mut violations;
    let message = request.plan.unwrap_or_default();
    let spec = model.as_ref().ok().map(|served| &**served.spec());
    let picture = subject::subject(request.image, request.crop, limits, wrong);
    let header = picture.as_ref().map(|picture| &picture.header);
    let seeing = Seeing { spec, header, picture: picture.as_ref(), limits };
    let given = maskless || request.mask.is_some();
    let mask = request.mask.and_then(|mask| self::mask(mask.image, &seeing, wrong));
    let plan = plan(message, &seeing, given, wrong);
    let truth = truth(&request.label, spec, wrong);
    let dry_run = request.dry_run;
    finish(model, violations, |served| {
        Some(EvaluateJob { subject: picture?.of(served), plan: plan?, mask, truth, dry_run })
    })
}

/// A plan alone, as a dataset brings it before its pictures.
pub(super) fn alone(
    message: v1::EvaluationPlan,
    sight: &Sight<'_>,
    mut violations: Vec<Violation>,
) -> Result<(Arc<Served>, Plan), RequestError> {
    let model = sight.model(message.model.as_ref()).map_err(|error| error.below("plan"));
    let spec = model.as_ref().ok().map(|served| &**served.spec());
    let seeing = Seeing { spec, header: None, picture: None, limits: sight.limits };
    let is_labels = |cut: &Option<v1::Segmentation>| {
        matches!(cut.as_ref().and_then(|cut| cut.kind.as_ref()), Some(segmentation_kind::Kind::Labels(_)))
    };
    let mut of_one = |path: String, what: &str| {
        violations.push(Violation::new(path, format!("a {what}")));
    };
    let labels = "label map belongs to one picture; in a dataset segmentations are made";
    if is_labels(&message.segmentation) {
        of_one("plan.segmentation.labels".into(), labels);
    }
    for (i, candidate) in message.candidates.iter().enumerate().take(MOST) {
        let path = format!("plan.candidates[{i}]");
        if let Some(candidate::Kind::Map(_)) = &candidate.kind {
            of_one(format!("{path}.map"), "map belongs to one picture; in a dataset candidates are methods");
        }
        if is_labels(&candidate.segmentation) {
            of_one(format!("{path}.segmentation.labels"), labels);
        }
    }
    // Whether there is a mask is each picture's own matter.
    let plan = plan(message, &seeing, true, &mut violations);
    finish(model, violations, |served| Some((served, plan?)))
}

fn plan(
    message: v1::EvaluationPlan,
    seeing: &Seeing<'_>,
    masked: bool,
    wrong: &mut Vec<Violation>,
) -> Option<Plan> {
    let scale = target::scale(message.scale, Scale::Probability, "plan.scale", wrong);
    let on_scale = |target: &v1::Target| v1::Target { scale: 0, ..target.clone() };
    let mut question = Question::Predicted(scale);
    nested("plan", wrong, |wrong| {
        question = target::target(message.target.as_ref().map(on_scale), scale, seeing.spec, wrong);
    });
    let cut = match message.segmentation.clone() {
        None => Some(segmentation::slic()),
        Some(given) => cut(given, "plan", true, seeing, wrong),
    };
    count("plan.candidates", message.candidates.len(), wrong)?;
    count("plan.metrics", message.metrics.len(), wrong)?;
    let names = names(&message.candidates, wrong);
    let mut candidates = Vec::new();
    for (i, (given, name)) in message.candidates.iter().zip(names).enumerate() {
        let path = format!("plan.candidates[{i}]");
        let kind = candidate_kind(given.clone(), &path, &message, seeing, wrong);
        candidates.extend(kind.map(|kind| Candidate { name, kind }));
    }
    let measures = measures(&message, &candidates, masked, seeing, wrong);
    let (seed, controls, target) = (message.seed, !message.no_controls, message.target);
    Some(Plan { candidates, measures, question, target, cut: cut?, seed, controls })
}

/// Whether a plan has no more parts than are allowed.
pub(super) fn fits(message: &v1::EvaluationPlan) -> bool {
    message.candidates.len() <= MOST && message.metrics.len() <= MOST
}

fn count(path: &str, got: usize, wrong: &mut Vec<Violation>) -> Option<()> {
    if (1..=MOST).contains(&got) {
        return Some(());
    }
    wrong.push(Violation::new(path, format!("got {got}, allowed are 1 to {MOST}")));
    None
}

/// The candidates' names, those that are not given made of method and fill.
fn names(candidates: &[v1::Candidate], wrong: &mut Vec<Violation>) -> Vec<String> {
    let mut seen: BTreeSet<String> = CONTROLS.iter().map(|name| (*name).to_owned()).collect();
    let mut names = Vec::new();
    for (i, candidate) in candidates.iter().enumerate() {
        let given = !candidate.name.is_empty();
        let name = if given { candidate.name.clone() } else { default_name(candidate) };
        let path = format!("plan.candidates[{i}].name");
        if let Err(message) = word(&name, 0) {
            wrong.push(Violation::new(path, message));
        } else if !seen.insert(name.clone()) {
            let message = if given {
                format!("\"{}\" is taken by another candidate or a control", shown(&name))
            } else {
                format!("is not given, and \"{name}\" is taken; give each a name of its own")
            };
            wrong.push(Violation::new(path, message));
        }
        names.push(name);
    }
    names
}

fn default_name(candidate: &v1::Candidate) -> String {
    let Some(candidate::Kind::Method(method)) = &candidate.kind else { return "supplied".to_owned() };
    let preset = method.preset.split('@').next().unwrap_or_default();
    let (name, preset) = match &method.kind {
        Some(kind) if preset.is_empty() => (method::name(kind), String::new()),
        Some(kind) => (method::name(kind), format!(" ({})", shown(preset))),
        None if preset.is_empty() => ("method", String::new()),
        None => ("", shown(preset)),
    };
    match candidate.fill.as_ref().and_then(|fill| fill.kind.as_ref()) {
        None => format!("{name}{preset}"),
        Some(kind) => format!("{name}{preset} over {}", fill::name(kind)),
    }
}

fn candidate_kind(
    message: v1::Candidate,
    path: &str,
    plan: &v1::EvaluationPlan,
    seeing: &Seeing<'_>,
    wrong: &mut Vec<Violation>,
) -> Option<Kind> {
    match message.kind {
        None => {
            wrong.push(Violation::new(format!("{path}.kind"), "is not set, set method or map"));
            None
        }
        Some(candidate::Kind::Map(map)) => {
            for (field, given) in
                [("fill", message.fill.is_some()), ("segmentation", message.segmentation.is_some())]
            {
                if given {
                    let message = "is that of a method, and a supplied map has none; leave it out";
                    wrong.push(Violation::new(format!("{path}.{field}"), message));
                }
            }
            supplied(map, &format!("{path}.map"), seeing, wrong).map(Kind::Supplied)
        }
        Some(candidate::Kind::Method(given)) => {
            let mut made = None;
            nested(path, wrong, |wrong| {
                let (method, preset) = method::method(Some(given), seeing.spec, wrong);
                let fill = match message.fill {
                    None => Some(fill::default(&method, preset)),
                    Some(fill) => fill::fill(fill, seeing.header, seeing.limits, wrong),
                };
                made = fill.map(|fill| (method, preset, fill));
            });
            // Metrics attack segments, so that no segmentation may have more of them than can be worked with.
            let given = match (message.segmentation, &plan.segmentation) {
                (Some(given), _) => Some(cut(given, path, true, seeing, wrong)?),
                // What is wrong with the plan's has been said.
                (None, Some(given)) => Some(cut(given.clone(), path, true, seeing, &mut Vec::new())?),
                (None, None) => None,
            };
            let (method, preset, fill) = made?;
            let cut = given.unwrap_or_else(|| segmentation::default(&method, preset, true));
            let usual = usual_scale(&method, preset);
            // What is wrong with the target has been said for the plan.
            let question = target::target(plan.target.clone(), usual, seeing.spec, &mut Vec::new());
            Some(Kind::Made(Box::new(Making { method, preset, fill, cut, question })))
        }
    }
}

fn cut(
    message: v1::Segmentation,
    path: &str,
    needed: bool,
    seeing: &Seeing<'_>,
    wrong: &mut Vec<Violation>,
) -> Option<Cut> {
    let mut found = None;
    nested(path, wrong, |wrong| {
        if matches!(message.kind, Some(segmentation_kind::Kind::Parts(_))) {
            let message = "evaluations look for no face; ask Explain for the labels of the parts, and send them as labels";
            wrong.push(Violation::new("segmentation.parts", message));
            return;
        }
        found = segmentation::segmentation(message, needed, seeing.picture, seeing.spec, wrong);
    });
    found
}

fn supplied(
    message: v1::SuppliedMap,
    path: &str,
    seeing: &Seeing<'_>,
    wrong: &mut Vec<Violation>,
) -> Option<Supplied> {
    let v1::Map { height, width, values: bytes, .. } = message.map.unwrap_or_default();
    let mut refuse =
        |field: &str, message: String| wrong.push(Violation::new(format!("{path}.{field}"), message));
    let reading = match v1::Reading::try_from(message.reading) {
        Ok(v1::Reading::Unspecified | v1::Reading::Evidence) => Reading::Evidence,
        Ok(v1::Reading::Importance) => Reading::Importance,
        Err(_) => {
            let allowed = "READING_EVIDENCE (1) and READING_IMPORTANCE (2)";
            refuse("reading", format!("got {}, allowed are {allowed}", message.reading));
            return None;
        }
    };
    let needed = 4 * u128::from(height) * u128::from(width);
    if bytes.len() as u128 != needed {
        let got = bytes.len();
        refuse("map.values", format!("got {got} bytes, 4 x {height} x {width} = {needed} are needed"));
        return None;
    }
    let (picture, spec) = (seeing.picture?, seeing.spec?);
    let displayed = (picture.header.height, picture.header.width);
    let frame = (spec.input.height as u32, spec.input.width as u32);
    if (height, width) != displayed && (height, width) != frame {
        let message = format!(
            "got {height} rows of {width}, allowed are those of the picture as displayed ({} of {}) and of the model's frame ({} of {})",
            displayed.0, displayed.1, frame.0, frame.1
        );
        refuse("map", message);
        return None;
    }
    let values: Vec<f32> =
        bytes.chunks_exact(4).map(|v| f32::from_le_bytes([v[0], v[1], v[2], v[3]])).collect();
    if let Some(at) = values.iter().position(|v| !v.is_finite()) {
        let message = format!(
            "got {} in row {}, column {}, all values must be finite",
            values[at],
            at / width as usize,
            at % width as usize
        );
        refuse("map.values", message);
        return None;
    }
    let sha256 = unmask_registry::sha256(&bytes);
    Some(Supplied { height: height as usize, width: width as usize, values, sha256, reading })
}

fn measures(
    message: &v1::EvaluationPlan,
    candidates: &[Candidate],
    masked: bool,
    seeing: &Seeing<'_>,
    wrong: &mut Vec<Violation>,
) -> Vec<Measure> {
    let mut measures: Vec<Measure> = Vec::new();
    for (i, metric) in message.metrics.iter().enumerate() {
        let path = format!("plan.metrics[{i}]");
        if message.metrics[..i].contains(metric) {
            wrong.push(Violation::new(path, "is there twice, name each metric once"));
            continue;
        }
        let Some(measure) = measure(metric.clone(), &path, seeing, wrong) else { continue };
        let about = measure.metric.about();
        let name = about.entry.name;
        if about.needs.contains(&Need::Mask) && !masked {
            let message = format!("{name} needs the mask of what was manipulated; set mask");
            wrong.push(Violation::new(&path, message));
        }
        let made = candidates.iter().any(|c| matches!(c.kind, Kind::Made(_)));
        if about.needs.contains(&Need::Method) && !made && !candidates.is_empty() {
            let message =
                format!("{name} explains again, and a supplied map cannot be made again; add a method");
            wrong.push(Violation::new(&path, message));
        }
        measures.push(measure);
    }
    measures
}

/// The mask's file, judged by its header.
fn mask(bytes: Vec<u8>, seeing: &Seeing<'_>, wrong: &mut Vec<Violation>) -> Option<Vec<u8>> {
    let own = match image::inspect(&bytes, seeing.limits) {
        Ok(own) => own,
        Err(error) => {
            wrong.push(Violation::new("mask.image", error.to_string()));
            return None;
        }
    };
    match seeing.header {
        Some(picture) if (own.width, own.height) != (picture.width, picture.height) => {
            let message = format!(
                "got {} x {} pixels as displayed, the picture has {} x {}; send one of the same size",
                own.width, own.height, picture.width, picture.height
            );
            wrong.push(Violation::new("mask.image", message));
            None
        }
        Some(_) | None => Some(bytes),
    }
}

fn truth(label: &str, spec: Option<&ModelSpec>, wrong: &mut Vec<Violation>) -> Option<usize> {
    let (false, Some(spec)) = (label.is_empty(), spec) else { return None };
    let found = spec.output.labels.iter().position(|own| own == label);
    if found.is_none() {
        let labels = spec.output.labels.join(", ");
        let message = format!("got \"{}\", the model's labels are {labels}", shown(label));
        wrong.push(Violation::new("label", message));
    }
    found
}
