//! The [`Transport`](whisperer_domain::port::Transport) port: the only code of Whisperer that
//! opens outbound connections.
//!
//! A target URL comes from a stranger and is dialled from inside the operator's network, so the
//! address policy stands in three places, each of which would do alone where it can see:
//!
//! | where | sees | before |
//! |---|---|---|
//! | [`Egress`], at the start of each exchange | the URL: literals, names, ports | anything is done |
//! | `resolve`, at each connection | every answer of the resolver | a packet goes to any of them |
//! | `connector`, at each connection | the peer that was reached, and from where | a byte goes over it, TLS's included |
//!
//! With an egress proxy (`proxy`) the last look is not possible: the peer is the proxy. It is
//! asked for an address that passed the second, never for a name.
//!
//! What is not here: redirects, retries, proxies from the environment, cookies, decompression. A
//! request goes once, to where it says, and what comes back is read as it is. The pool alone may
//! take another connection for a request of which nothing was written yet, because the kept one
//! that was meant for it turned out to be closed. How an exchange ended is data
//! ([`Exchanged`](whisperer_domain::port::Exchanged)), in words that a partner can act on and
//! that repeat neither path nor query nor headers.
//!
//! What a receiver costs is bounded: in time by the deadline, in memory by what is read of an
//! answer, in work by the connection's `meter`, in files by `link`'s count of what is kept.
//!
//! `progress` carries one exchange's stage and times between the places above: the client has
//! one connector for all requests, so a task-local names the request that is connecting.

mod answer;
mod asks;
mod connector;
mod dial;
mod egress;
mod error;
mod fault;
mod link;
mod meter;
mod progress;
mod proxy;
mod request;
mod resolve;
mod retry_after;
mod system_lookup;
mod trust;

pub use egress::{Egress, EgressConfig};
pub use error::EgressError;
pub use link::Connections;
pub use proxy::{EgressProxy, ProxyUrlError};
pub use resolve::{Lookup, LookupError};
pub use trust::ExtraRoots;
