//! One exchange after the other, over one pool of connections.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use whisperer_domain::address::AddressPolicy;
use whisperer_domain::hook::TIMEOUT_MAX;
use whisperer_domain::outcome::UnreachableCause;
use whisperer_domain::port::{BoxFuture, Clock, Exchange, Exchanged, OutboundRequest, Transport};

use crate::asks::asks;
use crate::connector::{Connector, Parts};
use crate::error::EgressError;
use crate::link::{Connections, Origin};
use crate::progress::{Progress, Stage};
use crate::proxy::{EgressProxy, Tunnels};
use crate::resolve::{Lookup, Names};
use crate::retry_after::retry_after;
use crate::system_lookup::SystemLookup;
use crate::trust::{ExtraRoots, client_config};
use crate::{answer, fault, request};

/// A dead HTTP/2 connection carries every request to its host; it is found out by a ping while
/// requests wait on it.
const HTTP2_PING_AFTER: Duration = Duration::from_secs(15);
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(10);

/// What a connection has for reading, so about the longest head: at a fast peer's it fills up, and
/// a thousand peers may be fast at once.
const READ_BUFFER_BYTES: usize = 12 << 10;
const HTTP2_HEAD_BYTES_MAX: u32 = 16 << 10;
/// Of one answer over HTTP/2: no more is read of any.
const HTTP2_STREAM_WINDOW_BYTES: u32 = 64 << 10;
/// Of all answers of a connection together.
const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 1 << 20;

pub struct EgressConfig {
    pub policy: Arc<AddressPolicy>,
    /// For `Retry-After` dates only.
    pub clock: Arc<dyn Clock>,
    pub pool_idle_per_host: usize,
    /// Shorter than receivers keep theirs, or requests meet connections that just closed.
    pub pool_idle_timeout: Duration,
    /// Over all hosts; several clients may share it.
    pub connections: Arc<Connections>,
    /// Of one name look-up, within the deadline of the exchange.
    pub dns_timeout: Duration,
    pub extra_roots: Vec<ExtraRoots>,
    pub proxy: Option<EgressProxy>,
}

impl EgressConfig {
    #[must_use]
    pub fn new(policy: Arc<AddressPolicy>, clock: Arc<dyn Clock>) -> Self {
        Self {
            policy,
            clock,
            pool_idle_per_host: 16,
            pool_idle_timeout: Duration::from_secs(30),
            connections: Connections::new(1024),
            dns_timeout: Duration::from_secs(5),
            extra_roots: Vec::new(),
            proxy: None,
        }
    }
}

/// The transport over HTTP/1.1 and, where a server offers it by ALPN, HTTP/2.
pub struct Egress {
    client: Client<Connector, Full<Bytes>>,
    policy: Arc<AddressPolicy>,
    clock: Arc<dyn Clock>,
}

impl Egress {
    /// With the system's resolver.
    ///
    /// # Errors
    /// `extra_roots` are not PEM certificates.
    pub fn new(config: EgressConfig) -> Result<Self, EgressError> {
        Self::with_lookup(config, Arc::new(SystemLookup::new()))
    }

    /// With a resolver of the caller's; its answers go through the policy all the same.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_lookup(config: EgressConfig, lookup: Arc<dyn Lookup>) -> Result<Self, EgressError> {
        Ok(Self {
            client: client(&config, parts(&config, lookup)?),
            policy: config.policy,
            clock: config.clock,
        })
    }

    async fn exchange(&self, request: OutboundRequest) -> Exchange {
        let began = Instant::now();
        let (result, connect) = match self.policy.check_target(&request.url) {
            Ok(()) => self.attempt(request, began).await,
            Err(forbidden) => {
                let origin = request.url.origin();
                let message = format!("{origin} may not be sent to: {forbidden}");
                (Exchanged::Blocked { message }, Duration::ZERO)
            }
        };
        Exchange {
            result,
            connect,
            total: began.elapsed(),
        }
    }

    /// The exchange, and what connecting took of it.
    async fn attempt(&self, request: OutboundRequest, began: Instant) -> (Exchanged, Duration) {
        let deadline = began + request.timeout.min(TIMEOUT_MAX);
        let origin = request.url.origin();
        let progress = Progress::new();
        let request = match request::build(request) {
            Ok(request) => request,
            Err(message) => {
                let cause = UnreachableCause::Protocol;
                return (Exchanged::Unreachable { cause, message }, Duration::ZERO);
            }
        };
        let head = timeout_at(deadline, self.client.request(request));
        match Arc::clone(&progress).scope(head).await {
            Ok(Ok(head)) => {
                let origin: Option<&Origin> = head.extensions().get();
                let local = origin.map(|origin| {
                    origin.meter.answered();
                    origin.local
                });
                let retry_after = retry_after(head.headers(), self.clock.now());
                let asks = asks(head.headers());
                let response = answer::read(head, deadline).await;
                let answered = Exchanged::Answered {
                    response,
                    retry_after,
                    asks,
                };
                (answered, progress.connect_of(local))
            }
            Ok(Err(error)) => (fault::judge(&error, &origin), progress.connect_so_far()),
            Err(_) => {
                let while_doing = while_doing(progress.stage()).to_owned();
                (
                    Exchanged::TimedOut { while_doing },
                    progress.connect_so_far(),
                )
            }
        }
    }
}

impl Transport for Egress {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'_, Exchange> {
        Box::pin(self.exchange(request))
    }
}

fn while_doing(stage: Stage) -> &'static str {
    match stage {
        Stage::LookingUp => "looking up the name",
        Stage::Connecting => "connecting",
        Stage::Tunnelling => "reaching the receiver through the operator's proxy",
        Stage::Securing => "waiting for the TLS handshake",
        Stage::Kept | Stage::Connected => "waiting for the answer's head",
    }
}

/// What connections are made with.
pub(crate) fn parts(config: &EgressConfig, lookup: Arc<dyn Lookup>) -> Result<Parts, EgressError> {
    let tls = client_config(&config.extra_roots, &[b"h2", b"http/1.1"])?;
    let tunnels = match &config.proxy {
        Some(proxy) => {
            let tls = client_config(&config.extra_roots, &[])?;
            Some(Tunnels::new(proxy.clone(), tls))
        }
        None => None,
    };
    Ok(Parts {
        names: Names {
            lookup,
            policy: Arc::clone(&config.policy),
            timeout: config.dns_timeout,
        },
        policy: Arc::clone(&config.policy),
        tls: TlsConnector::from(tls),
        tunnels,
        connections: Arc::clone(&config.connections),
    })
}

fn client(config: &EgressConfig, parts: Parts) -> Client<Connector, Full<Bytes>> {
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(config.pool_idle_per_host)
        .pool_idle_timeout(config.pool_idle_timeout)
        // Of requests that were not begun only: a kept connection turned out to be closed.
        .retry_canceled_requests(true)
        .http1_max_buf_size(READ_BUFFER_BYTES)
        .http2_initial_stream_window_size(HTTP2_STREAM_WINDOW_BYTES)
        .http2_initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
        .http2_max_header_list_size(HTTP2_HEAD_BYTES_MAX)
        .http2_keep_alive_interval(HTTP2_PING_AFTER)
        .http2_keep_alive_timeout(HTTP2_PING_TIMEOUT)
        .build(Connector(Arc::new(parts)))
}
