//! Operational events: what happens to hooks and deliveries themselves, told to the hooks of
//! admins by the same machinery. They never speak of hooks that listen to them, so that none can
//! set off another.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::delivery::{DeadCause, Delivery};
use crate::event::{Event, NewEvent};
use crate::event_type::{EventPattern, EventType};
use crate::hook::Hook;
use crate::id::EventId;
use crate::time::Timestamp;

/// The first segment of every operational event's type; nobody else's begins with it.
pub const PREFIX: &str = "whisperer";

/// All of them.
pub const NEWS_TYPES: [&str; 4] = [
    "whisperer.hook.failing",
    "whisperer.hook.recovered",
    "whisperer.hook.disabled",
    DELIVERY_DEAD,
];

/// A delivery died: to be asked for before its event is read.
pub const DELIVERY_DEAD: &str = "whisperer.delivery.dead";

/// What a lane learned of its hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookNews {
    Failing { since: Timestamp },
    Recovered { since: Timestamp },
}

/// What is told.
#[derive(Clone, Copy, Debug)]
pub enum News<'a> {
    Hook(HookNews),
    Disabled {
        reason: &'a str,
    },
    Dead {
        delivery: &'a Delivery,
        event: &'a Event,
        cause: &'a DeadCause,
    },
}

impl News<'_> {
    #[must_use]
    pub fn event_type(&self) -> EventType {
        let [failing, recovered, disabled, dead] = NEWS_TYPES;
        EventType::own(match self {
            Self::Hook(HookNews::Failing { .. }) => failing,
            Self::Hook(HookNews::Recovered { .. }) => recovered,
            Self::Disabled { .. } => disabled,
            Self::Dead { .. } => dead,
        })
    }

    /// The event, about this hook. Its target is shown without path and query, which may hold
    /// credentials.
    #[must_use]
    pub fn event(&self, id: EventId, hook: &Hook) -> NewEvent {
        let mut payload = json!({
            "hook": {
                "id": hook.id.0,
                "owner": hook.owner.as_str(),
                "target": hook.target.as_url().origin().ascii_serialization(),
                "event_type": hook.subscription.to_string(),
            },
        });
        payload[self.member()] = self.details();
        NewEvent {
            id,
            event_type: self.event_type(),
            occurred_at: None,
            object_id: Some(hook.id.0.to_string()),
            content_type: "application/json".to_owned(),
            cloud: None,
            payload: Bytes::from(payload.to_string()),
            fingerprint: [0; 32],
            idempotency: None,
            config_filter: None,
        }
    }

    fn member(&self) -> &'static str {
        match self {
            Self::Hook(HookNews::Failing { .. } | HookNews::Recovered { .. }) => "failing_since",
            Self::Disabled { .. } => "reason",
            Self::Dead { .. } => "delivery",
        }
    }

    fn details(&self) -> Value {
        match self {
            Self::Hook(HookNews::Failing { since } | HookNews::Recovered { since }) => {
                json!(since.rfc3339())
            }
            Self::Disabled { reason } => json!(reason),
            Self::Dead {
                delivery,
                event,
                cause,
            } => json!({
                "id": delivery.sequence.0,
                "uuid": delivery.uuid.to_string(),
                "attempts": delivery.attempts,
                "created_date": delivery.created_at.rfc3339(),
                "last_status": delivery.last_status,
                "cause": cause.word(),
                "event": {
                    "id": event.id.as_str(),
                    "type": event.event_type.as_str(),
                    "object_id": event.object_id,
                },
            }),
        }
    }
}

/// Whether things are told of a hook with this subscription.
#[must_use]
pub fn may_tell_of(subscription: &EventPattern) -> bool {
    !subscription.is_operational()
}
