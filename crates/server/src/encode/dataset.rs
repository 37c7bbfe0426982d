//! Rows, progress and the summary of a dataset as messages.

use tonic::Code;
use unmask_protocol::v1::{self, dataset_row, evaluate_dataset_response::Kind};

use super::evaluated::{better, plan};
use super::version;
use crate::decode::DatasetJob;
use crate::run::Mean;

/// What came of an item.
pub(crate) fn row(row: v1::DatasetRow) -> v1::EvaluateDatasetResponse {
    v1::EvaluateDatasetResponse { kind: Some(Kind::Row(row)) }
}

/// Why an item has no figures.
pub(crate) fn failure(id: &str, family: &str, label: &str, code: Code, message: String) -> v1::DatasetRow {
    let failure = v1::DatasetFailure { code: code_name(code), message };
    v1::DatasetRow {
        id: id.into(),
        family: family.into(),
        label: label.into(),
        kind: Some(dataset_row::Kind::Failure(failure)),
    }
}

/// How far the work is.
pub(crate) fn progress(items: u64, failed: u64, passes: u64) -> v1::EvaluateDatasetResponse {
    v1::EvaluateDatasetResponse { kind: Some(Kind::Progress(v1::DatasetProgress { items, failed, passes })) }
}

/// Means over all items.
pub(crate) fn summary(
    job: &DatasetJob,
    items: u64,
    failed: u64,
    means: Vec<Mean>,
) -> v1::EvaluateDatasetResponse {
    let (names, spec) = (job.plan.names(), job.served.spec());
    let mean = |mean: Mean| {
        let (at, of) = (usize::from(mean.of.explanation), mean.of);
        let about = job.plan.measures[usize::from(of.metric)].metric.about();
        let figure = &about.figures[usize::from(of.figure)];
        v1::DatasetMean {
            name: names[at].to_owned(),
            control: at >= job.plan.candidates.len(),
            metric: about.entry.name.to_owned(),
            metric_index: of.metric.into(),
            figure: figure.named(of.k),
            better: better(mean.better).into(),
            family: mean.family,
            items: mean.items,
            missing: mean.missing,
            mean: mean.mean,
            low: mean.interval.map(|(low, _)| low),
            high: mean.interval.map(|(_, high)| high),
        }
    };
    let summary = v1::DatasetSummary {
        items,
        failed,
        means: means.into_iter().map(mean).collect(),
        resolved: Some(plan(&job.plan, spec)),
        model: Some(version(spec)),
        resamples: job.resamples,
        confidence: job.confidence,
    };
    v1::EvaluateDatasetResponse { kind: Some(Kind::Summary(summary)) }
}

/// A code by the name that gRPC gives it: `InvalidArgument` is INVALID_ARGUMENT.
pub(crate) fn code_name(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_names_of_grpc() {
        assert_eq!(code_name(Code::InvalidArgument), "INVALID_ARGUMENT");
        assert_eq!(code_name(Code::Internal), "INTERNAL");
    }
}
