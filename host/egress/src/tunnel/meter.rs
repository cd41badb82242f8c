//! How much one tunnel may make us read.
//!
//! A peer can send without end and without ever answering: interim answers, frames of HTTP/2 that
//! carry nothing, TLS records. Deadlines bound how long that goes on, this bounds how much work
//! it is: what comes faster is left in the system's buffers, and TCP slows the peer down. Each
//! answer earns its connection what a long answer takes, so whoever answers never notices.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// At the start: a handshake and several of the longest answers.
const START_BYTES: i64 = 512 << 10;
const BYTES_PER_SECOND: i64 = 128 << 10;
/// For each answer: more than is read of any.
const ANSWER_BYTES: i64 = 128 << 10;
const SAVED_BYTES_MAX: i64 = 2 << 20;
/// How long a reader without credit looks away.
const PAUSE: Duration = Duration::from_millis(25);

/// What one connection may still be read of.
#[derive(Debug)]
pub(super) struct Meter(Mutex<Credit>);

#[derive(Debug)]
struct Credit {
    /// Below zero after a read that was larger than what was left.
    bytes: i64,
    at: Instant,
}

impl Meter {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Credit {
            bytes: START_BYTES,
            at: Instant::now(),
        })))
    }

    /// An exchange on this connection got its answer's head.
    pub(super) fn answered(&self) {
        self.with(|credit| credit.earn(ANSWER_BYTES));
    }

    fn may_read(&self) -> bool {
        self.with(|credit| {
            let waited_ms = i64::try_from(credit.at.elapsed().as_millis()).unwrap_or(i64::MAX);
            // What is less than a millisecond is left for the next look.
            if waited_ms > 0 {
                credit.at = Instant::now();
                credit.earn(waited_ms.saturating_mul(BYTES_PER_SECOND / 1000));
            }
            credit.bytes > 0
        })
    }

    fn has_read(&self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.with(|credit| credit.bytes = credit.bytes.saturating_sub(bytes));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Credit) -> T) -> T {
        // Numbers, written whole: a panic elsewhere leaves nothing half done.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Credit {
    fn earn(&mut self, bytes: i64) {
        self.bytes = self.bytes.saturating_add(bytes).min(SAVED_BYTES_MAX);
    }
}

/// A stream that is read as its meter allows.
pub(super) struct Metered<S> {
    stream: S,
    meter: Arc<Meter>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<S> Metered<S> {
    pub(super) fn new(stream: S, meter: Arc<Meter>) -> Self {
        Self {
            stream,
            meter,
            pause: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while !this.meter.may_read() {
            let pause = this.pause.get_or_insert_with(|| Box::pin(sleep(PAUSE)));
            ready!(pause.as_mut().poll(cx));
            this.pause = None;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        this.meter
            .has_read(buf.filled().len().saturating_sub(before));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncReadExt;
    use tokio::time::{Instant, timeout};

    use super::{BYTES_PER_SECOND, Meter, Metered, START_BYTES};

    /// Time is paused: what is read in how long is exact but for the pauses' grain.
    #[tokio::test(start_paused = true)]
    async fn an_endless_peer_is_read_slowly_and_an_answer_earns_more() {
        let meter = Meter::new();
        let mut endless = Metered::new(tokio::io::repeat(b'x'), meter.clone());
        let mut buffer = vec![0; 16 << 10];
        let mut read_for = async |wait: Duration| {
            let (mut read, end) = (0_i64, Instant::now() + wait);
            while let Ok(more) = tokio::time::timeout_at(end, endless.read(&mut buffer)).await {
                read += i64::try_from(more.unwrap()).unwrap();
            }
            read
        };
        let grain = 32 << 10;
        let first = read_for(Duration::from_secs(10)).await;
        let expected = START_BYTES + 10 * BYTES_PER_SECOND;
        assert!((first - expected).abs() < grain, "{first} of {expected}");
        meter.answered();
        let second = read_for(Duration::from_millis(100)).await;
        let expected = super::ANSWER_BYTES + BYTES_PER_SECOND / 10;
        assert!((second - expected).abs() < grain, "{second} of {expected}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_says_little_is_read_at_once() {
        let (mut far, near) = tokio::io::duplex(1024);
        let mut metered = Metered::new(near, Meter::new());
        for _ in 0..100 {
            tokio::io::AsyncWriteExt::write_all(&mut far, b"hello")
                .await
                .unwrap();
            let mut said = [0; 5];
            let reading = metered.read_exact(&mut said);
            timeout(Duration::from_millis(1), reading)
                .await
                .unwrap()
                .unwrap();
        }
    }
}
