//! A request's body, of which no message is read before its bytes have been let in, and none takes for ever to come.
//!
//! A gRPC message announces its length in five bytes. Those bytes of memory are asked for before the rest is read: the first
//! message of a request gets them at once or is refused, further ones of a stream wait for a while, and HTTP/2 makes their
//! client wait. A request that is one message has its time up to its end, and brings no second one.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep_until};
use tonic::Status;

use super::arrival::Messages;
use crate::admission::{self, Held};
use crate::decode::Class;
use crate::error::{RequestError, Shortage};
use crate::telemetry::Telemetry;

/// A flag and a length.
const PREFIX: usize = 5;

pub(super) struct Metered<B> {
    inner: B,
    bytes: admission::Bytes,
    messages: Messages,
    telemetry: Telemetry,
    limits: Limits,
    prefix: [u8; PREFIX],
    /// Bytes of the prefix that have come.
    have: usize,
    /// Bytes of the message that are still to come.
    left: u64,
    count: u64,
    /// Until when what is waited for has to be there.
    timer: Option<Pin<Box<Sleep>>>,
    /// Data that has come and was not handed on, and the bytes that it waits for.
    waiting: Option<(Bytes, Wait)>,
}

type Wait = Pin<Box<dyn Future<Output = Option<Held>> + Send>>;

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One message, and then its end.
    One,
    /// As many as its client likes.
    Many,
}

/// What bounds a body.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) kind: Kind,
    /// Largest message that is read; a larger one is refused by whoever decodes it, at its announcement.
    pub(super) message: u64,
    /// From its announcement to its last byte.
    pub(super) time: Duration,
    pub(super) deadline: Option<Instant>,
}

impl<B> Metered<B> {
    pub(super) fn new(
        inner: B,
        bytes: admission::Bytes,
        messages: Messages,
        telemetry: Telemetry,
        limits: Limits,
    ) -> Self {
        let (prefix, have, left, count, waiting) = Default::default();
        let mut body = Self {
            inner,
            bytes,
            messages,
            telemetry,
            limits,
            prefix,
            have,
            left,
            count,
            timer: None,
            waiting,
        };
        body.arm();
        body
    }

    /// Starts the time of a message.
    fn arm(&mut self) {
        let end = Instant::now() + self.limits.time;
        let end = self.limits.deadline.map_or(end, |deadline| deadline.min(end));
        self.timer = Some(Box::pin(sleep_until(end.into())));
    }

    /// Follows the messages through a piece of data from `at` on. Where one begins that has to wait for its bytes, gives the
    /// wait, and where to go on.
    fn follow(&mut self, data: &[u8], mut at: usize) -> Result<Option<(usize, Wait)>, Status> {
        while at < data.len() {
            if self.left > 0 {
                let part = self.left.min((data.len() - at) as u64);
                self.left -= part;
                at += part as usize;
            } else {
                if self.have == 0 && self.count > 0 {
                    self.arm();
                }
                let part = (PREFIX - self.have).min(data.len() - at);
                self.prefix[self.have..self.have + part].copy_from_slice(&data[at..at + part]);
                self.have += part;
                at += part;
                if self.have == PREFIX {
                    self.have = 0;
                    if let Some(wait) = self.begin()? {
                        return Ok(Some((at, wait)));
                    }
                }
            }
            if self.left == 0 && self.have == 0 && self.limits.kind == Kind::Many {
                // Between messages a stream may be silent.
                self.timer = None;
            }
        }
        Ok(None)
    }

    /// The prefix is there: lets the message in, or gives what it waits for.
    fn begin(&mut self) -> Result<Option<Wait>, Status> {
        let [compressed, length @ ..] = self.prefix;
        if compressed > 1 {
            return Err(Status::invalid_argument(format!(
                "a message begins with 0 or, where it is compressed, with 1, and not with {compressed}"
            )));
        }
        self.left = u64::from(u32::from_be_bytes(length));
        self.count += 1;
        // What a compressed message unfolds into is not known before, only how much is read of it.
        let bytes = if compressed == 0 { self.left } else { self.limits.message };
        if bytes > self.limits.message {
            return Ok(None);
        }
        let class = match (self.limits.kind, self.count) {
            (Kind::One, 1) => Class::Interactive,
            (Kind::One, _) => return Err(Status::invalid_argument("a request of this call is one message")),
            (Kind::Many, 1) => Class::Bulk,
            (Kind::Many, _) => {
                let free = self.bytes.clone();
                return Ok(Some(Box::pin(async move { free.wait(Class::Bulk, bytes).await })));
            }
        };
        let held = self.bytes.take(class, bytes).ok_or_else(|| {
            tracing::warn!(bytes, "refused: no memory for a message");
            self.no_memory()
        })?;
        self.messages.push(held);
        Ok(None)
    }

