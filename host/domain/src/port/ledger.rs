//! Events and deliveries, kept safe. Shaped for several nodes with leases; redb is simply the
//! store whose leases never expire.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Attempted, BoxFuture, DeliveryQuery, DirectError, Directed, Directive, EventFound, EventPage,
    EventQuery, Page, Run,
};
use crate::attempt::Attempt;
use crate::catalog::Revision;
use crate::delivery::{CancelCause, DeadCause, DeliveryState, Pin, Ready, Waiting};
use crate::event::NewEvent;
use crate::health::Health;
use crate::hook::Ordered;
use crate::id::{EventId, HookId, Owner, Sequence};
use crate::news::HookNews;
use crate::outcome::Outcome;
use crate::plugin::PluginName;
use crate::time::Timestamp;

pub trait Ledger: Send + Sync {
    /// The event and one pending delivery per recipient, in one durable write: `Ok` only after
    /// it is on disk. The commit checks that `recipients` still hold at `revision`.
    ///
    /// # Cancel safety
    /// Once polled the event may be accepted even if the future is dropped.
    fn accept(
        &self,
        event: NewEvent,
        recipients: Vec<HookId>,
        revision: Revision,
    ) -> BoxFuture<'_, Result<Accepted, AcceptError>>;

    /// From now on what is committed is told to `sink`, in commit order. One sink at a time.
    fn feed(&self, sink: Arc<dyn FeedSink>);

    /// Leases on the lanes that have pending deliveries or a saved health, with that health: at
    /// most `want`, those after `after`.
    fn acquire(
        &self,
        after: Option<HookId>,
        want: usize,
    ) -> BoxFuture<'_, Result<Vec<Acquired>, StoreDown>>;

    /// The lane's pending deliveries due at `horizon`, with all it takes to try them, by due time
    /// and then sequence; of an ordered lane in its order, whatever is due when. Always examines
    /// from the front: the lane knows what it holds, and passes it in `held` to have it left out.
    ///
    /// An ordered lane's order is that of the sequences, but that what was brought back stands
    /// behind all that was there at that time. Of [`Ordered::Hook`] nothing comes from behind a
    /// delivery that is not due yet; of [`Ordered::Object`] nothing that is about its object. A
    /// lane whose rows do not stand in the order asked for, because the hook was changed since,
    /// gives nothing and `more`.
    fn take(
        &self,
        lease: Lease,
        horizon: Timestamp,
        held: Vec<Sequence>,
        budget: Budget,
        ordered: Ordered,
    ) -> BoxFuture<'_, Result<Taken, StoreDown>>;

    /// Writes what attempts came to, in one durable write; answers per item, in order.
    /// Repeatable: an attempt that is settled already is `Applied` again and changes nothing.
    ///
    /// In the same write the store makes the operational events that follow: the settlement's
    /// own news, a hook that was disabled, a delivery that died; for [`CatalogSnapshot::listeners`]
    /// alone, and about no hook that [`may_tell_of`] forbids.
    ///
    /// [`CatalogSnapshot::listeners`]: crate::catalog::CatalogSnapshot::listeners
    /// [`may_tell_of`]: crate::news::may_tell_of
    fn settle(
        &self,
        settlements: Vec<Settlement>,
    ) -> BoxFuture<'_, Result<Vec<Settled>, StoreDown>>;

    /// Has something done with deliveries, as [`Directive`] says: durably, but for what a
    /// selection means, which follows in steps. Only a real [`Run`] writes. A scope of an owner leaves the deliveries of all other hooks untouched.
    ///
    /// # Cancel safety
    /// Once polled it may be done even if the future is dropped.
    fn direct(
        &self,
        directive: Directive,
        scope: Scope,
        run: Run,
    ) -> BoxFuture<'_, Result<Directed, DirectError>>;

