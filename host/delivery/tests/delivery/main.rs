//! Delivery at its boundary: real scheduler, attempt and settler over stand-ins for the store,
//! the plugins and the receivers, in paused time. A wait of days takes no time, and an instant
//! is exact to the millisecond.

#![allow(
    clippy::unwrap_used,
    reason = "a stand-in that breaks is a failed test"
)]

mod breaker;
mod deferral;
mod directed;
mod ending;
mod fairness;
mod loss;
mod order;
mod pacing;
mod pinning;
mod request;
mod retry;
mod world;
