//! What can go wrong in egress itself, and what stops a connection before it is used.

use std::io;

use rustix::io::Errno;
use whisperer_domain::address::Forbidden;

use crate::resolve::LookupError;

/// Why no [`Egress`](crate::Egress) could be made.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    #[error("the extra roots in {name} cannot be read as PEM certificates: {words}")]
    ExtraRoots {
        /// As configured.
        name: String,
        words: String,
    },
    #[error("TLS could not be set up")]
    Tls(#[source] rustls::Error),
    #[error("the HTTP client could not be built")]
    Client(#[source] reqwest::Error),
}

/// Why a connection was not made or not used. Travels through the client as a cause, and is found
/// again by [`fault`](crate::fault).
#[derive(Debug, thiserror::Error)]
pub(crate) enum Barred {
    #[error("forbidden by the address policy")]
    Policy(#[source] Forbidden),
    /// As `Policy`, of an address that a resolver answered.
    #[error("an answer of the resolver is forbidden by the address policy")]
    PolicyOfName(#[source] Forbidden),
    #[error("the name look-up took too long")]
    LookupTooSlow,
    #[error("the name look-up failed")]
    Lookup(#[source] LookupError),
    #[error("the name has no address")]
    NoAddress,
    /// Files or memory of this process, not the receiver.
    #[error("this server cannot open a connection")]
    Exhausted(#[source] io::Error),
    #[error("the egress proxy")]
    Proxy(#[source] ProxyFault),
    /// Cannot happen; refused rather than let through unchecked.
    #[error("a connection that no exchange asked for, or whose peer cannot be told")]
    Unaccounted,
}

/// What went wrong between here and the far end of the proxy's tunnel.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyFault {
    #[error("its name cannot be looked up")]
    Lookup(#[source] Box<Barred>),
    #[error("it cannot be reached")]
    Unreachable(#[source] io::Error),
    /// It answered that the target cannot be reached.
    #[error("it answered {status}: the target cannot be reached")]
    NoWay { status: u16 },
    #[error("it answered {status}")]
    Refused { status: u16 },
    #[error("it does not answer as an HTTP proxy does")]
    NotAProxy,
}

/// Whether an error says that this process, or this machine, has no more to give.
pub(crate) fn is_exhaustion(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
