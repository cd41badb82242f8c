//! How far one exchange has come: written by resolver, tripwire and connector, read when it ends.
//!
//! hyper polls a connection's making inside the request that asked for it, so a task-local
//! reaches from [`Egress`](crate::Egress) into them. Once a kept connection became free first,
//! the making goes on in the background and outside: then only the handle that was taken at its
//! start is written to, and nobody reads it any more.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

tokio::task_local! {
    static CURRENT: Arc<Progress>;
}

/// One exchange's way to its connection.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The port of the target: a resolver is asked for names only.
    port: u16,
    /// https.
    secure: bool,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    stage: Stage,
    began: Option<Instant>,
    took: Duration,
    local: Option<SocketAddr>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// No connection is being made: a kept one is used.
    #[default]
    Kept,
    LookingUp,
    Connecting,
    /// Over TCP or TLS: a client that makes both in one does not tell which.
    ConnectingSecurely,
    /// The proxy is reached, or reaches out.
    Tunnelling,
    /// TLS.
    Securing,
    Connected,
}

impl Progress {
    pub(crate) fn new(port: u16, secure: bool) -> Arc<Self> {
        Arc::new(Self {
            port,
            secure,
            state: Mutex::default(),
        })
    }

    /// Runs a future as the exchange that this describes.
    pub(crate) fn scope<F: Future>(
        self: Arc<Self>,
        exchange: F,
    ) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, exchange)
    }

    /// The exchange that is being polled.
    pub(crate) fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn begins(&self) {
        self.update(|state| {
            state.stage = Stage::Connecting;
            state.began = Some(Instant::now());
        });
    }

    pub(crate) fn looks_up(&self) {
        self.update(|state| state.stage = Stage::LookingUp);
    }

    /// The client connects, and secures the connection if it is to be secure.
    pub(crate) fn reaches(&self) {
        let stage = if self.secure {
            Stage::ConnectingSecurely
        } else {
            Stage::Connecting
        };
        self.update(|state| state.stage = stage);
    }

    pub(crate) fn tunnels(&self) {
        self.update(|state| state.stage = Stage::Tunnelling);
    }

    pub(crate) fn secures(&self) {
        self.update(|state| state.stage = Stage::Securing);
    }

    /// The connection could not be made.
    pub(crate) fn failed(&self) {
        self.update(|state| state.took = state.began.map(|at| at.elapsed()).unwrap_or_default());
    }

    pub(crate) fn connected(&self, local: SocketAddr) {
        self.update(|state| {
            state.stage = Stage::Connected;
            state.took = state.began.map(|at| at.elapsed()).unwrap_or_default();
            state.local = Some(local);
        });
    }

    pub(crate) fn stage(&self) -> Stage {
        self.read().stage
    }

    /// What connecting took of an exchange that was answered over the socket `local`: zero when
    /// that is not the connection made here.
    pub(crate) fn connect_of(&self, local: Option<SocketAddr>) -> Duration {
        let state = self.read();
        if state.local.is_some() && state.local == local {
            state.took
        } else {
            Duration::ZERO
        }
    }

    /// What connecting took of an exchange without an answer, up to now if it still goes on.
    pub(crate) fn connect_so_far(&self) -> Duration {
        let state = self.read();
        match (state.stage, state.began) {
            (
                Stage::LookingUp
                | Stage::Connecting
                | Stage::ConnectingSecurely
                | Stage::Tunnelling
                | Stage::Securing,
                Some(began),
            ) if state.took.is_zero() => began.elapsed(),
            (
                Stage::Kept
                | Stage::LookingUp
                | Stage::Connecting
                | Stage::ConnectingSecurely
                | Stage::Tunnelling
                | Stage::Securing
                | Stage::Connected,
                _,
            ) => state.took,
        }
    }

    fn read(&self) -> State {
        // Plain data, written whole: a panic elsewhere leaves nothing half done.
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
