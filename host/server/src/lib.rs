//! The server: REST API, configuration, and the wiring of everything else.
//!
//! Floor 3, the only crate that names concrete types of the floor below. The cast:
//! - [`api`]: the REST API over the domain's ports; knows no store, no engine, no network.
//! - [`edge`]: connections in, with their timeouts, their cap and their end.
//! - `chain_result`: what a chain came to, as `try/` and the authors' commands show it.
//! - [`metrics`], `recorder`: what `/metrics` says of deliveries, and of plugins.
//! - `control`: the socket by which commands reach a server that runs.
//! - [`config`]: flag, environment and file, one table.
//! - `wiring`: what is started in which order, and how it ends.
//! - [`cli`]: the command line, which is all that `main` calls.

pub mod api;
mod chain_result;
pub mod cli;
mod clock;
pub mod config;
mod control;
mod core_dumps;
pub mod edge;
pub mod metrics;
mod nearest;
mod open_files;
mod readiness;
mod recorder;
mod signals;
mod small_pages;
mod stdout;
mod telemetry;
mod wiring;

pub use clock::SystemClock;
pub use readiness::Readiness;
