//! Events as they are looked up and listed.

use std::sync::Arc;

use crate::event::Event;
use crate::event_type::EventPattern;
use crate::id::EventKey;
use crate::time::Timestamp;

/// One event, with what decided about its recipients.
#[derive(Clone, Debug)]
pub struct EventFound {
    pub event: Arc<Event>,
    /// The poster's `config_filter` as JSON text: a replay must not reach more hooks than it let
    /// through.
    pub config_filter: Option<String>,
}

#[derive(Clone, Debug)]
pub struct EventQuery {
    pub event_type: Option<EventPattern>,
    pub object_id: Option<String>,
    /// When it was accepted; both ends inclusive.
    pub created_from: Option<Timestamp>,
    pub created_to: Option<Timestamp>,
    /// Only below this: the cursor.
    pub before: Option<EventKey>,
    pub limit: usize,
}

#[derive(Clone, Debug, Default)]
pub struct EventPage {
    pub items: Vec<Arc<Event>>,
    /// Where to go on; none at the end.
    pub next: Option<EventKey>,
    /// Rows that were looked at for it.
    pub examined: usize,
}