    /// Ends once the delivery is written again, by whatever: begin to watch, then read or have
    /// it tried, and nothing is missed. A fault of the store may keep it silent, so whoever waits
    /// needs a bound too. None: as many are watched as may be.
    ///
    /// # Cancel safety
    /// Dropping the future ends the watch.
    fn watch(&self, delivery: Sequence) -> Option<BoxFuture<'static, ()>>;

    /// One event by its poster's id.
    fn find_event(&self, id: EventId) -> BoxFuture<'_, Result<Option<EventFound>, StoreDown>>;

    /// Events, newest first. Examines a bounded number of rows and bytes: a page may hold fewer
    /// than asked for, or none, and still name where to go on.
    fn events(&self, query: EventQuery) -> BoxFuture<'_, Result<EventPage, StoreDown>>;

    /// One delivery with its event and attempts.
    fn find(
        &self,
        sequence: Sequence,
        scope: Scope,
    ) -> BoxFuture<'_, Result<Option<Attempted>, StoreDown>>;

    /// Deliveries, newest first. Examines a bounded number of rows: a page may hold fewer than
    /// asked for, or none, and still name where to go on.
    fn page(&self, query: DeliveryQuery) -> BoxFuture<'_, Result<Page, StoreDown>>;

    /// How the lanes of these hooks stand at one moment, in the order asked; of each at most
    /// `pending_max` pending deliveries are counted. Whether the hooks may be seen is the
    /// caller's to know.
    fn lanes(
        &self,
        hooks: Vec<HookId>,
        pending_max: usize,
    ) -> BoxFuture<'_, Result<Vec<LaneView>, StoreDown>>;

    /// From counters: no I/O, no wait.
    fn status(&self) -> LedgerStatus;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub id: EventId,
    pub deliveries: u64,
    /// The same event had been accepted before; nothing was written.
    pub replayed: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The catalog moved on: compute the recipients again.
    #[error("the catalog changed meanwhile")]
    Stale,
    #[error("another event has this id")]
    IdTaken,
    #[error("this idempotency key was used for another body")]
    KeyReused,
    #[error("the store cannot write now")]
    Down(#[source] StoreDown),
}

/// Why the store cannot be used just now. Come back later, with the same idempotency key.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreDown {
    /// More is waiting to be written than the queue holds.
    #[error("the store lags behind")]
    Lagging,
    #[error("the store is being reopened after an I/O error: {0}")]
    Reopening(String),
    /// The commit failed in a way that may still have reached the disk.
    #[error("whether this was written is unknown: {0}")]
    Unknown(String),
    #[error("the store is closed")]
    Closed,
    #[error("a record cannot be read: {0}")]
    Damaged(String),
}

/// Told what was committed. Called on the store's writer: must return at once.
pub trait FeedSink: Send + Sync {
    fn push(&self, item: FeedItem);
}

/// Lossy by contract: whoever cannot keep up marks the lane as behind and reads it from the
/// store.
#[derive(Clone, Debug)]
pub enum FeedItem {
    /// Just accepted, in commit order, not yet stored anywhere else but the store.
    Fresh { lease: Lease, ready: Ready },
    /// To be tried before whatever else its lane holds. The lane may hold it already.
    Urgent { lease: Lease, ready: Ready },
    /// There is something in this lane that was not told as `Fresh`, or its hook was changed.
    Look(Lease),
    /// What is held of this lane may be cancelled, or its hook is gone: forget it, and look.
    Recall(Lease),
    /// The catalog has a new snapshot.
    Catalog(Revision),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(pub u64);

/// The right to deliver a hook's lane, until a newer fence is given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub hook: HookId,
    pub fence: Fence,
}

/// A lease with what was saved of its lane.
#[derive(Clone, Debug, PartialEq)]
pub struct Acquired {
    pub lease: Lease,
    pub health: Health,
}

/// The most that one call may bring back; at least one row comes if there is any.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    pub rows: usize,
    pub bytes: usize,
}

