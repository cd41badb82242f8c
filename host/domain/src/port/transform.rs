//! The chain of plugins, seen from outside: an event goes in, what became of it comes out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Bell, BoxFuture};
use crate::attempt::PluginRun;
use crate::delivery::Waiting;
use crate::event::Event;
use crate::header::HeaderOp;
use crate::hook::PluginChoice;
use crate::id::HookId;
use crate::plugin::{PluginFailure, PluginName};

pub trait Transform: Send + Sync {
    /// Runs the chain on one snapshot of the registry. Never an `Err`: a failure is an answer.
    ///
    /// # Cancel safety
    /// Dropping the future ends the run and leaves nothing behind.
    fn run(&self, job: TransformJob) -> BoxFuture<'_, Transformed>;

    /// Rings whenever a plugin came, went or was swapped: deferred deliveries may go now.
    fn on_change(&self, bell: Bell);
}

pub struct TransformJob {
    pub choice: PluginChoice,
    pub event: Arc<Event>,
    pub hook: HookId,
    /// Scheme, host and port of the target; never its path or query, which carry secrets.
    pub origin: String,
}

#[derive(Clone, Debug)]
pub struct Transformed {
    pub result: Chained,
    /// What ran, in order, the failing one last.
    pub runs: Vec<PluginRun>,
    pub took: Duration,
}

#[derive(Clone, Debug)]
pub enum Chained {
    /// Nothing was changed, or there was nothing to run.
    Unchanged,
    Made(Made),
    Discarded {
        plugin: PluginName,
        code: String,
        message: String,
    },
    Failed {
        plugin: PluginName,
        kind: PluginFailure,
        code: String,
        message: String,
    },
    /// The chain could not be run at all; no plugin saw the event.
    Deferred(Waiting),
}

/// What a chain made of an event. Fit to be sent: headers and content type are checked, and
/// whatever it made that is not `bare` is JSON, so that it can be spliced into an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// None: the payload stayed as it was.
    pub payload: Option<Bytes>,
    /// None: as it was.
    pub content_type: Option<String>,
    /// Send it without an envelope.
    pub bare: bool,
    /// In the order in which the plugins made them, each checked against the header policy.
    pub header_ops: Vec<HeaderOp>,
}
