//! Events and deliveries, kept safe: what posts, asks and directs. What delivers them is
//! [`Lanes`](super::Lanes), over the same store.

use super::{
    Attempted, BoxFuture, DeliveryQuery, DirectError, Directed, Directive, EventFound, EventPage,
    EventQuery, Page, Run,
};
use crate::catalog::Revision;
use crate::event::NewEvent;
use crate::health::Health;
use crate::id::{EventId, HookId, Owner, Sequence};
use crate::outcome::Outcome;
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
    /// On purpose: whoever runs it had it done.
    #[error("the store is being compacted")]
    Compacting,
    /// The commit failed in a way that may still have reached the disk.
    #[error("whether this was written is unknown: {0}")]
    Unknown(String),
    /// Less of the disk is free than is kept back for what was accepted already. Nothing was written.
    #[error("the disk is nearly full: no events are accepted until there is space")]
    Full,
    #[error("the store is closed")]
    Closed,
    #[error("a record cannot be read: {0}")]
    Damaged(String),
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
    pub space: Space,
}

/// Of the disk that a store lies on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// None: it is not known, or there is no disk.
    pub free_bytes: Option<u64>,
    /// It is so little that no events are accepted; everything else goes on.
    pub is_short: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreHealth {
    Ready,
    Reopening(String),
    Compacting,
    Closed,
}
