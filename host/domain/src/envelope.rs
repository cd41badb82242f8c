//! The shape around the payload. Bytes are spliced, never parsed and written again.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Envelope {
    /// `{"event": {"type", "uuid"}, "payload"}`
    Whisperer,
    /// Standard Webhooks: `{"type", "timestamp", "data"}`
    Standard,
    /// CloudEvents 1.0, structured.
    CloudEvents,
    /// The payload alone.
    Bare,
}
