//! The [`Transport`](whisperer_domain::port::Transport) port: the only code of Whisperer that
//! opens outbound connections.
//!
//! There are two ways out, and a server has one of them. `direct` goes straight to the receiver,
//! by reqwest. `tunnel` goes through the operator's proxy, by a client of our own: reqwest's
//! proxies look the target's name up themselves, where no policy of ours is asked.
//!
//! A target URL comes from a stranger and is dialled from inside the operator's network, so the
//! address policy stands in three places, each of which would do alone where it can see:
//!
//! | where | sees | before |
//! |---|---|---|
//! | [`Egress`], at the start of each exchange | the URL: literals, names, ports | anything is done |
//! | `resolve`, at each connection | every answer of the resolver | a packet goes to any of them, or the proxy is asked for one |
//! | `direct::tripwire`, at each connection | the peer that was reached, and from where | a byte of HTTP goes over it |
//!
//! The tripwire sees connections over https after the handshake: reqwest shows a layer finished
//! ones only. Through a proxy it has nothing to see: the peer is the proxy, which is asked for an
//! address that passed `resolve`, never for a name.
//!
//! What is not here: redirects, retries, proxies from the environment, cookies, decompression. A
//! request goes once, to where it says, and what comes back is read as it is. The pool alone may
//! take another connection for a request of which nothing was written yet, because the kept one
//! that was meant for it turned out to be closed. How an exchange ended is data
//! ([`Exchanged`](whisperer_domain::port::Exchanged)), in words that a partner can act on and
//! that repeat neither path nor query nor headers.
//!
//! HTTP/1.1 alone is spoken, whatever is offered: over HTTP/2 a peer could keep us busy with frames
//! that are no answer to anything, also between requests.
//!
//! What a receiver costs is bounded: in time by the deadline, in memory by what is read of an
//! answer and by the client's buffers, in files by `connections`. How much work it may make within
//! its deadline is bounded through a tunnel only (`tunnel::meter`): reqwest shows nobody its
//! sockets.
//!
//! `progress` carries one exchange's stage and times between the places above: a client has one
//! connector for all requests, so a task-local names the request that is connecting.

mod answer;
mod asks;
mod connections;
mod direct;
mod egress;
mod error;
mod fault;
mod progress;
mod request;
mod resolve;
mod retry_after;
mod system_lookup;
mod trust;
mod tunnel;
mod way;

pub use connections::Connections;
pub use egress::{Egress, EgressConfig};
pub use error::EgressError;
pub use resolve::{Lookup, LookupError};
#[cfg(fuzzing)]
pub use retry_after::holds as retry_after;
pub use trust::ExtraRoots;
pub use tunnel::{EgressProxy, ProxyUrlError};
