//! What is wanted of deliveries beside their schedules: tried now, brought back, cancelled, made
//! anew. The API writes it down as a directive; the lanes carry it out.
//!
//! What every store keeps to:
//! - It writes and never sends. Deliveries become pending and due, the feed tells their lanes,
//!   and the lanes try them at their pace. An attempt under way is not doubled: it counts.
//! - What is brought back keeps its number, its uuid, its attempts and their numbering, and the
//!   body that was pinned. Its schedule and its age begin anew: the next failure is followed by
//!   the first wait (n = 0), and `max_attempts` and `max_age` count from here. What is pending is
//!   only made due; its schedule goes on.
//! - In an ordered lane what is brought back, and what is replayed, stands behind all that is
//!   there; what is pending keeps its place. Nothing is [`FeedItem::Urgent`] there.
//! - What is cancelled while an attempt is under way stays so, whatever the attempt comes to; the
//!   attempt is recorded.
//! - A selection means what was made before the directive was written. Each delivery is looked at
//!   once, oldest first, and judged by the state that it has then. That happens in bounded steps
//!   after the answer, goes on after a restart, and finds every delivery done or not begun.
//! - What a cancellation of its whole lane still covers (its hook answered 410, say) cannot be
//!   brought back until that is done; a single one is answered as lagging, a selection waits.

use crate::access::Note;
use crate::catalog::Revision;
use crate::delivery::{Delivery, StateKind};
use crate::event_type::EventPattern;
use crate::id::{EventId, HookId, Sequence};
use crate::port::StoreDown;
use crate::time::Timestamp;

/// Whether a directive is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// Nothing is written: it is checked, and counted.
    Dry,
    /// It is, and in the same write it is remembered whose wish it was, if there is a note.
    Real(Option<Note>),
}

#[derive(Clone, Debug)]
pub enum Directive {
    /// Try this one now, before whatever else its lane holds. Without `force` one that is
    /// delivered, or pending still, is refused.
    Retry { delivery: Sequence, force: bool },
    /// Everything selected that is in this state becomes due now. Deliveries of hooks that are
    /// gone are passed over.
    Requeue {
        selection: Selection,
        state: StateKind,
    },
    /// Everything selected that is pending is cancelled.
    Cancel(Selection),
    /// New deliveries of a stored event. As in `accept`, the commit checks that `recipients`
    /// still hold at `revision`.
    Replay {
        event: EventId,
        recipients: Vec<HookId>,
        revision: Revision,
    },
}

impl Directive {
    /// What it is done to, as the audit names it.
    #[must_use]
    pub fn object(&self) -> String {
        match self {
            Self::Retry { delivery, .. } => format!("hook_events/{}", delivery.0),
            Self::Requeue { .. } | Self::Cancel(_) => "deliveries".to_owned(),
            Self::Replay { event, .. } => format!("events/{event}"),
        }
    }
}

/// Which deliveries are meant; what is not said means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub hook: Option<HookId>,
    pub event_type: Option<EventPattern>,
    /// Both ends inclusive.
    pub created_from: Option<Timestamp>,
    pub created_to: Option<Timestamp>,
}

impl Selection {
    #[must_use]
    pub fn admits(&self, delivery: &Delivery) -> bool {
        self.hook.is_none_or(|hook| hook == delivery.hook)
            && self
                .event_type
                .as_ref()
                .is_none_or(|pattern| pattern.matches(&delivery.event_type))
            && self
                .created_from
                .is_none_or(|from| delivery.created_at >= from)
            && self.created_to.is_none_or(|to| delivery.created_at <= to)
    }
}

/// What a directive came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directed {
    /// The delivery is due. `attempts` of it were settled before that.
    Due { attempts: u32 },
    /// So many deliveries were selected when it was written. Counting is bounded: with `at_least`
    /// there may be more.
    Selected { deliveries: u64, at_least: bool },
    /// So many new deliveries were made; for a dry run, would be.
    Made { deliveries: u64 },
}

#[derive(Debug, thiserror::Error)]
pub enum DirectError {
    #[error("there is no such delivery or event")]
    NotFound,
    #[error("it is delivered already")]
    Delivered,
    #[error("it is pending still")]
    Pending,
    #[error("its hook was deleted")]
    HookGone,
    /// Inactive, paused or disabled: nothing would be tried.
    #[error("its hook does not deliver now")]
    HookHeld,
    /// The catalog moved on: compute the recipients again.
    #[error("the catalog changed meanwhile")]
    Stale,
    /// Selections are worked off one after the other, and too many wait.
    #[error("too many directives are at work")]
    TooMany,
    #[error("the store cannot write now")]
    Down(#[source] StoreDown),
}
