//! The [`Transport`](whisperer_domain::port::Transport) port: the only code of Whisperer that
//! opens outbound connections.
//!
//! A target URL comes from a stranger and is dialled from inside the operator's network, so the
//! address policy stands in three places, each of which would do alone where it can see:
//!
//! | where | sees | before |
//! |---|---|---|
//! | [`Egress`], at the start of each exchange | the URL: literals, names, ports | anything is done |
//! | `resolve`, at each look-up | every answer of the resolver | a packet goes to any of them |
//! | `tripwire`, at each connection | the peer that was reached, and from where | a byte of HTTP goes over it |
//!
//! The tripwire is the only place that all connections pass, but over https it sees them after
//! the handshake: reqwest shows a connector layer finished connections only.
//!
//! What is not here: redirects, retries, proxies, cookies, decompression. A request goes once,
//! to where it says, and what comes back is read as it is. How an exchange ended is data
//! ([`Exchanged`](whisperer_domain::port::Exchanged)), in words that a partner can act on and
//! that repeat neither path nor query nor headers.
//!
//! `progress` carries one exchange's port and times between the places above: reqwest has one
//! connector for all requests, so a task-local names the request that is connecting.

mod answer;
mod asks;
mod egress;
mod error;
mod fault;
mod progress;
mod request;
mod resolve;
mod retry_after;
mod tripwire;

pub use egress::{Egress, EgressConfig};
pub use error::EgressError;
pub use resolve::Lookup;
#[cfg(fuzzing)]
pub use retry_after::holds as retry_after;
