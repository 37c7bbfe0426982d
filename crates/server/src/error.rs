//! What can go wrong with a request, and the one table from that to gRPC codes.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};
use unmask_core::{Ended, ForwardError, Violation};

use crate::config::masked;

/// Why a server does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The library cannot be loaded.
    #[error(transparent)]
    Backend(#[from] unmask_pool::BackendError),
    /// Models cannot be proven as configured.
    #[error("{0}")]
    Probe(String),
    /// The model directory cannot be read.
    #[error(transparent)]
    Registry(#[from] unmask_registry::RegistryError),
    /// No model can serve; every reason.
    #[error("no model serves: {0}")]
    NoModel(String),
    /// The configured default is not among the models that serve.
    #[error("{key} is \"{name}\", models of that kind that serve are {served}")]
    NoDefault {
        /// The key.
        key: &'static str,
        /// The configured name.
        name: String,
        /// Names that serve.
        served: String,
    },
    /// It is configured to serve whoever comes, or in the open, and nobody has said that this is meant.
    #[error(
        "{0}; say --insecure (server.insecure = true) where this is meant, such as on a machine of your own"
    )]
    Insecure(String),
    /// A certificate or key cannot be used.
    #[error("tls: {0}")]
    Tls(String),
    /// The keys that sign tokens cannot be read.
    #[error("auth.jwks: cannot read {}: {reason}", .file.display())]
    Keys {
        /// The configured file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The address is not one, or it is taken.
    #[error("{key}: cannot listen on {address}: {reason}")]
    Listen {
        /// The key of the configuration.
        key: &'static str,
        /// The configured address.
        address: String,
        /// The system's own words.
        reason: String,
    },
    /// The collector's address cannot be used.
    #[error("telemetry.otlp_endpoint: cannot send to {}: {reason}", masked(.endpoint))]
    Telemetry {
        /// The configured address.
        endpoint: String,
        /// The exporter's own words.
        reason: String,
    },
    /// Metrics cannot be shown.
    #[error("metrics: {0}")]
    Metrics(String),
    /// No thread could be started that follows the directory of models.
    #[error("cannot follow the directory of models: {0}")]
    Watch(std::io::Error),
    /// The place for audit records cannot be opened.
    #[error("audit.file: cannot open {}: {reason}", .path.display())]
    Audit {
        /// The configured place.
        path: PathBuf,
        /// The system's own words.
        reason: String,
    },
    /// Reflection could not be built from the contract.
    #[error("reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

impl StartError {
    /// Whether another configuration would mend it.
    pub fn is_of_configuration(&self) -> bool {
        match self {
            Self::Probe(_)
            | Self::NoDefault { .. }
            | Self::Insecure(_)
            | Self::Tls(_)
            | Self::Keys { .. }
            | Self::Audit { .. }
            | Self::Telemetry { .. } => true,
            Self::Backend(_)
            | Self::Registry(_)
            | Self::NoModel(_)
            | Self::Listen { .. }
            | Self::Metrics(_)
            | Self::Watch(_)
            | Self::Reflection(_) => false,
        }
    }
}

/// Why a request has no answer.
#[derive(Clone, Debug, Error, PartialEq)]
pub(crate) enum RequestError {
    /// Fields are wrong; all of them.
    #[error("{}", list(.0))]
    Invalid(Vec<Violation>),
    /// Only the model is wrong: it is not served.
    #[error("{}: {}", .0.field, .0.message)]
    NoModel(Violation),
    /// Something is wrong that only a pass of a face model could tell: the face that is meant is not there.
    #[error("{}: {}", .0.field, .0.message)]
    Missed(Violation),
    /// There is no room for it now. Whose requests take it up is nobody's business.
    #[error("{0}; try again later")]
    Full(#[from] Shortage),
    /// There never is room for it.
    #[error(
        "announces {announced} passes, one request of its priority may announce {most}; ask for less of it (budget.max_passes, fewer \
         or cheaper methods, fills and metrics), or in several requests"
    )]
    TooDear {
        /// Passes that it announces.
        announced: u64,
        /// Passes that it may announce.
        most: u64,
    },
    /// Nobody knows who asks, and the server wants to.
    #[error("{0}")]
    Unknown(&'static str),
    /// Who asks may not ask for this.
    #[error("{0}")]
    Forbidden(String),
    /// A stream's client has sent nothing for too long.
    #[error(
        "no item has come for too long while nothing was left to do; send the items without long pauses, or in a new stream"
    )]
    Silent,
    /// The server goes down; another one may answer.
    #[error("this server is shutting down; ask again, and another one answers")]
    Draining,
    /// The model is not loaded, and those that are loaded are in use.
    #[error("{model} is not loaded, and the memory for models is in use; try again later")]
    NoRoom {
        /// Name and version.
        model: String,
    },
    /// The pool did not answer.
    #[error(transparent)]
    Forward(#[from] ForwardError),
    /// The audit record could not be written, and it is required. Why stands in the log: it is no matter of the client's.
    #[error("the decision could not be recorded, and nothing is answered unrecorded; try again later")]
    Unrecorded,
    /// A bug of ours; the request is lost, the process is not.
    #[error("internal error while working on the request; its log line has the details")]
    Panicked,
}

