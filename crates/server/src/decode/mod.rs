//! Message to job. Every limit is checked here, before anything is paid for, and all violations are reported together.

mod dataset;
mod evaluation;
mod face;
mod face_box;
mod faces;
mod fill;
mod many;
mod method;
mod metric;
mod price;
mod segmentation;
mod subject;
mod target;

use std::sync::Arc;
use std::time::Duration;

use unmask_core::{ModelSpec, Preset, Scale, Violation};
use unmask_explainer::counterfactual::Counterfactual;
use unmask_explainer::image::{self, Header};
use unmask_explainer::methods::Method;
use unmask_explainer::segment::Segmentation;
use unmask_explainer::tell::Language;
use unmask_pool::Served;
use unmask_protocol::v1;

#[cfg(test)]
pub(crate) use self::dataset::KnownFigure;
pub(crate) use self::dataset::{DatasetJob, FigurePlace, Item, Known, dataset, item, known};
pub(crate) use self::evaluation::{
    CONTROLS, Candidate, EvaluateJob, Kind, Making, Plan, Supplied, evaluate, evaluate_item,
};
pub(crate) use self::face::{Landmarks, Whose};
pub(crate) use self::face_box::{FaceBoxJob, face_box};
pub(crate) use self::faces::{FacesJob, faces};
pub(crate) use self::fill::FillChoice;
pub(crate) use self::many::{ManyItem, many};
pub(crate) use self::metric::Measure;
pub(crate) use self::price::Priced;
pub(crate) use self::segmentation::Cut;
pub(crate) use self::subject::Subject;
pub(crate) use self::target::{Named, Question};
use crate::error::RequestError;
use crate::identity::Tenant;
use crate::models::Models;

/// Regions that an answer can hold.
const MOST_REGIONS: u32 = 64;
const DEFAULT_REGIONS: u32 = 5;
/// Passes besides the method's own: the picture and the fill, each alone.
pub(crate) const REFERENCE_PASSES: u64 = 2;
/// Milliseconds between two maps of a stream: four a second are a film to the eye, and cost little.
const MAP_EVERY_MS: u32 = 250;
/// Smallest error that may be asked for: less takes millions of passes.
const LEAST_ERROR: f64 = 0.001;

/// A decision to explain.
pub(crate) struct ExplainJob {
    pub(crate) subject: Subject,
    pub(crate) question: Question,
    pub(crate) method: Method,
    pub(crate) preset: Preset,
    pub(crate) fill: FillChoice,
    pub(crate) cut: Cut,
    pub(crate) seed: u64,
    pub(crate) budget: Budget,
    pub(crate) outputs: Outputs,
    pub(crate) top_regions: usize,
    pub(crate) face: Whose,
    /// Where the face's eyes, nose and mouth are, once that is known.
    pub(crate) landmarks: Option<Landmarks>,
    /// Whether the caller named the segmentation.
    pub(crate) cut_given: bool,
    pub(crate) counterfactual: Option<Change>,
    pub(crate) language: Language,
}

/// A change of the decision that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) search: Counterfactual,
    /// Whether parts of the face are replaced; settled once it is known whether there are any.
    pub(crate) parts: Option<bool>,
}

/// What is made only when asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outputs {
    pub(crate) heat_map: bool,
    pub(crate) overlay: bool,
    pub(crate) picture_map: bool,
    pub(crate) fill: bool,
    pub(crate) labels: bool,
    pub(crate) standard_errors: bool,
    pub(crate) sentences: bool,
    pub(crate) steadiness: bool,
}

/// How urgent a request is beside others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Interactive,
    Normal,
    Bulk,
}

impl Class {
    /// Its name in the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Normal => "normal",
            Self::Bulk => "bulk",
        }
    }
}

/// The class of a request; `usual` where none is named, or none that there is.
pub(crate) fn priority(given: i32, usual: Class, path: &str, wrong: &mut Vec<Violation>) -> Class {
    match v1::Priority::try_from(given) {
        Ok(v1::Priority::Unspecified) => usual,
        Ok(v1::Priority::Interactive) => Class::Interactive,
        Ok(v1::Priority::Normal) => Class::Normal,
        Ok(v1::Priority::Bulk) => Class::Bulk,
        Err(_) => {
            let allowed = "PRIORITY_INTERACTIVE (1), PRIORITY_NORMAL (2) and PRIORITY_BULK (3)";
            wrong.push(Violation::new(path, format!("got {given}, allowed are {allowed}")));
            usual
        }
    }
}

