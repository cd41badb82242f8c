//! A finished connection, as the HTTP client sees it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::{fmt, io};

use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::meter::Meter;

/// TCP, or TLS over it, or either of them through a proxy.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

pub(crate) type Stream = Box<dyn Duplex>;

/// Told with each answer that came over the connection.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) local: SocketAddr,
    pub(crate) meter: Arc<Meter>,
}

pub(crate) struct Link {
    pub(crate) io: TokioIo<Stream>,
    pub(crate) origin: Origin,
    pub(crate) http2: bool,
    pub(crate) open: Open,
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        let connected = Connected::new().extra(self.origin.clone());
        if self.open.crowded {
            // Serves the exchange that asked for it and is closed.
            connected.poison();
        }
        if self.http2 {
            connected.negotiated_h2()
        } else {
            connected
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = &self.origin.local;
        f.debug_struct("Link").field("local", local).finish()
    }
}

impl hyper::rt::Read for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl hyper::rt::Write for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Counts the connections that are open, over all hosts and all clients that share it.
///
/// The pool bounds what is kept for one host and for how long, not how many hosts there are. A
/// connection that is made while many are open already is not kept after its exchange: so those
/// that idle are never more than `kept_max`, whatever number of hosts is sent to.
#[derive(Debug)]
pub struct Connections {
    open: AtomicUsize,
    kept_max: usize,
}

impl Connections {
    #[must_use]
    pub fn new(kept_max: usize) -> Arc<Self> {
        Arc::new(Self {
            open: AtomicUsize::new(0),
            kept_max,
        })
    }

    /// Connections that are open now, in use or kept.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub(crate) fn enter(self: &Arc<Self>) -> Open {
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        Open {
            crowded: before >= self.kept_max,
            connections: Arc::clone(self),
        }
    }
}

/// One of the open connections.
pub(crate) struct Open {
    crowded: bool,
    connections: Arc<Connections>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.connections.open.fetch_sub(1, Ordering::Relaxed);
    }
}
