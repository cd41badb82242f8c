//! One exchange after the other, over one pool of connections.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use whisperer_domain::address::AddressPolicy;
use whisperer_domain::hook::TIMEOUT_MAX;
use whisperer_domain::outcome::UnreachableCause;
use whisperer_domain::port::{BoxFuture, Clock, Exchange, Exchanged, OutboundRequest, Transport};

use crate::asks::asks;
use crate::connections::{Connections, Pool};
use crate::direct::Direct;
use crate::error::EgressError;
use crate::progress::{Progress, Stage};
use crate::request::Post;
use crate::resolve::{Lookup, Names};
use crate::retry_after::retry_after;
use crate::system_lookup::SystemLookup;
use crate::trust::{ExtraRoots, client_config};
use crate::tunnel::{EgressProxy, Tunnel};
use crate::way::Way;
use crate::{answer, fault};

pub struct EgressConfig {
    pub policy: Arc<AddressPolicy>,
    /// For `Retry-After` dates only.
    pub clock: Arc<dyn Clock>,
    /// As many as attempts to one host may be under way, about: with fewer, what the ones leave is
    /// closed and opened anew for the next.
    pub pool_idle_per_host: usize,
    /// Shorter than receivers keep theirs, or requests meet connections that just closed.
    pub pool_idle_timeout: Duration,
    /// Over all hosts; several clients may share it.
    pub connections: Arc<Connections>,
    /// Of making a connection, name look-up and TLS included, within the deadline of the exchange.
    /// A name's addresses share it, so that a silent one leaves time for the next.
    pub connect_timeout: Duration,
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
            pool_idle_per_host: 128,
            pool_idle_timeout: Duration::from_secs(30),
            connections: Connections::new(1024),
            connect_timeout: Duration::from_secs(10),
            dns_timeout: Duration::from_secs(5),
            extra_roots: Vec::new(),
            proxy: None,
        }
    }
}

/// The transport over HTTP/1.1 and, where a server offers it by ALPN, HTTP/2.
pub struct Egress {
    way: Way,
    pool: Pool,
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
            way: way(&config, lookup)?,
            pool: Pool::new(
                Arc::clone(&config.connections),
                config.pool_idle_per_host,
                config.pool_idle_timeout,
            ),
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
        let secure = request.url.as_url().scheme() == "https";
        let progress = Progress::new(request.url.port(), secure);
        let post = match Post::of(request) {
            Ok(post) => post,
            Err(message) => {
                let cause = UnreachableCause::Protocol;
                return (Exchanged::Unreachable { cause, message }, Duration::ZERO);
            }
        };
        let mut place = self.pool.enter(&origin);
        let head = timeout_at(deadline, self.way.send(post, place.keeps()));
        match Arc::clone(&progress).scope(head).await {
            Ok(Ok(head)) => {
                place.answered(head.local);
                let headers = head.response.headers();
                let retry_after = retry_after(headers, self.clock.now());
                let asks = asks(headers);
                let response = answer::read(head.response, deadline).await;
                let answered = Exchanged::Answered {
                    response,
                    retry_after,
                    asks,
                };
                (answered, progress.connect_of(head.local))
            }
            Ok(Err(error)) if !fault::is_timeout(error.as_ref()) => (
                fault::judge(error.as_ref(), &origin),
                progress.connect_so_far(),
            ),
            Ok(Err(_)) | Err(_) => {
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
        Stage::ConnectingSecurely => "connecting, or waiting for the TLS handshake",
        Stage::Tunnelling => "reaching the receiver through the operator's proxy",
        Stage::Securing => "waiting for the TLS handshake",
        Stage::Kept | Stage::Connected => "waiting for the answer's head",
    }
}

fn way(config: &EgressConfig, lookup: Arc<dyn Lookup>) -> Result<Way, EgressError> {
    let names = Arc::new(Names {
        lookup,
        policy: Arc::clone(&config.policy),
        timeout: config.dns_timeout,
    });
    let to_receivers = client_config(&config.extra_roots, &[b"http/1.1"])?;
    Ok(match &config.proxy {
        None => Way::Direct(Direct::new(config, &names, &to_receivers)?),
        Some(proxy) => {
            let mut to_proxy = to_receivers.clone();
            to_proxy.alpn_protocols.clear();
            let tls = [to_proxy, to_receivers];
            let tunnel = Tunnel::new(config, proxy.clone(), &names, tls);
            Way::Tunnel(Box::new(tunnel))
        }
    })
}
