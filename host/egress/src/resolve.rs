//! Names to addresses, through the address policy: what reqwest gets has passed.
//!
//! The answers are checked at each look-up, so a name that was public yesterday, or a moment
//! ago, is refused as soon as it is not (DNS rebinding). Literals never come here.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;
use whisperer_domain::address::AddressPolicy;
use whisperer_domain::port::BoxFuture;

use crate::error::Barred;
use crate::progress::Progress;

/// The most addresses of a name that are tried in turn.
const ADDRESSES_TRIED_MAX: usize = 8;

/// Look-ups that may be on a blocking thread at once. `getaddrinfo` cannot be stopped: the ones
/// that took too long live on there, and must not eat up the threads that the store reads on.
const SYSTEM_LOOKUPS_MAX: usize = 64;

/// Asks for the addresses of a name. The system's resolver in production; tests bring their own.
pub trait Lookup: Send + Sync + 'static {
    fn lookup(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The system's resolver: `/etc/hosts`, search domains and all.
pub(crate) struct SystemLookup {
    permits: Arc<Semaphore>,
}

impl SystemLookup {
    pub(crate) fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(SYSTEM_LOOKUPS_MAX)),
        }
    }
}

impl Lookup for SystemLookup {
    fn lookup(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        let permits = Arc::clone(&self.permits);
        Box::pin(async move {
            let permit = permits.acquire_owned().await.map_err(io::Error::other)?;
            tokio::task::spawn_blocking(move || {
                // Held until the call is over, not until its caller gave up.
                let _permit = permit;
                let answers = (name.as_str(), 0).to_socket_addrs()?;
                Ok(answers.map(|address| address.ip()).collect())
            })
            .await
            .map_err(io::Error::other)?
        })
    }
}

/// reqwest's resolver.
pub(crate) struct GuardedResolver {
    pub(crate) lookup: Arc<dyn Lookup>,
    pub(crate) policy: Arc<AddressPolicy>,
    pub(crate) timeout: Duration,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = self.lookup.lookup(name.as_str());
        let policy = Arc::clone(&self.policy);
        let timeout = self.timeout;
        Box::pin(async move {
            let progress = Progress::current().ok_or(Barred::Unaccounted)?;
            progress.looks_up();
            let answers = tokio::time::timeout(timeout, lookup)
                .await
                .map_err(|_| Barred::LookupTooSlow)?
                .map_err(Barred::Lookup)?;
            if answers.is_empty() {
                return Err(Barred::NoAddress.into());
            }
            let answers: Vec<_> = answers
                .into_iter()
                .map(|ip| SocketAddr::new(ip, progress.port()))
                .collect();
            let permitted = policy.check_answers(&answers).map_err(Barred::Policy)?;
            progress.has_addresses();
            let tried: Addrs = Box::new(permitted.into_iter().take(ADDRESSES_TRIED_MAX));
            Ok(tried)
        })
    }
}
