//! A dataset's plan and items.

use std::collections::BTreeSet;

use unmask_core::{Kind as Bound, Param, Preset, Violation};
use unmask_explainer::metrics::Better;
use unmask_protocol::v1::{self, dataset_item, dataset_row};

use super::evaluation::{Plan, alone, fits};
use super::{Class, Sight, priority, request_id, shown, word};
use crate::error::RequestError;

/// Resamples of the bootstrap.
const RESAMPLES: Param = Param {
    name: "resamples",
    unit: "",
    kind: Bound::Integer { default: 2000, min: 100, max: 10_000 },
    paper: None,
    help: "Resamples of the bootstrap of means.",
    source: "ours: two digits of a 95 % interval",
};
/// Confidence of the intervals.
const CONFIDENCE: Param = Param {
    name: "confidence",
    unit: "",
    kind: Bound::Real { default: 0.95, min: 0.5, max: 0.999 },
    paper: None,
    help: "Confidence of the intervals.",
    source: "convention",
};

/// A plan for many pictures.
pub(crate) struct DatasetJob {
    pub(crate) request_id: String,
    /// As it was sent: it is decoded again with every picture.
    pub(crate) message: v1::EvaluationPlan,
    pub(crate) plan: Plan,
    pub(crate) served: std::sync::Arc<unmask_pool::Served>,
    pub(crate) resamples: u32,
    pub(crate) confidence: f64,
    pub(crate) class: Class,
}

/// An item that can be worked on.
pub(crate) enum Item {
    /// A picture.
    Picture(Box<v1::DatasetPicture>),
    /// A row that is known.
    Known(Box<(v1::DatasetRow, Known)>),
}

/// What takes its part in the summary: the figures of an item.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Known {
    pub(crate) family: String,
    pub(crate) failed: bool,
    pub(crate) figures: Vec<KnownFigure>,
}

/// A figure of an item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct KnownFigure {
    pub(crate) of: FigurePlace,
    pub(crate) better: Better,
    pub(crate) value: Option<f64>,
}

/// Which figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FigurePlace {
    /// Place of the explanation in the plan; controls come after the candidates.
    pub(crate) explanation: u16,
    /// Place of the metric in the plan.
    pub(crate) metric: u16,
    /// Place of the figure in what the metric is.
    pub(crate) figure: u16,
    /// Its K, 0 where it has none.
    pub(crate) k: u16,
}

/// The first message of a dataset.
pub(crate) fn dataset(
    message: v1::EvaluateDatasetRequest,
    sight: &Sight<'_>,
) -> Result<DatasetJob, RequestError> {
    let Some(v1::evaluate_dataset_request::Kind::Plan(message)) = message.kind else {
        let message = "the first message is the plan, each further one an item";
        return Err(RequestError::Invalid(vec![Violation::new("plan", message)]));
    };
    let mut wrong = Vec::new();
    let request_id = request_id(&message.request_id).unwrap_or_else(|violation| {
        wrong.push(violation);
        String::new()
    });
    let clean = Preset::Clean;
    let resamples = bare(&mut wrong, |w| RESAMPLES.integer(message.resamples.map(u64::from), clean, "", w));
    let confidence = bare(&mut wrong, |w| CONFIDENCE.real(message.confidence, clean, "", w));
    let class = priority(message.priority, Class::Bulk, "priority", &mut wrong);
    let given = message.plan.unwrap_or_default();
    // A plan of too many is refused below and not copied.
    let message = if fits(&given) { given.clone() } else { v1::EvaluationPlan::default() };
    let alone = alone(given, sight, wrong);
    // The fields lie below the stream's first message.
    let (served, plan) = alone.map_err(|error| error.below("plan"))?;
    Ok(DatasetJob { request_id, message, plan, served, resamples: resamples as u32, confidence, class })
}

/// Reads a parameter that lies at the top.
fn bare<T>(wrong: &mut Vec<Violation>, read: impl FnOnce(&mut Vec<Violation>) -> T) -> T {
    let mut own = Vec::new();
    let value = read(&mut own);
    wrong.extend(own.into_iter().map(|v| Violation { field: v.field.trim_start_matches('.').into(), ..v }));
    value
}

