//! One type per identity, so that a hook's number can never stand where a delivery's belongs.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A hook's number: the integer `id` of the API, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HookId(pub u64);

/// The store's own counter, given to each delivery at commit: the order of things, and the
/// integer `id` of a delivery in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sequence(pub u64);

/// The store's number of an event. The caller's [`EventId`] is the public one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventKey(pub u64);

/// The constant id of a delivery over all its attempts: `uuid` in the envelope and `webhook-id`.
/// Shown as 32 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DeliveryUuid(pub Uuid);

impl fmt::Display for DeliveryUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.simple())
    }
}

/// Names one attempt, so that settling it twice changes nothing the second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AttemptId(pub Uuid);

/// The SHA-256 of a plugin's file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", hex::encode(&self.0[..6]))
    }
}

/// The most bytes an event's id may have.
pub const EVENT_ID_BYTES_MAX: usize = 255;

/// An event's id as its poster knows it: opaque, 1 to 255 bytes, no control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventId(Arc<str>);

impl EventId {
    /// # Errors
    /// A sentence for the `id` field.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > EVENT_ID_BYTES_MAX {
            return Err(format!(
                "Must have 1 to {EVENT_ID_BYTES_MAX} bytes, has {}.",
                text.len()
            ));
        }
        if text.chars().any(char::is_control) {
            return Err("Must not contain control characters.".to_owned());
        }
        Ok(Self(text.into()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who a token, and so a hook, belongs to. Opaque text of 1 to 128 printable characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Owner(Arc<str>);

impl Owner {
    /// # Errors
    /// A sentence for the `owner` field.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.chars().count() > 128 || text.chars().any(char::is_control) {
            return Err(
                "Must have 1 to 128 characters, none of them control characters.".to_owned(),
            );
        }
        Ok(Self(text.into()))
    }

    /// Whisperer itself, where it did something that nobody asked for.
    #[must_use]
    pub fn whisperer() -> Self {
        Self("whisperer".into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