/// The caller's name for a request, or a new one.
pub(crate) fn request_id(given: &str) -> Result<String, Violation> {
    if given.is_empty() {
        return Ok(uuid::Uuid::new_v4().to_string());
    }
    word(given, 0).map_err(|message| Violation::new("request_id", message))?;
    Ok(given.to_owned())
}

/// Characters of a caller's word.
pub(crate) const LONGEST_WORD: usize = 128;

/// A caller's word, as it may stand in answers and logs: at least so many and at most 128 printable ASCII characters.
fn word(given: &str, least: usize) -> Result<(), String> {
    const LONGEST: usize = LONGEST_WORD;
    let printable = given.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    if printable && (least..=LONGEST).contains(&given.len()) {
        return Ok(());
    }
    let allowed = if least == 0 { "up to".to_owned() } else { format!("{least} to") };
    Err(format!("got {} bytes, allowed are {allowed} {LONGEST} printable ASCII characters", given.len()))
}

/// What a caller can see, and how its pictures are read.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'a> {
    pub(crate) models: &'a Models,
    pub(crate) tenant: &'a Tenant,
    pub(crate) limits: &'a image::Limits,
}

impl Sight<'_> {
    /// The version that a request means, among those that its caller may use.
    pub(crate) fn model(&self, selector: Option<&v1::ModelSelector>) -> Result<Arc<Served>, RequestError> {
        self.models.find(selector, self.tenant)
    }
}

/// A request to score a picture; `violations` are those that are known already.
pub(crate) fn predict(
    request: v1::PredictRequest,
    sight: &Sight<'_>,
    mut violations: Vec<Violation>,
) -> Result<Subject, RequestError> {
    let model = sight.model(request.model.as_ref());
    let subject = subject::subject(request.image, request.crop, sight.limits, &mut violations);
    finish(model, violations, |served| subject.map(|subject| subject.of(served)))
}

/// A request to explain a decision; `violations` are those that are known already.
pub(crate) fn explain(
    request: v1::ExplainRequest,
    sight: &Sight<'_>,
    mut violations: Vec<Violation>,
) -> Result<ExplainJob, RequestError> {
    let model = sight.model(request.model.as_ref());
    let spec = model.as_ref().ok().map(|served| &**served.spec());
    let (wrong, limits) = (&mut violations, sight.limits);
    let subject = subject::subject(request.image, request.crop, limits, wrong);
    let (method, preset) = method::method(request.method, spec, wrong);
    let question = target::target(request.target, usual_scale(&method, preset), spec, wrong);
    let fill = match request.fill {
        None => Some(fill::default(&method, preset)),
        Some(fill) => fill::fill(fill, subject.as_ref().map(|s| &s.header), limits, wrong),
    };
    let needs_segments = method.needs_segments() || fill.as_ref().is_some_and(FillChoice::needs_segments);
    let cut_given = request.segmentation.is_some();
    let cut = match request.segmentation {
        None => Some(segmentation::default(&method, preset, needs_segments)),
        Some(message) => segmentation::segmentation(message, needs_segments, subject.as_ref(), spec, wrong),
    };
    let counterfactual = request.counterfactual.map(|given| counterfactual(given, wrong));
    let budget = budget(request.budget, &method, fill.as_ref(), wrong);
    let outputs = outputs(&request.outputs, wrong);
    let top_regions = top_regions(request.top_regions, wrong);
    if outputs.sentences && top_regions == 0 {
        let message =
            "got 0, sentences speak of regions where the parts of a face are not known; ask for at least 1";
        wrong.push(Violation::new("top_regions", message));
    }
    let language = language(&request.language, wrong);
    let by_parts = cut.as_ref().is_some_and(|cut| matches!(cut.segmentation, Segmentation::Parts(_)));
    let wants_face = by_parts || outputs.sentences || counterfactual.is_some();
    let known = (subject.as_ref().map(|subject| &subject.header), spec);
    let face = face::face(request.face, wants_face, known, sight, wrong);
    if by_parts && matches!(face, Ok(Whose::Nobodys)) && wrong.is_empty() && spec.is_some() {
        let message = "needs a face: send face.landmarks or face.search (the model expects no face, or no face model is served)";
        wrong.push(Violation::new("segmentation.parts", message));
    }
    let seed = request.seed;
    let models = model.and_then(|served| Ok((served, face?)));
    finish(models, violations, |(served, face)| {
        let (subject, fill, cut) = (subject?.of(served), fill?, cut?);
        Some(ExplainJob {
            subject,
            question,
            method,
            preset,
            fill,
            cut,
            seed,
            budget,
            outputs,
            top_regions,
            face,
            landmarks: None,
            cut_given,
            counterfactual,
            language,
        })
    })
}