#[derive(Clone, Debug, Default)]
pub struct Taken {
    pub ready: Vec<Ready>,
    /// More is due than the budget let through.
    pub more: bool,
    /// When the first delivery after the horizon is due; of an ordered lane, the first of those
    /// that were met and wait for nothing but their time.
    pub next_due: Option<Timestamp>,
    /// Of [`Ordered::Object`]: objects with a delivery that is not due yet, and when it is.
    pub blocked: Vec<(String, Timestamp)>,
    /// Of an ordered lane: nothing behind what came may be tried before `next_due`.
    pub closed: bool,
}

/// What is to be written about one delivery after a try.
#[derive(Clone, Debug)]
pub struct Settlement {
    pub lease: Lease,
    pub sequence: Sequence,
    /// None: it was a deferral.
    pub attempt: Option<Attempt>,
    pub verdict: Verdict,
    /// Set when the first transformed attempt failed.
    pub pin: Option<Pin>,
    pub effect: Option<HookEffect>,
    /// What the lane's health became, where a restart must know. It is the hook's of now only:
    /// a hook that is changed begins with a clean one.
    pub health: Option<Health>,
    pub news: Option<HookNews>,
}

/// What becomes of the delivery. Waits are relative: the store makes them absolute on its clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    Discarded {
        plugin: PluginName,
        code: String,
        message: String,
    },
    Dead(DeadCause),
    Cancelled(CancelCause),
    Retry {
        after: Duration,
    },
    Defer {
        after: Duration,
        waiting_for: Waiting,
    },
}

impl Verdict {
    /// The state that follows: waits become times on the store's clock, which reads `now`.
    #[must_use]
    pub fn state(self, now: Timestamp) -> DeliveryState {
        match self {
            Self::Delivered => DeliveryState::Delivered,
            Self::Discarded {
                plugin,
                code,
                message,
            } => DeliveryState::Discarded {
                plugin,
                code,
                message,
            },
            Self::Dead(cause) => DeliveryState::Dead(cause),
            Self::Cancelled(cause) => DeliveryState::Cancelled(cause),
            Self::Retry { after } => DeliveryState::Pending {
                due: now.after(after),
                waiting_for: None,
            },
            Self::Defer { after, waiting_for } => DeliveryState::Pending {
                due: now.after(after),
                waiting_for: Some(waiting_for),
            },
        }
    }
}

/// What an attempt does to its hook, in the same write. To one that is not active any more, or that
/// was changed since the attempt began, it does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookEffect {
    /// 410: disable the hook, cancel everything before the end of the lane as it is now.
    Gone { reason: String },
    /// Disable the hook; what is pending waits.
    Disable { reason: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Written. `due` is set when the delivery stays pending.
    Applied { due: Option<Timestamp> },
    /// The lease was no longer the newest: nothing was written.
    Fenced,
    /// The delivery had been cancelled meanwhile; only the attempt was written.
    Cancelled,
}

/// Whose deliveries may be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    Of(Owner),
}

/// How a hook's lane stands.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneView {
    pub hook: HookId,
    pub pending: usize,
    /// Counting ended at its bound: `pending` is the least that there is.
    pub more_pending: bool,
    /// When the first of what is pending is due, or was.
    pub next_due: Option<Timestamp>,
    /// The settled attempt that began last. A store may look for it among a bounded number of
    /// deliveries, the newest and those around which the lane is being worked off: a retry of
    /// one that is far older can be missed.
    pub last_attempt: Option<LastAttempt>,
    /// As it was last saved.
    pub health: Health,
}

/// The last attempt of a lane, without what makes attempts large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastAttempt {
    pub delivery: Sequence,
    pub started_at: Timestamp,
    pub outcome: Outcome,
    /// What the receiver answered, if it did.
    pub status: Option<u16>,
}

#[derive(Clone, Debug)]
pub struct LedgerStatus {
    pub health: StoreHealth,
    /// Writes waiting for the next commit.
    pub queued: usize,
    pub commits: u64,
    pub events_accepted: u64,
    pub attempts_settled: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreHealth {
    Ready,
    Reopening(String),
    Closed,
}
