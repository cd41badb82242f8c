//! Event x hook: what is owed, and what became of it.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::envelope::Envelope;
use crate::event::Event;
use crate::event_type::EventType;
use crate::header::HeaderOp;
use crate::id::{DeliveryUuid, Digest, EventKey, HookId, Sequence};
use crate::plugin::PluginName;
use crate::time::Timestamp;

/// A delivery as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub sequence: Sequence,
    pub uuid: DeliveryUuid,
    pub hook: HookId,
    pub event: EventKey,
    pub event_type: EventType,
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
    /// Attempts settled so far. Deferrals are none.
    pub attempts: u32,
    pub state: DeliveryState,
    /// The last answer that a receiver gave, if one ever did.
    pub last_status: Option<u16>,
}

/// Where a delivery stands. Only `Pending` ever changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryState {
    Pending {
        due: Timestamp,
        waiting_for: Option<Waiting>,
    },
    Delivered,
    /// A plugin said that this hook does not want the event.
    Discarded {
        plugin: PluginName,
        code: String,
        message: String,
    },
    Dead(DeadCause),
    Cancelled(CancelCause),
}

impl DeliveryState {
    /// When the next try is due; none once it has ended.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Pending { due, .. } => Some(*due),
            Self::Delivered | Self::Discarded { .. } | Self::Dead(_) | Self::Cancelled(_) => None,
        }
    }

    /// The word for it in the API and in metrics.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Delivered => "delivered",
            Self::Discarded { .. } => "discarded",
            Self::Dead(_) => "dead",
            Self::Cancelled(_) => "cancelled",
        }
    }
}

/// Why a delivery will not be tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeadCause {
    /// `max_attempts` were made.
    Exhausted,
    /// Older than the hook's `max_age`.
    Expired,
    /// A plugin rejected it for good, or failed under `on_plugin_error: "dead"`.
    Plugin {
        plugin: PluginName,
        code: String,
        message: String,
    },
    /// It can never be put into the shape that the hook asks for.
    Unsendable(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CancelCause {
    HookDeleted,
    /// The receiver answered 410.
    Gone,
}

/// What a deferred delivery waits for: no attempt was made and none is used up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Waiting {
    PluginMissing(PluginName),
    /// In the folder, but no generation of it is running: still compiling, or refused.
    PluginNotReady(PluginName),
    SecretUnreadable,
    /// It broke too often in a row, on this hook or on several.
    PluginQuarantined(PluginName),
    /// The hook's configuration does not fit the schema of what runs now.
    PluginConfigUnfit(PluginName),
}

/// What was fixed when the first transformed attempt failed: every later attempt sends it,
/// whatever happened to the plugins since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// The chain changed nothing: the body is the event's payload in this envelope.
    Unchanged {
        envelope: Envelope,
        digests: Vec<(PluginName, Digest)>,
    },
    /// The chain made something: these bytes, envelope included.
    Made {
        body: Bytes,
        content_type: String,
        header_ops: Vec<HeaderOp>,
        digests: Vec<(PluginName, Digest)>,
    },
}

/// A delivery with all it takes to try it.
#[derive(Clone, Debug)]
pub struct Ready {
    pub delivery: Delivery,
    pub event: Arc<Event>,
    pub pin: Option<Arc<Pin>>,
}

impl Ready {
    /// What it holds in memory: payloads shared between hooks are counted for each.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let pinned = match self.pin.as_deref() {
            Some(Pin::Made { body, .. }) => body.len(),
            Some(Pin::Unchanged { .. }) | None => 0,
        };
        self.event.payload.len() + pinned + 512
    }
}
