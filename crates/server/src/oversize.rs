//! A message over the receive limit is RESOURCE_EXHAUSTED, as clients expect; tonic says OUT_OF_RANGE.

use http::{HeaderValue, Response};
use tonic::Status;

/// tonic answers OUT_OF_RANGE only for messages over a limit, and no code of ours does, so the code can be exchanged.
pub(crate) fn rename<B>(mut response: Response<B>) -> Response<B> {
    let code = |code: tonic::Code| HeaderValue::from(code as i32);
    let headers = response.headers_mut();
    if headers.get(Status::GRPC_STATUS) == Some(&code(tonic::Code::OutOfRange)) {
        headers.insert(Status::GRPC_STATUS, code(tonic::Code::ResourceExhausted));
    }
    response
}

/// The same for a message of a stream, of which the answer is already under way.
pub(crate) fn renamed(status: Status) -> Status {
    if status.code() != tonic::Code::OutOfRange {
        return status;
    }
    let message = format!("an item is larger than what this server receives: {}", status.message());
    Status::resource_exhausted(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_streams_oversized_message_has_the_code_of_any_other() {
        assert_eq!(renamed(Status::out_of_range("x")).code(), tonic::Code::ResourceExhausted);
        assert_eq!(renamed(Status::aborted("x")).code(), tonic::Code::Aborted);
    }

    #[test]
    fn only_out_of_range_is_renamed() {
        for (from, to) in [(11, 8), (3, 3), (0, 0)] {
            let response = Response::builder().header("grpc-status", from).body(()).unwrap();
            assert_eq!(rename(response).headers()["grpc-status"], to.to_string());
        }
    }
}
