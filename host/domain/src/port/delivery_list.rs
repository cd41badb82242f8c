//! Deliveries as they are looked up and listed.

use std::sync::Arc;

use super::Scope;
use crate::attempt::Attempt;
use crate::delivery::{Delivery, DeliveryState, Pin, StateKind};
use crate::event::Event;
use crate::event_type::EventPattern;
use crate::hook::Hook;
use crate::id::{DeliveryUuid, EventId, HookId, Sequence};
use crate::time::Timestamp;

#[derive(Clone, Debug)]
pub struct DeliveryQuery {
    pub scope: Scope,
    pub hook: Option<HookId>,
    /// The event that it delivers, replays included.
    pub event: Option<EventId>,
    pub uuid: Option<DeliveryUuid>,
    pub event_type: Option<EventPattern>,
    pub object_id: Option<String>,
    /// W's `delivered`: true for state delivered, false for every other.
    pub delivered: Option<bool>,
    pub state: Option<StateKind>,
    pub status: Option<u16>,
    /// Both ends inclusive.
    pub created_from: Option<Timestamp>,
    pub created_to: Option<Timestamp>,
    /// Only below this: the cursor.
    pub before: Option<Sequence>,
    pub limit: usize,
}

impl DeliveryQuery {
    /// Without any filter.
    #[must_use]
    pub fn all(scope: Scope, limit: usize) -> Self {
        Self {
            scope,
            hook: None,
            event: None,
            uuid: None,
            event_type: None,
            object_id: None,
            delivered: None,
            state: None,
            status: None,
            created_from: None,
            created_to: None,
            before: None,
            limit,
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Page {
    pub items: Vec<DeliveryView>,
    /// Where to go on; none at the end.
    pub next: Option<Sequence>,
    /// Rows that were looked at for it: who asks for several pages in a row adds them up.
    pub examined: usize,
}

/// A delivery as it is listed.
#[derive(Clone, Debug)]
pub struct DeliveryView {
    pub delivery: Delivery,
    pub event: Arc<Event>,
    pub last_attempt: Option<Attempt>,
    /// When each attempt began, oldest first.
    pub attempted_at: Vec<Timestamp>,
    /// The hook was deleted: this is what its last form showed, secrets aside.
    pub hook: Option<Arc<Hook>>,
}

/// A delivery with everything that happened to it.
#[derive(Clone, Debug)]
pub struct Attempted {
    pub view: DeliveryView,
    pub attempts: Vec<Attempt>,
    pub pin: Option<Arc<Pin>>,
}

impl Attempted {
    #[must_use]
    pub fn state(&self) -> &DeliveryState {
        &self.view.delivery.state
    }
}
