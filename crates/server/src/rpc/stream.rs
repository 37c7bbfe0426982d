//! An explanation that is told of while it runs.

use std::pin::pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use unmask_protocol::v1::explain_stream_response::Kind;
use unmask_protocol::v1::{ExplainStreamRequest, ExplainStreamResponse};

use super::{Answers, Service, within};
use crate::run::Live;
use crate::transport::Arrival;
use crate::{decode, encode};

const CALL: &str = "explain_stream";

type Sender = mpsc::Sender<Result<ExplainStreamResponse, Status>>;

impl Service {
    /// Explains, and answers with news until there is the answer. Nothing piles up for a client that reads slowly, and whoever does not
    /// read at all, or has gone, frees its place.
    pub(super) fn streamed(
        &self,
        arrival: Arrival,
        message: ExplainStreamRequest,
    ) -> Answers<ExplainStreamResponse> {
        let (answers, receiver) = mpsc::channel(1);
        let service = self.clone();
        tokio::spawn(async move {
            let gone = answers.clone();
            tokio::select! {
                // What is dropped here is cancelled.
                () = gone.closed() => {}
                () = service.tell(arrival, message, answers) => {}
            }
        });
        Box::pin(ReceiverStream::new(receiver))
    }

    async fn tell(&self, arrival: Arrival, message: ExplainStreamRequest, answers: Sender) {
        let idle = self.state.idle;
        let (every, wrong) = decode::map_every(message.map_every_ms);
        let live = Arc::new(Live::new(every));
        let request = message.request.unwrap_or_default();
        let mut done = pin!(self.explained(CALL, arrival, request, Some((wrong, Arc::clone(&live)))));
        let last = loop {
            let news = async {
                live.changed().await;
                within(idle, answers.reserve()).await
            };
            tokio::select! {
                biased;
                done = &mut done => break done,
                room = news => match (room, live.take()) {
                    (Some(Ok(room)), Some(news)) => room.send(Ok(encode::news(news))),
                    (Some(Ok(_)), None) => {}
                    // Nobody reads any more.
                    (Some(Err(_)) | None, _) => return,
                },
            }
        };
        let last = last.map(|answer| ExplainStreamResponse { kind: Some(Kind::Answer(answer.into_inner())) });
        // A client that has gone needs no answer, and one that does not read gets none.
        let _ = within(idle, answers.send(last)).await;
    }
}
