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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_out_of_range_is_renamed() {
        for (from, to) in [(11, 8), (3, 3), (0, 0)] {
            let response = Response::builder().header("grpc-status", from).body(()).unwrap();
            assert_eq!(rename(response).headers()["grpc-status"], to.to_string());
        }
    }
}
