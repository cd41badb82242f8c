//! An accepted message, its payload kept byte for byte.

use std::time::Duration;

use bytes::Bytes;

use crate::cloud_event::CloudAttributes;
use crate::event_type::EventType;
use crate::id::{EventId, EventKey, Owner};
use crate::time::Timestamp;

/// An event as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub key: EventKey,
    pub id: EventId,
    pub event_type: EventType,
    /// When it happened, by its poster's word; else when it was accepted.
    pub occurred_at: Timestamp,
    pub accepted_at: Timestamp,
    /// What the event is about in the poster's system: W's `object_id`.
    pub object_id: Option<String>,
    /// Of the payload; `application/json` unless the event came another way.
    pub content_type: String,
    /// What it said of itself, if it came as a CloudEvent.
    pub cloud: Option<CloudAttributes>,
    /// The payload exactly as it was posted.
    pub payload: Bytes,
}

/// An event about to be accepted: the store gives it its key and time.
#[derive(Clone, Debug)]
pub struct NewEvent {
    pub id: EventId,
    pub event_type: EventType,
    pub occurred_at: Option<Timestamp>,
    pub object_id: Option<String>,
    pub content_type: String,
    pub cloud: Option<CloudAttributes>,
    pub payload: Bytes,
    /// SHA-256 over everything the poster said, to tell a repetition from a conflict; of a
    /// CloudEvent only over what makes it the same one.
    pub fingerprint: [u8; 32],
    pub idempotency: Option<IdempotencyKey>,
    /// What the poster asked of the recipients' `config`, as JSON text. The recipients are
    /// computed already; it is kept for replays.
    pub config_filter: Option<String>,
}

/// A poster's `Idempotency-Key`, which holds per token owner and for 24 hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    pub owner: Owner,
    pub key: String,
}

impl IdempotencyKey {
    const LIFE: Duration = Duration::from_secs(24 * 3600);

    /// Whether a key that was used then may be used for something else now.
    #[must_use]
    pub fn has_expired(used_at: Timestamp, now: Timestamp) -> bool {
        now >= used_at.after(Self::LIFE)
    }
}
