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
    /// Set once it was brought back by hand.
    pub revival: Option<Revival>,
}

/// From where schedule and age count, after a delivery that had ended was brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revival {
    pub at: Timestamp,
    /// Attempts settled before it.
    pub attempts: u32,
}

impl Delivery {
    /// The attempts that count for the schedule and for `max_attempts`.
    #[must_use]
    pub fn attempts_counted(&self) -> u32 {
        let before = self.revival.map_or(0, |revival| revival.attempts);
        self.attempts.saturating_sub(before)
    }

    /// When its age, which `max_age` bounds, began.
    #[must_use]
    pub fn aging_since(&self) -> Timestamp {
        self.revival.map_or(self.created_at, |revival| revival.at)
    }
}

/// Where a delivery stands. By itself only `Pending` ever changes; a directive may bring back
/// what has ended.
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

    #[must_use]
    pub fn kind(&self) -> StateKind {
        match self {
            Self::Pending { .. } => StateKind::Pending,
            Self::Delivered => StateKind::Delivered,
            Self::Discarded { .. } => StateKind::Discarded,
            Self::Dead(_) => StateKind::Dead,
            Self::Cancelled(_) => StateKind::Cancelled,
        }
    }

    /// The word for it in the API and in metrics.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.kind().word()
    }
}

/// A state without what it carries: what one asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateKind {
    Pending,
    Delivered,
    Discarded,
    Dead,
    Cancelled,
}

impl StateKind {
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Delivered,
        Self::Discarded,
        Self::Dead,
        Self::Cancelled,
    ];

    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Discarded => "discarded",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
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
    /// The receiver refused it and asked not to be sent it again.
    Aborted,
}

impl DeadCause {
    /// The word for it in operational events.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Expired => "expired",
            Self::Plugin { .. } => "plugin",
            Self::Unsendable(_) => "unsendable",
            Self::Aborted => "aborted",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CancelCause {
    HookDeleted,
    /// The receiver answered 410.
    Gone,
    /// A directive said so.
    ByHand,
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
        let cloud = self.event.cloud.as_ref();
        let attributes = cloud.map_or(0, |cloud| cloud.members().len());
        self.event.payload.len() + attributes + pinned + 512
    }
}
