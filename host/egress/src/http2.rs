//! What HTTP/2 connections are bounded by, on either way out.

use std::time::Duration;

/// A dead connection carries every request to its host; it is found out by a ping while requests
/// wait on it.
pub(crate) const PING_AFTER: Duration = Duration::from_secs(15);
pub(crate) const PING_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) const HEAD_BYTES_MAX: u32 = 16 << 10;
/// Of one answer: no more is read of any.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 64 << 10;
/// Of all answers of a connection together.
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
