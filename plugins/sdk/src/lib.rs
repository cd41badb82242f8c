//! What it takes to write a Whisperer plugin in Rust: one function, and a macro that makes a
//! component of it.
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//! use whisperer_sdk::{Event, Failure, Outcome, Patch, Target};
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Config {
//!     /// Who it is for.
//!     tenant: String,
//!     /// Never shown again once it is set.
//!     #[schemars(extend("writeOnly" = true))]
//!     token: Option<String>,
//! }
//!
//! /// Says whose event it is.
//! fn stamp(event: Event, _target: Target, config: Config) -> Result<Outcome, Failure> {
//!     if event.event_type == "package.test" {
//!         return Ok(Outcome::discard("test", "test packages stay in the house"));
//!     }
//!     Ok(Patch::default().set_header("X-Tenant", config.tenant).into())
//! }
//!
//! whisperer_sdk::plugin! {
//!     transform: stamp,
//!     summary: "Adds the tenant's name as a header",
//!     events: ["package.*"],
//! }
//! # fn main() {
//! # let config = Config { tenant: "acme".to_owned(), token: None };
//! # let outcome = stamp(Event::sample("package.created", b"{}"), Target::sample(), config);
//! # assert!(matches!(outcome, Ok(Outcome::Modified(_))));
//! # }
//! ```
//!
//! `Cargo.toml` needs `crate-type = ["cdylib", "rlib"]`; then
//! `cargo build --release --target wasm32-wasip2` writes the component, and `cargo test` runs
//! the function natively, as the plain Rust that it is.
//!
//! The types are those that `wit-bindgen` makes from `wit/whisperer.wit`; what this crate adds
//! to them is only for comfort.

pub mod json;
mod log;
mod moment;
mod path;
mod plugin;
mod template;
mod wire;

pub use log::{debug, error, info, warn};
pub use path::{Path, PathError};
pub use plugin::config_schema;
pub use template::{Piece, Template};
pub use wire::bindings::whisperer::plugin::types::{
    Event, Failure, Header, Outcome, Patch, Reason, Target,
};

/// For the macro [`plugin!`] only.
#[doc(hidden)]
pub use plugin::{Guest, Told, describe, transform};
#[doc(hidden)]
pub use wire::bindings;