/// What there is not enough of.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub(crate) enum Shortage {
    /// Requests that are worked on at the same time.
    #[error("as many requests as this server takes at the same time are being worked on")]
    Places,
    /// Passes that have been announced and are not done.
    #[error("as many passes as this server takes at the same time are waiting")]
    Passes,
    /// Memory for messages and pictures.
    #[error("this server's memory for messages and pictures is taken up")]
    Memory,
    /// The tenant has used up its passes.
    #[error("your passes per second are used up")]
    Quota {
        /// When there are some again.
        wait: Duration,
    },
}

/// Most bytes of fields and messages in an answer: it travels in the headers, twice, and many clients refuse more than 8 KiB
/// of them.
const MOST_BYTES: usize = 1536;

/// The violations that fit into an answer, and how many do not.
fn told(violations: &[Violation]) -> (&[Violation], usize) {
    let mut bytes = 0;
    let fits = |v: &&Violation| {
        bytes += v.field.len() + v.message.len();
        bytes <= MOST_BYTES
    };
    let count = violations.iter().take_while(fits).count().max(1).min(violations.len());
    (&violations[..count], violations.len() - count)
}

fn list(violations: &[Violation]) -> String {
    let (told, more) = told(violations);
    let mut parts: Vec<String> = told.iter().map(|v| format!("{}: {}", v.field, v.message)).collect();
    if more > 0 {
        parts.push(format!("and {more} more"));
    }
    parts.join("; ")
}

/// How long a client that was turned away should wait: about one explanation at 1 000 passes a second.
const RETRY: Duration = Duration::from_secs(2);

/// The one table from error to code.
pub(crate) fn code(error: &RequestError) -> Code {
    match error {
        RequestError::Invalid(_) | RequestError::Missed(_) => Code::InvalidArgument,
        RequestError::NoModel(_) => Code::NotFound,
        RequestError::Full(_) | RequestError::NoRoom { .. } => Code::ResourceExhausted,
        RequestError::TooDear { .. } => Code::InvalidArgument,
        RequestError::Unknown(_) => Code::Unauthenticated,
        RequestError::Forbidden(_) => Code::PermissionDenied,
        RequestError::Silent => Code::DeadlineExceeded,
        RequestError::Draining => Code::Unavailable,
        RequestError::Forward(error) => match error {
            ForwardError::Cancelled => Code::Cancelled,
            ForwardError::Overloaded { .. } => Code::ResourceExhausted,
            ForwardError::Backend { .. } => Code::Unavailable,
            ForwardError::Unanswered(Ended::Deadline) => Code::DeadlineExceeded,
            ForwardError::Unanswered(Ended::All | Ended::Stopped | Ended::Budget) => Code::Internal,
            ForwardError::Malformed(_) => Code::Internal,
        },
        RequestError::Unrecorded => Code::Unavailable,
        RequestError::Panicked => Code::Internal,
    }
}

impl RequestError {
    /// The error of something that lies below `path`.
    pub(crate) fn below(mut self, path: &str) -> Self {
        let below = |violation: &mut Violation| violation.field = format!("{path}.{}", violation.field);
        if let Self::Invalid(violations) = &mut self {
            violations.iter_mut().for_each(below);
        } else if let Self::NoModel(violation) | Self::Missed(violation) = &mut self {
            below(violation);
        }
        self
    }

    /// What came before there was anything to answer.
    pub(crate) fn cut_off(&self) -> Option<Ended> {
        if let Self::Forward(ForwardError::Unanswered(ended)) = self { Some(*ended) } else { None }
    }

    /// Whether it comes before the first pass.
    pub(crate) fn is_free(&self) -> bool {
        match self {
            Self::Invalid(_)
            | Self::NoModel(_)
            | Self::Full(_)
            | Self::NoRoom { .. }
            | Self::TooDear { .. }
            | Self::Unknown(_)
            | Self::Forbidden(_)
            | Self::Silent => true,
            Self::Missed(_) | Self::Draining | Self::Unrecorded | Self::Forward(_) | Self::Panicked => false,
        }
    }

