//! A body over HTTP/1.1, of which the rest is read and thrown away where nobody wants it.
//!
//! Whoever is refused before everything is read would otherwise see a connection that breaks while it still sends, and not the answer: a
//! browser shows nothing else then. What is read in vain is bounded in bytes and time.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// A body that is read to its end, by somebody or by nobody.
pub(super) struct Rest<B: Body<Data = Bytes> + Send + Unpin + 'static>
where
    B::Error: Send,
{
    inner: Option<B>,
    most: u64,
    time: Duration,
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Rest<B>
where
    B::Error: Send,
{
    /// Of what nobody wants so many bytes are read, for so long.
    pub(super) fn new(inner: B, most: u64, time: Duration) -> Self {
        Self { inner: Some(inner), most, time }
    }
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Body for Rest<B>
where
    B::Error: Send,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let frame = Pin::new(inner).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.inner = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Drop for Rest<B>
where
    B::Error: Send,
{
    fn drop(&mut self) {
        let Some(body) = self.inner.take().filter(|body| self.most > 0 && !body.is_end_stream()) else {
            return;
        };
        // Without a runtime nobody sends anything any more.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(self.time, read(body, self.most)));
        }
    }
}

async fn read<B: Body<Data = Bytes> + Unpin>(mut body: B, mut most: u64) {
    while let Some(Ok(frame)) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let length = frame.data_ref().map_or(1, |data| data.len() as u64);
        match most.checked_sub(length.max(1)) {
            Some(left) => most = left,
            None => return,
        }
    }
}
