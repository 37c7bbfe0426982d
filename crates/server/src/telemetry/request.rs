//! One call from its headers to its last byte: measured, and followed where its caller is.

use std::time::Instant;

use http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanBuilder, SpanKind, Status};
use tonic::Code;

use super::Telemetry;
use super::trace::{Trace, caller};
use crate::encode::code_name;

/// Calls of ours. Whatever else is asked for has one name: names of strangers are no labels.
const METHODS: [&str; 12] = [
    "unmask.v1.EvaluationService/Evaluate",
    "unmask.v1.EvaluationService/EvaluateDataset",
    "unmask.v1.EvaluationService/ListMetrics",
    "unmask.v1.ExplanationService/DetectFaces",
    "unmask.v1.ExplanationService/Explain",
    "unmask.v1.ExplanationService/ExplainFace",
    "unmask.v1.ExplanationService/ExplainMany",
    "unmask.v1.ExplanationService/ExplainStream",
    "unmask.v1.ExplanationService/ListMethods",
    "unmask.v1.ExplanationService/Predict",
    "unmask.v1.ModelService/GetModel",
    "unmask.v1.ModelService/ListModels",
];
const OTHER: &str = "_OTHER";

/// A call that is under way. It ends when it is dropped; one that has no code by then has lost its client.
pub(crate) struct Request {
    telemetry: Telemetry,
    method: &'static str,
    came: Instant,
    trace: Trace,
    code: Option<Code>,
}

impl Request {
    /// Of a caller that is not `known` nothing leaves the process, whatever it says of its trace.
    pub(super) fn new(telemetry: &Telemetry, path: &str, headers: &HeaderMap, known: bool) -> Self {
        let asked = path.strip_prefix('/').unwrap_or(path);
        let method = METHODS.into_iter().find(|method| *method == asked).unwrap_or(OTHER);
        let caller = caller(headers);
        let trace = match telemetry.tracer().filter(|_| known) {
            None => Trace::of_caller(&caller),
            Some(tracer) => {
                let span = SpanBuilder::from_name(method).with_kind(SpanKind::Server).with_attributes([
                    KeyValue::new("rpc.system.name", "grpc"),
                    KeyValue::new("rpc.method", method),
                ]);
                Trace::below(tracer, span.start_with_context(tracer, &caller))
            }
        };
        Self { telemetry: telemetry.clone(), method, came: Instant::now(), trace, code: None }
    }

    pub(crate) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Itself, unless these headers or trailers have its code: then it ends, before anybody has them.
    pub(crate) fn unless_over(mut self, headers: &HeaderMap) -> Option<Self> {
        match headers.get(tonic::Status::GRPC_STATUS) {
            None => Some(self),
            Some(code) => {
                self.code = Some(Code::from_bytes(code.as_bytes()));
                None
            }
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let code = self.code.unwrap_or(Code::Cancelled);
        self.telemetry.metrics().call(self.method, code, self.came.elapsed());
        let status = if is_ours(code) { Status::error(code_name(code)) } else { Status::Unset };
        self.trace.end(status, KeyValue::new("rpc.response.status_code", code_name(code)));
    }
}

/// Codes that are a server's fault, as the semantic conventions have them.
fn is_ours(code: Code) -> bool {
    match code {
        Code::Unknown
        | Code::DeadlineExceeded
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => true,
        Code::Ok
        | Code::Cancelled
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unauthenticated => false,
    }
}

#[cfg(test)]
mod tests {
    use prost_reflect::DescriptorPool;

    use super::*;

    #[test]
    fn every_call_of_the_contract_has_its_name() {
        let pool = DescriptorPool::decode(unmask_protocol::DESCRIPTOR_SET).unwrap();
        let mut named: Vec<_> = pool
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
            .map(|method| format!("{}/{}", method.parent_service().full_name(), method.name()))
            .collect();
        named.sort();
        assert_eq!(named, METHODS);
    }

    #[test]
    fn what_a_stranger_calls_is_no_name() {
        let request = Request::new(&Telemetry::default(), "/unmask.v1.Nowhere/Now", &HeaderMap::new(), true);
        assert_eq!(request.method, OTHER);
    }
}