fn counterfactual(given: v1::CounterfactualSearch, wrong: &mut Vec<Violation>) -> Change {
    use unmask_explainer::counterfactual::{PASSES, REGIONS};
    let (path, clean) = ("counterfactual", Preset::Clean);
    let search = Counterfactual {
        regions: REGIONS.integer(given.regions.map(u64::from), clean, path, wrong) as usize,
        passes: PASSES.integer(given.max_passes.map(u64::from), clean, path, wrong),
    };
    Change { search, parts: given.parts }
}

fn language(tag: &str, wrong: &mut Vec<Violation>) -> Language {
    if tag.is_empty() {
        return Language::default();
    }
    Language::named(tag).unwrap_or_else(|| {
        let known: Vec<_> = Language::ALL.iter().map(|language| language.tag()).collect();
        let message = format!("got \"{}\", there are {}", shown(tag), known.join(", "));
        wrong.push(Violation::new("language", message));
        Language::default()
    })
}

/// What is known while a plan is decoded.
struct Seeing<'a> {
    spec: Option<&'a ModelSpec>,
    header: Option<&'a Header>,
    picture: Option<&'a subject::Pictured>,
    limits: &'a image::Limits,
}

/// What came of decoding something that lies below `path`, with what is wrong `around` it.
pub(crate) fn below<T>(
    path: &str,
    done: Result<T, RequestError>,
    around: Vec<Violation>,
) -> Result<T, RequestError> {
    let lower = |v: Violation| Violation { field: format!("{path}.{}", v.field), ..v };
    match done {
        Err(RequestError::Invalid(wrong)) => {
            Err(RequestError::Invalid(wrong.into_iter().map(lower).chain(around).collect()))
        }
        _ if !around.is_empty() => Err(RequestError::Invalid(around)),
        Err(RequestError::NoModel(wrong)) => Err(RequestError::NoModel(lower(wrong))),
        done @ (Ok(_) | Err(_)) => done,
    }
}

/// How often a stream is told of a map.
pub(crate) fn map_every(given: Option<u32>) -> (Duration, Vec<Violation>) {
    let every = given.unwrap_or(MAP_EVERY_MS);
    let message = format!("got {every}, allowed is 10 to 60000");
    let wrong = (!(10..=60_000).contains(&every)).then(|| Violation::new("map_every_ms", message));
    (Duration::from_millis(every.into()), wrong.into_iter().collect())
}

/// Decodes something that lies below `path`.
fn nested(path: &str, wrong: &mut Vec<Violation>, decode: impl FnOnce(&mut Vec<Violation>)) {
    let mut below = Vec::new();
    decode(&mut below);
    wrong.extend(below.into_iter().map(|v| Violation { field: format!("{path}.{}", v.field), ..v }));
}

/// The scale where the caller names none.
fn usual_scale(method: &Method, preset: Preset) -> Scale {
    match preset {
        Preset::Clean | Preset::Fast | Preset::Balanced | Preset::Thorough => Scale::LogOdds,
        Preset::Paper => method.paper_scale(),
    }
}

/// The job, or everything that is wrong with it. A model that is not served is NOT_FOUND only where nothing else is wrong.
fn finish<M, T>(
    model: Result<M, RequestError>,
    mut violations: Vec<Violation>,
    job: impl FnOnce(M) -> Option<T>,
) -> Result<T, RequestError> {
    match model {
        Err(error) if violations.is_empty() => Err(error),
        Err(RequestError::NoModel(violation)) => {
            violations.push(violation);
            Err(RequestError::Invalid(violations))
        }
        Err(error) => Err(error),
        Ok(served) if violations.is_empty() => job(served).ok_or(RequestError::Panicked),
        Ok(_) => Err(RequestError::Invalid(violations)),
    }
}

