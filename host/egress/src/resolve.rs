//! Names to addresses, through the address policy: what is dialled has passed.
//!
//! The answers are checked at each look-up, so a name that was public yesterday, or a moment
//! ago, is refused as soon as it is not (DNS rebinding). Literals are checked in the same place.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use whisperer_domain::address::AddressPolicy;
use whisperer_domain::port::BoxFuture;

use crate::error::Barred;
use crate::progress::Progress;

/// The most addresses of a name that are tried.
const ADDRESSES_TRIED_MAX: usize = 8;

/// Asks for the addresses of a name. The system's resolver in production; tests bring their own.
pub trait Lookup: Send + Sync + 'static {
    /// No address at all is an empty list.
    fn lookup(&self, name: &str) -> BoxFuture<'static, Result<Vec<IpAddr>, LookupError>>;
}

/// Why a look-up gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    #[error("there is no such name")]
    NoSuchName,
    /// Its name servers failed, or ours: a stub resolver is not told which.
    #[error("the name servers gave no usable answer")]
    NoAnswer,
    /// Nothing was asked: this process could not.
    #[error("this server could not look up a name")]
    Ours(#[source] io::Error),
}

/// Looks names up for what is to be sent, within the policy and a time of its own.
pub(crate) struct Names {
    pub(crate) lookup: Arc<dyn Lookup>,
    pub(crate) policy: Arc<AddressPolicy>,
    pub(crate) timeout: Duration,
}

impl Names {
    /// The addresses of a target that may be dialled, the first to be tried first.
    pub(crate) async fn permitted(
        &self,
        host: &str,
        port: u16,
        progress: &Progress,
    ) -> Result<Vec<SocketAddr>, Barred> {
        if let Some(ip) = literal(host) {
            let address = SocketAddr::new(ip, port);
            self.policy.check_dial(address).map_err(Barred::Policy)?;
            return Ok(vec![address]);
        }
        progress.looks_up();
        let answers = self.answers(host).await?;
        if answers.is_empty() {
            return Err(Barred::NoAddress);
        }
        let answers: Vec<_> = answers
            .into_iter()
            .map(|ip| SocketAddr::new(ip, port))
            .collect();
        let mut permitted = self
            .policy
            .check_answers(&answers)
            .map_err(Barred::PolicyOfName)?;
        permitted.truncate(ADDRESSES_TRIED_MAX);
        Ok(permitted)
    }

    /// The addresses of something that the operator named, whatever they are.
    pub(crate) async fn unchecked(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Barred> {
        let mut answers = match literal(host) {
            Some(ip) => vec![ip],
            None => self.answers(host).await?,
        };
        if answers.is_empty() {
            return Err(Barred::NoAddress);
        }
        answers.truncate(ADDRESSES_TRIED_MAX);
        let dialled = |ip| SocketAddr::new(ip, port);
        Ok(answers.into_iter().map(dialled).collect())
    }

    async fn answers(&self, host: &str) -> Result<Vec<IpAddr>, Barred> {
        tokio::time::timeout(self.timeout, self.lookup.lookup(host))
            .await
            .map_err(|_| Barred::LookupTooSlow)?
            .map_err(Barred::Lookup)
    }
}

/// An address as it stands in a URL, where IPv6 has brackets.
pub(crate) fn literal(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}
