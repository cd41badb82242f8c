//! What is stored, and the one place where it is turned from and into the domain's words.
//!
//! Structs are our own, so that a change of the domain is no change of the file; the small data
//! enums of the domain that are made to be serialised stand in them as they are. Postcard knows
//! variants by their position: `format` pins the bytes of each, so that a reordering there fails
//! a test here instead of misreading files.

mod attempt;
mod delivery;
mod event_type;
#[cfg(test)]
mod format;
mod health;
mod hook;
mod order;
mod pin;
#[cfg(any(test, fuzzing))]
mod property;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use whisperer_domain::access::{Right, Rights};
use whisperer_domain::catalog::Token;
use whisperer_domain::cloud_event::CloudAttributes;
use whisperer_domain::delivery::CancelCause;
use whisperer_domain::event::Event;
use whisperer_domain::event_type::EventType;
use whisperer_domain::id::{EventId, EventKey, Owner, Sequence};
use whisperer_domain::plugin::Membership;
use whisperer_domain::time::Timestamp;

use super::fault::Fault;
use super::frame;

pub(super) use attempt::encode_attempt;
pub(super) use delivery::Row;
pub(super) use event_type::{decode_event_type, encode_event_type};
pub(super) use health::{decode_health, encode_health};
pub(super) use hook::HookRecord;
pub(super) use order::{Order, OrderRecord};
pub(super) use pin::{decode_pin, encode_pin, resealed_pin, sealer_of_pin};
#[cfg(fuzzing)]
pub use property::record_codec;

/// Of an event that came as a CloudEvent: its attributes stand between head and payload.
const CLOUD_EVENT_VERSION: u8 = 2;

/// The payload follows as the record's tail: it is never copied through a serialiser.
#[derive(Serialize, Deserialize)]
struct EventHead {
    id: EventId,
    event_type: EventType,
    occurred_at: Timestamp,
    accepted_at: Timestamp,
    object_id: Option<String>,
    content_type: String,
}

pub(super) fn encode_event(event: &Event) -> Vec<u8> {
    let head = EventHead {
        id: event.id.clone(),
        event_type: event.event_type.clone(),
        occurred_at: event.occurred_at,
        accepted_at: event.accepted_at,
        object_id: event.object_id.clone(),
        content_type: event.content_type.clone(),
    };
    match &event.cloud {
        None => frame::encode_with_tail(&head, &event.payload),
        Some(cloud) => {
            let record = (head, cloud.members());
            frame::encode_as(CLOUD_EVENT_VERSION, &record, &event.payload)
        }
    }
}

pub(super) fn decode_event(key: EventKey, bytes: &[u8]) -> Result<Event, Fault> {
    let (head, cloud, payload) = if frame::version_of(bytes) == Some(CLOUD_EVENT_VERSION) {
        let ((head, members), payload): ((EventHead, String), _) =
            frame::decode_as(CLOUD_EVENT_VERSION, "events", &key.0, bytes)?;
        let cloud = CloudAttributes::stored(&members)
            .ok_or_else(|| frame::damaged("events", &key.0, "has bad attributes"))?;
        (head, Some(cloud), payload)
    } else {
        let (head, payload): (EventHead, _) = frame::decode_with_tail("events", &key.0, bytes)?;
        (head, None, payload)
    };
    Ok(Event {
        key,
        id: head.id,
        event_type: head.event_type,
        occurred_at: head.occurred_at,
        accepted_at: head.accepted_at,
        object_id: head.object_id,
        content_type: head.content_type,
        cloud,
        payload: Bytes::copy_from_slice(payload),
    })
}

/// What retention asks of an event: what it is called, and when it was accepted.
pub(super) fn decode_event_head(
    key: EventKey,
    bytes: &[u8],
) -> Result<(EventId, Timestamp), Fault> {
    // The head comes first in both forms.
    let version = frame::version_of(bytes).unwrap_or(CLOUD_EVENT_VERSION);
    let (head, _): (EventHead, _) = frame::decode_as(version, "events", &key.0, bytes)?;
    Ok((head.id, head.accepted_at))
}

/// What the event is about, without the rest of it.
pub(super) fn decode_object_id(key: EventKey, bytes: &[u8]) -> Result<Option<String>, Fault> {
    // The head comes first in both forms.
    let version = frame::version_of(bytes).unwrap_or(CLOUD_EVENT_VERSION);
    let (head, _): (EventHead, _) = frame::decode_as(version, "events", &key.0, bytes)?;
    Ok(head.object_id)
}

/// The schema follows as the record's tail, like an event's payload: records from before there
/// were schemas have none.
pub(super) fn encode_membership(membership: &Membership) -> Vec<u8> {
    let schema = membership.config_schema.as_deref().unwrap_or_default();
    frame::encode_with_tail(membership, schema.as_bytes())
}

