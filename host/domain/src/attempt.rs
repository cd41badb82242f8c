//! One try at a delivery, as it is kept for people to read.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::{AttemptId, Digest};
use crate::outcome::Outcome;
use crate::plugin::PluginName;
use crate::time::Timestamp;

/// The most bytes of a response body that an attempt keeps.
pub const RESPONSE_KEPT_BYTES_MAX: usize = 16 << 10;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub id: AttemptId,
    /// 1 for the first.
    pub number: u32,
    pub started_at: Timestamp,
    pub outcome: Outcome,
    pub timing: Timing,
    pub response: Option<Response>,
    /// The plugins that ran, in order. Empty when the body was pinned or the chain is empty.
    pub chain: Vec<PluginRun>,
    /// The body was the pinned one of an earlier attempt.
    pub pinned: bool,
}

/// Where an attempt's time went, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    pub plugin_us: u64,
    /// Zero on a connection that was kept alive.
    pub connect_us: u64,
    /// From the connected socket to the end of what is read of the answer.
    pub wait_us: u64,
    pub total_us: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    pub status: u16,
    /// At most 64 headers, values cut at 1 KiB, bytes that are no UTF-8 replaced.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// There was more body than [`RESPONSE_KEPT_BYTES_MAX`].
    pub truncated: bool,
}

/// One plugin's part in an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginRun {
    pub plugin: PluginName,
    pub digest: Digest,
    pub took_us: u64,
    /// `unchanged`, `modified`, `discard`, `retry`, `reject`, or the kind of failure.
    pub result: String,
    pub log: Vec<String>,
}
