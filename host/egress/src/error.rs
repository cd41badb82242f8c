//! What can go wrong in egress itself, and what stops a connection before it is used.

use std::io;

use whisperer_domain::address::Forbidden;

/// Why no [`Egress`](crate::Egress) could be made.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    #[error("extra root certificates number {number} hold no PEM certificate that can be read")]
    ExtraRoots {
        /// From 1, in the order configured.
        number: usize,
        /// None: nothing in them looks like a certificate.
        #[source]
        source: Option<reqwest::Error>,
    },
    #[error("the HTTP client could not be built")]
    Client(#[source] reqwest::Error),
}

/// Why a connection was not made or not used. Travels through reqwest as a cause, and is found
/// again by [`fault`](crate::fault).
#[derive(Debug, thiserror::Error)]
pub(crate) enum Barred {
    #[error("forbidden by the address policy")]
    Policy(#[source] Forbidden),
    #[error("the name look-up took too long")]
    LookupTooSlow,
    #[error("the name look-up failed")]
    Lookup(#[source] io::Error),
    #[error("the name has no address")]
    NoAddress,
    /// Cannot happen; refused rather than let through unchecked.
    #[error("a connection that no exchange asked for, or whose peer cannot be told")]
    Unaccounted,
}
