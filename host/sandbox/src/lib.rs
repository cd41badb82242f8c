//! The [`Transform`](whisperer_domain::port::Transform) port: plugins as WebAssembly components,
//! loaded from a watched folder and run under limits.
//!
//! | part | what it does |
//! |---|---|
//! | [`Sandbox`] | the registry of what can run now, and the port itself |
//! | `reconcile`, `watch`, `folder` | make the registry equal to the folder, again and again |
//! | `load`, `inspect`, `sidecar` | make a generation of a file, or say why not |
//! | `compiler` | compiling in a process of its own, bounded in time and memory |
//! | `put` | a plugin's file written or removed by the API, after it was tried |
//! | `fit`, `quarantine`, `tally`, `metrics` | whether a hook's configuration fits, whether a plugin is stopped, what it did |
//! | `chain` | run one delivery's plugins in order; what each made is checked by the domain's `patch` |
//! | `call`, `guest`, `failure` | one call in a fresh instance, its limits, and how it ended |
//! | `engine`, `linker`, `chance`, `guest_log` | wasmtime, and the little that a guest is granted |
//!
//! Invariants:
//! - A call has its own store and instance, which are dropped after it: nothing leaks from one
//!   event or hook to the next.
//! - Time, memory, stack, output, log, handles and tables of a call are bounded; which bound was
//!   broken is told by its own [`PluginFailure`](whisperer_domain::plugin::PluginFailure).
//! - A chain runs on one snapshot of the registry; a swap is one pointer, made after everything
//!   about the new generation was tried.
//! - A plugin whose file is there but cannot run holds its deliveries back; only a file that is
//!   gone, or disabled, lets them pass.
//! - Nothing in the plugin folder is ever executed as machine code: what was compiled is cached
//!   elsewhere.

mod bindings;
mod call;
mod chain;
mod chance;
mod compiler;
mod config;
mod engine;
mod error;
mod failure;
mod fit;
mod folder;
mod forgetful;
mod guest;
mod guest_log;
mod inspect;
mod limits;
mod linker;
mod load;
pub mod metrics;
mod put;
mod quarantine;
mod reconcile;
mod registry;
mod sandbox;
mod sidecar;
mod status;
mod tally;
#[cfg(test)]
#[path = "../tests/isolation/wat.rs"]
mod wat;
mod watch;

pub use compiler::{CompileBounds, Compiler, compile_from_stdin};
pub use config::{FolderTimes, SandboxConfig};
pub use error::SandboxError;
pub use forgetful::ForgetfulCatalog;
pub use guest::Usage;
pub use limits::Limits;
pub use put::{Part, PutError};
pub use quarantine::Stopped;
pub use sandbox::{Sandbox, Trial};
pub use status::{About, PluginStatus, Refusal, Stray, UnfitHook};
pub use tally::{Spread, Totals};
