//! Message to job. Every limit is checked here, before anything is paid for, and all violations are reported together.

mod fill;
mod method;

use std::sync::Arc;

use unmask_core::Violation;
use unmask_explainer::image::{self, Header, Rect};
use unmask_explainer::methods::Method;
use unmask_pool::Served;
use unmask_protocol::v1;

pub(crate) use self::fill::FillChoice;
use crate::error::RequestError;
use crate::models::Models;

/// Regions that an answer can hold: those of the 8 x 8 grid.
pub(crate) const MOST_REGIONS: u32 = 64;
const DEFAULT_REGIONS: u32 = 5;
/// Passes besides the method's own: the picture and the fill, each alone.
pub(crate) const REFERENCE_PASSES: u64 = 2;

/// A picture and the model that is asked about it.
pub(crate) struct Subject {
    pub(crate) image: Vec<u8>,
    pub(crate) crop: Rect,
    pub(crate) crop_given: bool,
    pub(crate) served: Arc<Served>,
}

/// A decision to explain.
pub(crate) struct ExplainJob {
    pub(crate) subject: Subject,
    /// Class to explain; the predicted one where `None`.
    pub(crate) target: Option<usize>,
    pub(crate) method: Method,
    pub(crate) fill: FillChoice,
    pub(crate) seed: u64,
    pub(crate) max_passes: Option<u64>,
    pub(crate) outputs: Outputs,
    pub(crate) top_regions: usize,
}

/// What is made only when asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outputs {
    pub(crate) heat_map: bool,
    pub(crate) overlay: bool,
    pub(crate) picture_map: bool,
}

/// The caller's name for a request, or a new one.
pub(crate) fn request_id(given: &str) -> Result<String, Violation> {
    const LONGEST: usize = 128;
    if given.is_empty() {
        return Ok(uuid::Uuid::new_v4().to_string());
    }
    if given.len() > LONGEST || !given.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        let message =
            format!("got {} bytes, allowed are up to {LONGEST} printable ASCII characters", given.len());
        return Err(Violation::new("request_id", message));
    }
    Ok(given.to_owned())
}

/// A request to score a picture; `violations` are those that are known already.
pub(crate) fn predict(
    request: v1::PredictRequest,
    models: &Models,
    limits: &image::Limits,
    mut violations: Vec<Violation>,
) -> Result<Subject, RequestError> {
    let model = models.find(request.model.as_ref());
    let subject = subject(request.image, request.crop, limits, &mut violations);
    finish(model, violations, |served| subject.map(|subject| subject.of(served)))
}

/// A request to explain a decision; `violations` are those that are known already.
pub(crate) fn explain(
    request: v1::ExplainRequest,
    models: &Models,
    limits: &image::Limits,
    mut violations: Vec<Violation>,
) -> Result<ExplainJob, RequestError> {
    let model = models.find(request.model.as_ref());
    let served = model.as_ref().ok();
    let subject = subject(request.image, request.crop, limits, &mut violations);
    let target = target(request.target, served, &mut violations);
    let method = method::method(request.method, served, &mut violations);
    let fill = fill::fill(request.fill, subject.as_ref().map(|s| &s.header), limits, &mut violations);
    let max_passes = budget(request.budget, &method, &mut violations);
    let outputs = outputs(&request.outputs, &mut violations);
    let top_regions = top_regions(request.top_regions, &mut violations);
    let seed = request.seed;
    finish(model, violations, |served| {
        let subject = subject?.of(served);
        Some(ExplainJob { subject, target, method, fill: fill?, seed, max_passes, outputs, top_regions })
    })
}

/// The job, or everything that is wrong with it. A model that is not served is NOT_FOUND only where nothing else is wrong.
fn finish<T>(
    model: Result<Arc<Served>, RequestError>,
    mut violations: Vec<Violation>,
    job: impl FnOnce(Arc<Served>) -> Option<T>,
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

/// A picture whose model is not known yet.
struct Pictured {
    image: Vec<u8>,
    header: Header,
    crop: Rect,
    crop_given: bool,
}

impl Pictured {
    fn of(self, served: Arc<Served>) -> Subject {
        let Self { image, crop, crop_given, .. } = self;
        Subject { image, crop, crop_given, served }
    }
}

fn subject(
    bytes: Vec<u8>,
    crop: Option<v1::Box>,
    limits: &image::Limits,
    violations: &mut Vec<Violation>,
) -> Option<Pictured> {
    let header = match image::inspect(&bytes, limits) {
        Ok(header) => header,
        Err(error) => {
            violations.push(Violation::new("image", error.to_string()));
            return None;
        }
    };
    let whole = Rect::whole(header.width, header.height);
    let crop_given = crop.is_some();
    let crop = crop.map_or(whole, |b| Rect { x: b.x, y: b.y, width: b.width, height: b.height });
    if crop.width < limits.min_side || crop.height < limits.min_side {
        let message =
            format!("got {} x {} pixels, each side is at least {}", crop.width, crop.height, limits.min_side);
        violations.push(Violation::new("crop", message));
        return None;
    }
    if !crop.within(header.width, header.height) {
        let Rect { x, y, width, height } = crop;
        let message = format!(
            "got {width} x {height} at ({x}, {y}), which is not inside the picture of {} x {} pixels as displayed",
            header.width, header.height
        );
        violations.push(Violation::new("crop", message));
        return None;
    }
    Some(Pictured { image: bytes, header, crop, crop_given })
}

fn target(
    target: Option<v1::Target>,
    served: Option<&Arc<Served>>,
    violations: &mut Vec<Violation>,
) -> Option<usize> {
    let kind = target?.kind;
    let Some(v1::target::Kind::Label(label)) = kind else {
        violations.push(Violation::new("target.kind", "is not set, set label or leave target out"));
        return None;
    };
    let labels = &served?.spec().output.labels;
    let found = labels.iter().position(|l| *l == label);
    if found.is_none() {
        let message = format!("got \"{}\", the model's labels are {}", shown(&label), labels.join(", "));
        violations.push(Violation::new("target.label", message));
    }
    found
}

fn budget(budget: Option<v1::Budget>, method: &Method, violations: &mut Vec<Violation>) -> Option<u64> {
    let most = budget?.max_passes?;
    let least = REFERENCE_PASSES + method.least();
    if most < least {
        let message = format!("got {most}, this method has no answer with fewer than {least} passes");
        violations.push(Violation::new("budget.max_passes", message));
    }
    Some(most)
}

fn outputs(wanted: &[i32], violations: &mut Vec<Violation>) -> Outputs {
    let mut outputs = Outputs::default();
    for (i, number) in wanted.iter().enumerate() {
        let switch = match v1::Output::try_from(*number) {
            Ok(v1::Output::HeatMap) => &mut outputs.heat_map,
            Ok(v1::Output::Overlay) => &mut outputs.overlay,
            Ok(v1::Output::PictureMap) => &mut outputs.picture_map,
            Ok(v1::Output::Unspecified) | Err(_) => {
                let allowed = "OUTPUT_HEAT_MAP (1), OUTPUT_OVERLAY (2) and OUTPUT_PICTURE_MAP (3)";
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