    /// The status that a client gets: code, message, and details in Google's error model.
    pub(crate) fn status(&self, request_id: &str) -> Status {
        let mut details = ErrorDetails::new();
        if !request_id.is_empty() {
            details.set_request_info(request_id, "");
        }
        if let Self::Invalid(violations) = self {
            set_violations(&mut details, violations);
        } else if let Self::NoModel(violation) | Self::Missed(violation) = self {
            set_violations(&mut details, std::slice::from_ref(violation));
        }
        if code(self) == Code::ResourceExhausted {
            let quota = if let Self::Full(Shortage::Quota { wait }) = self { Some(*wait) } else { None };
            details.set_retry_info(quota.or(Some(RETRY)));
        }
        Status::with_error_details(code(self), self.to_string(), details)
    }
}

fn set_violations(details: &mut ErrorDetails, violations: &[Violation]) {
    let fields: Vec<_> =
        told(violations).0.iter().map(|v| FieldViolation::new(&v.field, &v.message)).collect();
    details.set_bad_request(fields);
}

/// Code, message and wrong fields of a status, for whoever prints it.
pub fn status_of(status: &Status) -> (Code, String, Vec<(String, String)>) {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|b| b.field_violations.clone()).unwrap_or_default();
    let fields = violations.into_iter().map(|v| (v.field, v.description)).collect();
    (status.code(), status.message().to_owned(), fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_code() {
        let model = || "m@1".to_owned();
        let table = [
            (RequestError::Invalid(vec![Violation::new("image", "empty")]), Code::InvalidArgument),
            (RequestError::NoModel(Violation::new("model.name", "unknown")), Code::NotFound),
            (Shortage::Places.into(), Code::ResourceExhausted),
            (Shortage::Passes.into(), Code::ResourceExhausted),
            (Shortage::Memory.into(), Code::ResourceExhausted),
            (Shortage::Quota { wait: RETRY }.into(), Code::ResourceExhausted),
            (RequestError::NoRoom { model: model() }, Code::ResourceExhausted),
            (RequestError::TooDear { announced: 9, most: 8 }, Code::InvalidArgument),
            (RequestError::Unknown("who?"), Code::Unauthenticated),
            (RequestError::Forbidden("no".into()), Code::PermissionDenied),
            (RequestError::Silent, Code::DeadlineExceeded),
            (RequestError::Draining, Code::Unavailable),
            (ForwardError::Cancelled.into(), Code::Cancelled),
            (ForwardError::Overloaded { model: model(), jobs: 2, limit: 2 }.into(), Code::ResourceExhausted),
            (ForwardError::Backend { model: model(), reason: "x".into() }.into(), Code::Unavailable),
            (ForwardError::Unanswered(Ended::Deadline).into(), Code::DeadlineExceeded),
            (ForwardError::Unanswered(Ended::Budget).into(), Code::Internal),
            (ForwardError::Malformed("x".into()).into(), Code::Internal),
            (RequestError::Unrecorded, Code::Unavailable),
            (RequestError::Panicked, Code::Internal),
        ];
        for (error, expected) in table {
            let status = error.status("r-1");
            assert_eq!(status.code(), expected, "{error:?}");
            assert_eq!(status.get_error_details().request_info().unwrap().request_id, "r-1");
            let retry = status.get_error_details().retry_info().is_some();
            assert_eq!(retry, expected == Code::ResourceExhausted, "{error:?}");
        }
    }

    #[test]
    fn a_deadline_that_left_nothing_says_so() {
        let status = RequestError::from(ForwardError::Unanswered(Ended::Deadline)).status("");
        assert_eq!(status.message(), "the deadline came before there was anything to answer");
    }

    #[test]
    fn an_answer_of_many_wrong_fields_says_how_many_more_there_are_and_fits_into_headers() {
        let violation =
            |i: usize| Violation::new(format!("plan.candidates[{i}].rise.masks"), "x".repeat(200));
        let violations: Vec<_> = (0..32).map(violation).collect();
        let status = RequestError::Invalid(violations).status("r");
        assert!(status.message().ends_with("; and 26 more"), "{}", status.message());
        let bytes = status.message().len() + status.details().len() * 4 / 3;
        assert!(bytes < 6000, "{bytes}");
        assert_eq!(status_of(&status).2.len(), 6);
    }

    #[test]
    fn all_wrong_fields_are_in_one_answer() {
        let violations = vec![Violation::new("image", "is empty"), Violation::new("seed", "got x")];
        let status = RequestError::Invalid(violations).status("");
        assert_eq!(status.message(), "image: is empty; seed: got x");
        let (_, _, fields) = status_of(&status);
        assert_eq!(fields, [("image".into(), "is empty".into()), ("seed".into(), "got x".into())]);
    }
}