/// What an explanation may cost, and how sure it has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Budget {
    /// Most forward passes.
    pub(crate) max_passes: Option<u64>,
    /// The error with which it is enough.
    pub(crate) target_error: Option<f64>,
}

fn budget(
    given: Option<v1::Budget>,
    method: &Method,
    fill: Option<&FillChoice>,
    violations: &mut Vec<Violation>,
) -> Budget {
    let v1::Budget { max_passes, target_error } = given.unwrap_or_default();
    // A fill that is wrong itself has no cost that could be told.
    if let (Some(most), Some(fill)) = (max_passes, fill) {
        let search = match fill {
            FillChoice::Search(search) => Some(search.least()),
            FillChoice::Made(_) | FillChoice::Image(_) => None,
        };
        let least = REFERENCE_PASSES + search.unwrap_or_default() + method.least();
        if most < least {
            let what = if search.is_some() { "this method over this fill" } else { "this method" };
            let message = format!("got {most}, {what} has no answer with fewer than {least} passes");
            violations.push(Violation::new("budget.max_passes", message));
        }
    }
    if let Some(target) = target_error {
        let wrong = if !(LEAST_ERROR..=1.0).contains(&target) {
            Some(format!("got {target}, allowed is {LEAST_ERROR} to 1"))
        } else if !method.knows_error() {
            Some(format!("{} does not know its error; rise, lime and kernel_shap do", method.name()))
        } else {
            None
        };
        violations.extend(wrong.map(|message| Violation::new("budget.target_error", message)));
    }
    Budget { max_passes, target_error }
}

fn outputs(wanted: &[i32], violations: &mut Vec<Violation>) -> Outputs {
    let mut outputs = Outputs::default();
    for (i, number) in wanted.iter().enumerate() {
        let switch = match v1::Output::try_from(*number) {
            Ok(v1::Output::HeatMap) => &mut outputs.heat_map,
            Ok(v1::Output::Overlay) => &mut outputs.overlay,
            Ok(v1::Output::PictureMap) => &mut outputs.picture_map,
            Ok(v1::Output::Fill) => &mut outputs.fill,
            Ok(v1::Output::Labels) => &mut outputs.labels,
            Ok(v1::Output::StandardErrors) => &mut outputs.standard_errors,
            Ok(v1::Output::Sentences) => &mut outputs.sentences,
            Ok(v1::Output::Steadiness) => &mut outputs.steadiness,
            Ok(v1::Output::Unspecified) | Err(_) => {
                let allowed = "OUTPUT_HEAT_MAP (1), OUTPUT_OVERLAY (2), OUTPUT_PICTURE_MAP (3), OUTPUT_FILL (4), \
                               OUTPUT_LABELS (5), OUTPUT_STANDARD_ERRORS (6), OUTPUT_SENTENCES (7) and \
                               OUTPUT_STEADINESS (8)";
                violations.push(Violation::new(
                    format!("outputs[{i}]"),
                    format!("got {number}, allowed are {allowed}"),
                ));
                // One wrong entry is enough to say; a list of millions must not become an answer of millions.
                return outputs;
            }
        };
        if std::mem::replace(switch, true) {
            violations.push(Violation::new(format!("outputs[{i}]"), "is there twice, name each output once"));
            return outputs;
        }
    }
    outputs
}

fn top_regions(given: Option<u32>, violations: &mut Vec<Violation>) -> usize {
    let top = given.unwrap_or(DEFAULT_REGIONS);
    if top > MOST_REGIONS {
        violations.push(Violation::new("top_regions", format!("got {top}, allowed is 0 to {MOST_REGIONS}")));
    }
    top.min(MOST_REGIONS) as usize
}

/// A client's own word in an error is cut, so that an answer never grows with the request.
pub(crate) fn shown(word: &str) -> String {
    word.chars().filter(|c| !c.is_control()).take(64).collect()
}
