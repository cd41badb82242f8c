//! One exchange after the other, over one pool of connections.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpInfo;
use reqwest::{Certificate, Client, ClientBuilder, redirect, retry};
use tokio::time::{Instant, timeout_at};
use whisperer_domain::address::AddressPolicy;
use whisperer_domain::hook::TIMEOUT_MAX;
use whisperer_domain::outcome::UnreachableCause;
use whisperer_domain::port::{BoxFuture, Clock, Exchange, Exchanged, OutboundRequest, Transport};

use crate::asks::asks;
use crate::error::EgressError;
use crate::progress::{Progress, Stage};
use crate::resolve::{GuardedResolver, Lookup, SystemLookup};
use crate::retry_after::retry_after;
use crate::tripwire::TripwireLayer;
use crate::{answer, fault, request};

/// A dead HTTP/2 connection carries every request to its host; it is found out by a ping while
/// requests wait on it.
const HTTP2_PING_AFTER: Duration = Duration::from_secs(15);
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(10);

pub struct EgressConfig {
    pub policy: Arc<AddressPolicy>,
    /// For `Retry-After` dates only.
    pub clock: Arc<dyn Clock>,
    pub pool_idle_per_host: usize,
    /// Shorter than receivers keep theirs, or requests meet connections that just closed.
    pub pool_idle_timeout: Duration,
    /// Of one name look-up, within the deadline of the exchange.
    pub dns_timeout: Duration,
    /// PEM bundles of authorities to trust beside the system's.
    pub extra_roots: Vec<Vec<u8>>,
}

impl EgressConfig {
    #[must_use]
    pub fn new(policy: Arc<AddressPolicy>, clock: Arc<dyn Clock>) -> Self {
        Self {
            policy,
            clock,
            pool_idle_per_host: 16,
            pool_idle_timeout: Duration::from_secs(30),
            dns_timeout: Duration::from_secs(5),
            extra_roots: Vec::new(),
        }
    }
}

/// The transport over HTTP/1.1 and, where a server offers it by ALPN, HTTP/2.
pub struct Egress {
    client: Client,
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
            client: client(&config, lookup)?,
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
        let progress = Progress::new(request.url.port());
        let request = match request::build(request) {
            Ok(request) => request,
            Err(message) => {
                let cause = UnreachableCause::Protocol;
                return (Exchanged::Unreachable { cause, message }, Duration::ZERO);
            }
        };
        let head = timeout_at(deadline, self.client.execute(request));
        match Arc::clone(&progress).scope(head).await {
            Ok(Ok(head)) => {
                let local = head.extensions().get().map(HttpInfo::local_addr);
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
        Stage::Kept | Stage::Connected => "waiting for the answer's head",
    }
}

fn client(config: &EgressConfig, lookup: Arc<dyn Lookup>) -> Result<Client, EgressError> {
    let mut roots = Vec::new();
    for (index, pem) in config.extra_roots.iter().enumerate() {
        let number = index + 1;
        let bundle = match Certificate::from_pem_bundle(pem) {
            Ok(bundle) if bundle.is_empty() => Err(None),
            read => read.map_err(Some),
        }
        .map_err(|source| EgressError::ExtraRoots { number, source })?;
        roots.extend(bundle);
    }
    // reqwest takes the process's provider. An error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match builder(config, &lookup)
        .tls_certs_merge(roots.clone())
        .build()
    {
        Ok(client) => Ok(client),
        // A bare container has no authorities of its own. That is no reason not to start: plain
        // http works, and https to what the extra roots vouch for.
        Err(error) => {
            let client = builder(config, &lookup).tls_certs_only(roots).build();
            if client.is_ok() {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the system has no certificate authorities: https receivers will not be \
                     trusted; install ca-certificates"
                );
            }
            client.map_err(|_| EgressError::Client(error))
        }
    }
}

/// All that reqwest does by default and a webhook sender must not.
fn builder(config: &EgressConfig, lookup: &Arc<dyn Lookup>) -> ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(retry::never())
        .no_proxy()
        .pool_max_idle_per_host(config.pool_idle_per_host)
        .pool_idle_timeout(config.pool_idle_timeout)
        // The exchange's deadline ends every wait but one: a connection that is made in the
        // background because a kept one became free first.
        .connect_timeout(TIMEOUT_MAX)
        .http2_keep_alive_interval(HTTP2_PING_AFTER)
        .http2_keep_alive_timeout(HTTP2_PING_TIMEOUT)
        .dns_resolver(GuardedResolver {
            lookup: Arc::clone(lookup),
            policy: Arc::clone(&config.policy),
            timeout: config.dns_timeout,
        })
        .connector_layer(TripwireLayer {
            policy: Arc::clone(&config.policy),
        })
}