pub(super) fn decode_membership(key: &str, bytes: &[u8]) -> Result<Membership, Fault> {
    let (membership, schema): (Membership, _) = frame::decode_with_tail("plugins", &key, bytes)?;
    let schema = std::str::from_utf8(schema)
        .map_err(|_| frame::damaged("plugins", &key, "has a schema that is not UTF-8"))?;
    Ok(Membership {
        config_schema: (!schema.is_empty()).then(|| schema.into()),
        ..membership
    })
}

/// What an event's id was given to.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EventIdRecord {
    pub(super) event: EventKey,
    pub(super) fingerprint: [u8; 32],
    pub(super) deliveries: u64,
    /// The first of the deliveries that were made with the event; they follow each other. It is
    /// the record's tail: those of the first format have none.
    #[serde(skip)]
    pub(super) first: Option<Sequence>,
}

pub(super) fn encode_event_id(record: &EventIdRecord) -> Vec<u8> {
    let first = record.first.map(|first| first.0.to_le_bytes());
    frame::encode_with_tail(record, first.as_ref().map_or(&[], |first| &first[..]))
}

pub(super) fn decode_event_id(id: &EventId, bytes: &[u8]) -> Result<EventIdRecord, Fault> {
    let (record, tail): (EventIdRecord, _) = frame::decode_with_tail("event_ids", id, bytes)?;
    let first = match tail {
        [] => None,
        tail => {
            let first = <[u8; 8]>::try_from(tail)
                .map_err(|_| frame::damaged("event_ids", id, "has a tail of another length"))?;
            Some(Sequence(u64::from_le_bytes(first)))
        }
    };
    Ok(EventIdRecord { first, ..record })
}

/// The `config_filter` of an event.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EventFilterRecord {
    pub(super) config_filter: String,
}

/// What an idempotency key was used for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct IdempotencyRecord {
    pub(super) used_at: Timestamp,
    pub(super) fingerprint: [u8; 32],
    pub(super) id: EventId,
    pub(super) deliveries: u64,
}

/// Everything pending of a hook below a sequence is to be cancelled, in steps; who reads a
/// delivery that is not reached yet sees it as cancelled already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cancellation {
    pub(super) cause: CancelCause,
    pub(super) at: Timestamp,
    /// Place, or due, and sequence of the last lane row that was examined.
    pub(super) cursor: Option<(u64, u64)>,
}

#[derive(Serialize, Deserialize)]
struct TokenRecord {
    owner: Owner,
    admin: bool,
    created_at: Timestamp,
}

impl From<&Token> for TokenRecord {
    fn from(token: &Token) -> Self {
        Self {
            owner: token.owner.clone(),
            admin: token.is_admin(),
            created_at: token.created_at,
        }
    }
}

/// The rights follow as the record's tail: records from before there were any have none.
pub(super) fn encode_token(token: &Token) -> Vec<u8> {
    frame::encode_with_tail(
        &TokenRecord::from(token),
        &token.rights.bits().to_le_bytes(),
    )
}

pub(super) fn decode_token(hash: [u8; 32], bytes: &[u8]) -> Result<Token, Fault> {
    let (record, tail): (TokenRecord, _) = frame::decode_with_tail("tokens", &"?", bytes)?;
    let rights = match tail {
        [low, high] => Rights::of_bits(u16::from_le_bytes([*low, *high])),
        [] if record.admin => Rights::from_iter([Right::Admin]),
        [] => Rights::of_an_owner(),
        // Not the rights of a token that was never given any.
        [..] => {
            return Err(frame::damaged(
                "tokens",
                &"?",
                "has a tail of another length",
            ));
        }
    };
    Ok(Token {
        hash,
        owner: record.owner,
        rights,
        created_at: record.created_at,
    })
}

/// The store's counters: the next of each number, and what was done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counters {
    pub(super) sequence: u64,
    pub(super) event: u64,
    pub(super) hook: u64,
    pub(super) revision: u64,
    /// The latest time that anything was accepted at: none comes before it.
    pub(super) accepted_at: Timestamp,
    pub(super) events_accepted: u64,
    pub(super) attempts_settled: u64,
    /// The record's tail: those of before the fourth format have none.
    #[serde(skip)]
    pub(super) kept: Kept,
}

/// What retention counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The bytes of all records of events, deliveries, attempts and pins.
    pub(super) live_bytes: u64,
    /// Events that were given up.
    pub(super) events_swept: u64,
}

pub(super) fn encode_counters(counters: &Counters) -> Vec<u8> {
    frame::encode_with_tail(counters, &frame::appended(&counters.kept))
}

pub(super) fn decode_counters(key: &str, bytes: &[u8]) -> Result<Counters, Fault> {
    let (counters, tail): (Counters, _) = frame::decode_with_tail("meta", &key, bytes)?;
    let kept = frame::read_appended("meta", &key, tail)?;
    Ok(Counters { kept, ..counters })
}

impl Counters {
    pub(super) const FIRST: Self = Self {
        sequence: 1,
        event: 1,
        hook: 1,
        revision: 1,
        accepted_at: Timestamp(0),
        events_accepted: 0,
        attempts_settled: 0,
        kept: Kept {
            live_bytes: 0,
            events_swept: 0,
        },
    };
}
