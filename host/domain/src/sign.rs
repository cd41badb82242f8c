//! Signatures over exactly the bytes that are sent.

use serde::{Deserialize, Serialize};

/// Which signature headers a hook's requests carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SignatureForm {
    /// `X-Whisperer-Signature`
    Whisperer,
    /// Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`
    Standard,
    /// `X-Hub-Signature-256`
    Github,
}
