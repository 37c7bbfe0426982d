//! What came of one of many requests, as a message.

use tonic::Code;
use unmask_protocol::v1::{self, explain_many_response::Kind};

use super::{bill, code_name, explained, prediction, version};
use crate::decode::ExplainJob;
use crate::run::Sifted;

/// The answer, or the scores of a picture that was not to be explained.
pub(crate) fn sifted(request_id: String, job: &ExplainJob, sifted: Sifted) -> Kind {
    match sifted {
        Sifted::Explained(answer) => Kind::Answer(explained(request_id, job, *answer)),
        Sifted::Skipped(scored) => Kind::Skipped(v1::SkippedExplanation {
            prediction: Some(prediction(&scored.spec, &scored.logits)),
            cost: Some(bill::cost(&scored.bill)),
            model: Some(version(&scored.spec)),
        }),
    }
}

/// Why there is neither.
pub(crate) fn unexplained(code: Code, message: String) -> Kind {
    Kind::Failure(v1::ExplainFailure { code: code_name(code), message })
}