    fn no_memory(&self) -> Status {
        let error = RequestError::from(Shortage::Memory);
        self.telemetry.refused(&error);
        error.status("")
    }

    /// Hands data on when every message that begins in it has been let in.
    fn admit(&mut self, data: Bytes, at: usize) -> Result<Bytes, Status> {
        match self.follow(&data, at)? {
            None => Ok(data),
            Some((at, wait)) => {
                // The last byte of the announcement stays here with what follows, so that its reader makes no room yet.
                let at = at - 1;
                self.waiting = Some((data.slice(at..), wait));
                Ok(data.slice(..at))
            }
        }
    }

    /// What is wrong with the end of the body, if anything: said once.
    fn broken_off(&mut self) -> Option<Status> {
        let inside = std::mem::take(&mut self.left) > 0 || std::mem::take(&mut self.have) > 0;
        let none = self.limits.kind == Kind::One && self.count == 0;
        self.count += u64::from(none);
        match (inside, none) {
            (true, _) => Some(Status::invalid_argument("the request ends within a message")),
            (false, true) => Some(Status::invalid_argument("the request holds no message")),
            (false, false) => None,
        }
    }

    /// Whether the time of what is waited for is over.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready())
    }
}

impl<B> Body for Metered<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let body = &mut *self;
        // First, so that no flood of empty frames puts it off.
        if body.is_late(cx) {
            body.timer = None;
            return Poll::Ready(Some(Err(match body.waiting.take() {
                // Nobody waits for memory for ever, so that nobody waits in a circle.
                Some(_) => body.no_memory(),
                None => {
                    let message = "the message did not come in time; send it faster, or make it smaller";
                    Status::deadline_exceeded(message)
                }
            })));
        }
        if let Some((_, wait)) = &mut body.waiting {
            let held = ready!(wait.as_mut().poll(cx));
            let Some((data, _)) = body.waiting.take() else { return Poll::Ready(None) };
            let Some(held) = held else {
                return Poll::Ready(Some(Err(body.no_memory())));
            };
            body.messages.push(held);
            body.arm();
            return Poll::Ready(Some(body.admit(data, 1).map(Frame::data)));
        }
        match ready!(Pin::new(&mut body.inner).poll_frame(cx)) {
            Some(Ok(frame)) => Poll::Ready(Some(match frame.into_data() {
                Ok(data) => body.admit(data, 0).map(Frame::data),
                Err(other) => Ok(other),
            })),
            Some(Err(error)) => Poll::Ready(Some(Err(Status::from_error(error.into())))),
            None => {
                body.timer = None;
                Poll::Ready(body.broken_off().map(Err))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        // A body that is over before its message has to be read, to be told so.
        let none = self.limits.kind == Kind::One && self.count == 0;
        !none && self.waiting.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Frames that have come already.
    struct Come(VecDeque<Bytes>);

    impl Body for Come {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            Poll::Ready(self.0.pop_front().map(|data| Ok(Frame::data(data))))
        }
    }

    fn message(compressed: u8, length: u32) -> Vec<u8> {
        let prefix = [&[compressed][..], &length.to_be_bytes()].concat();
        [prefix, vec![7; if compressed == 0 { length as usize } else { 0 }]].concat()
    }

    /// What is handed on of frames of so many bytes each, and how many messages were let in; 4 KiB of messages may be in memory,
    /// of which `taken` are.
    async fn read(bytes: Vec<u8>, each: usize, kind: Kind, taken: u64) -> (Result<Vec<u8>, Status>, usize) {
        let frames = bytes.chunks(each).map(Bytes::copy_from_slice).collect();
        let memory = admission::Bytes::new(8 << 10);
        let _taken = memory.take(Class::Interactive, taken).unwrap();
        let messages = Messages::default();
        let limits = Limits { kind, message: 4 << 10, time: Duration::from_millis(50), deadline: None };
        let mut body = Metered::new(Come(frames), memory, messages.clone(), Telemetry::default(), limits);
        let mut read = Vec::new();
        loop {
            match std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                None => break,
                Some(Ok(frame)) => read.extend(frame.into_data().unwrap()),
                Some(Err(status)) => return (Err(status), messages.count()),
            }
        }
        (Ok(read), messages.count())
    }

    #[tokio::test]
    async fn messages_are_handed_on_as_they_came_however_they_are_cut() {
        let sent = [message(0, 0), message(0, 1500), message(0, 3), message(0, 900)].concat();
        for each in [1, 2, 3, 5, 7, 1000, 5000] {
            let (read, count) = read(sent.clone(), each, Kind::Many, 0).await;
            assert_eq!((read.unwrap(), count), (sent.clone(), 4), "{each}");
        }
    }

    #[tokio::test]
    async fn a_compressed_message_counts_as_the_largest_that_is_read() {
        for (compressed, fits) in [(0, true), (1, false)] {
            let (read, count) = read(message(compressed, 10), 100, Kind::One, 5 << 10).await;
            assert_eq!((read.is_ok(), count), (fits, usize::from(fits)));
        }
    }

    #[tokio::test]
    async fn what_is_no_message_is_its_senders_mistake() {
        let cut = message(0, 10)[..12].to_vec();
        for (sent, kind, said) in [
            (vec![], Kind::One, "the request holds no message"),
            (vec![0, 0, 0], Kind::One, "the request ends within a message"),
            (cut.clone(), Kind::One, "the request ends within a message"),
            (cut, Kind::Many, "the request ends within a message"),
            (
                message(7, 0),
                Kind::Many,
                "a message begins with 0 or, where it is compressed, with 1, and not with 7",
            ),
        ] {
            let (read, _) = read(sent, 100, kind, 0).await;
            let status = read.unwrap_err();
            assert_eq!((status.code(), status.message()), (tonic::Code::InvalidArgument, said));
        }
        assert!(read(vec![], 100, Kind::Many, 0).await.0.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_message_that_is_too_large_takes_nothing_and_is_left_to_who_refuses_it() {
        let sent = message(0, (4 << 10) + 1);
        let (read, count) = read(sent.clone(), 9000, Kind::One, 8 << 10).await;
        assert_eq!((read.unwrap(), count), (sent, 0));
    }

    #[tokio::test]
    async fn the_announcement_of_a_message_that_waits_is_not_whole_before_there_is_room() {
        let sent = [message(0, 10), message(0, 4000)].concat();
        // Streams have a half of it, which does not hold both.
        let (memory, messages) = (admission::Bytes::new(8 << 10), Messages::default());
        let first = messages.clone();
        let limits =
            Limits { kind: Kind::Many, message: 4 << 10, time: Duration::from_secs(600), deadline: None };
        let mut body = Metered::new(
            Come([Bytes::from(sent.clone())].into()),
            memory,
            messages,
            Telemetry::default(),
            limits,
        );
        let mut next = || Pin::new(&mut body).poll_frame(&mut Context::from_waker(std::task::Waker::noop()));
        let data = |frame| {
            let Poll::Ready(Some(Ok(frame))) = frame else { panic!("nothing is handed on") };
            Frame::into_data(frame).unwrap()
        };
        assert_eq!(data(next()), sent[..15 + PREFIX - 1]);
        assert!(next().is_pending());
        drop(first.take());
        assert_eq!(data(next()), sent[15 + PREFIX - 1..]);
    }

    #[tokio::test]
    async fn a_second_message_waits_for_its_bytes_for_a_while_or_is_one_too_many() {
        let sent = [message(0, 10), message(0, 4000)].concat();
        let (refused, count) = read(sent.clone(), 100, Kind::One, 0).await;
        assert_eq!((refused.unwrap_err().code(), count), (tonic::Code::InvalidArgument, 1));
        let (waited, count) = read(sent, 100, Kind::Many, 2 << 10).await;
        assert_eq!((waited.unwrap_err().code(), count), (tonic::Code::ResourceExhausted, 1));
    }
}