/// A further message: its id, and the item or what is wrong with it.
///
/// # Errors
/// A message that is no item ends the stream.
pub(crate) fn item(
    message: v1::EvaluateDatasetRequest,
    job: &DatasetJob,
) -> Result<(String, Result<Item, RequestError>), RequestError> {
    let Some(v1::evaluate_dataset_request::Kind::Item(message)) = message.kind else {
        let message = "the plan comes once, and each further message is an item";
        return Err(RequestError::Invalid(vec![Violation::new("item", message)]));
    };
    let id = message.id;
    word(&id, 1).map_err(|message| RequestError::Invalid(vec![Violation::new("item.id", message)]))?;
    let invalid = |field: &str, message: String| RequestError::Invalid(vec![Violation::new(field, message)]);
    let item = match message.kind {
        None => Err(invalid("item.kind", "is not set, set picture or row".into())),
        Some(dataset_item::Kind::Picture(picture)) => {
            let words = [("item.picture.family", &picture.family), ("item.picture.label", &picture.label)];
            let check =
                |(field, given): (&str, &String)| word(given, 0).map_err(|message| invalid(field, message));
            let checked = words.into_iter().try_for_each(check);
            checked.map(|()| Item::Picture(Box::new(picture)))
        }
        Some(dataset_item::Kind::Row(row)) if row.id != id => {
            Err(invalid("item.row", format!("is of \"{}\" and stands as \"{}\"", shown(&row.id), shown(&id))))
        }
        Some(dataset_item::Kind::Row(row)) => match known(&row, job) {
            Ok(known) => Ok(Item::Known(Box::new((row, known)))),
            Err(message) => Err(invalid("item.row", message)),
        },
    };
    Ok((id, item))
}

/// Letters of a failure's reason in a row that is sent back.
const LONGEST_REASON: usize = 4096;
/// Largest figure: a sum over all items is finite.
const LARGEST: f64 = 1e300;

/// What a row says, where it is one of this plan and model.
pub(crate) fn known(row: &v1::DatasetRow, job: &DatasetJob) -> Result<Known, String> {
    for (field, given) in [("family", &row.family), ("label", &row.label)] {
        word(given, 0).map_err(|message| format!("has a {field} that no row has: {message}"))?;
    }
    let family = row.family.clone();
    let answer = match &row.kind {
        None => return Err("is empty, it holds an answer or a failure".into()),
        Some(dataset_row::Kind::Failure(failure)) => {
            word(&failure.code, 0).map_err(|message| format!("has a code that no row has: {message}"))?;
            if failure.message.len() > LONGEST_REASON || failure.message.chars().any(char::is_control) {
                return Err(format!(
                    "has a reason that no row has: up to {LONGEST_REASON} bytes without control characters are allowed"
                ));
            }
            return Ok(Known { family, failed: true, figures: Vec::new() });
        }
        Some(dataset_row::Kind::Answer(answer)) => answer,
    };
    let spec = job.served.spec();
    let own = (spec.name.as_str(), spec.version.as_str(), spec.digest.as_str());
    let of = answer.model.as_ref().map(|m| (m.name.as_str(), m.version.as_str(), m.sha256.as_str()));
    if of != Some(own) {
        return Err(format!("is of another model than {} sha256 {}", spec.id(), spec.digest));
    }
    let names = job.plan.names();
    let got = answer.evaluated.iter().map(|evaluated| evaluated.name.as_str());
    if !got.eq(names.iter().copied()) {
        return Err(format!("is of another plan: its explanations are not {}", names.join(", ")));
    }
    let mut figures = Vec::new();
    for (explanation, evaluated) in (0..).zip(&answer.evaluated) {
        let metrics = job.plan.measures.iter().map(|m| m.metric.about().entry.name);
        if !evaluated.results.iter().map(|r| r.metric.as_str()).eq(metrics) {
            let name = shown(&evaluated.name);
            return Err(format!("is of another plan: the metrics of \"{name}\" are others"));
        }
        for (metric, (result, measure)) in (0..).zip(evaluated.results.iter().zip(&job.plan.measures)) {
            let about = measure.metric.about();
            let mut seen = BTreeSet::new();
            for given in &result.figures {
                let (figure, k) = (0u16..)
                    .zip(about.figures)
                    .find_map(|(at, figure)| Some((at, figure.k_of(&given.name)?)))
                    .filter(|place| seen.insert(*place))
                    .ok_or_else(|| {
                        let name = about.entry.name;
                        format!("has \"{}\" where each figure of {name} stands once", shown(&given.name))
                    })?;
                let better = better(given.better())?;
                // What is added up as the authors' code has it is better neither way.
                if better != about.figures[usize::from(figure)].better && better != Better::Neither {
                    return Err(format!("says of {} that another direction is better", shown(&given.name)));
                }
                if given.value.is_some_and(|value| !value.is_finite() || value.abs() > LARGEST) {
                    let name = shown(&given.name);
                    return Err(format!("has a value of {name} that is not finite or beyond {LARGEST:e}"));
                }
                let of = FigurePlace { explanation, metric, figure, k };
                figures.push(KnownFigure { of, better, value: given.value });
            }
        }
    }
    Ok(Known { family, failed: false, figures })
}

fn better(better: v1::Better) -> Result<Better, String> {
    Ok(match better {
        v1::Better::Higher => Better::Higher,
        v1::Better::Lower => Better::Lower,
        v1::Better::Neither => Better::Neither,
        v1::Better::Unspecified => return Err("has a figure without a direction".into()),
    })
}

impl Plan {
    /// The names of all explanations, the controls' last.
    pub(crate) fn names(&self) -> Vec<&str> {
        let controls: &[&str] = if self.controls { &super::CONTROLS } else { &[] };
        self.candidates.iter().map(|c| c.name.as_str()).chain(controls.iter().copied()).collect()
    }
}
