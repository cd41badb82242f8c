//! What is pending, as it is delivered: leased, told, taken, settled. Shaped for several nodes with
//! leases; redb is simply the store whose leases never expire.

use std::sync::Arc;
use std::time::Duration;

use super::{BoxFuture, StoreDown};
use crate::attempt::Attempt;
use crate::catalog::Revision;
use crate::delivery::{CancelCause, DeadCause, DeliveryState, Pin, Ready, Waiting};
use crate::health::Health;
use crate::hook::Ordered;
use crate::id::{HookId, Sequence};
use crate::news::HookNews;
use crate::plugin::PluginName;
use crate::time::Timestamp;

pub trait Lanes: Send + Sync {
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
    /// Repeatable: an attempt that is settled already is `Applied` again and changes nothing. They
    /// are shared, so that whoever may have to repeat them need not copy them.
    ///
    /// In the same write the store makes the operational events that follow: the settlement's
    /// own news, a hook that was disabled, a delivery that died; for [`CatalogSnapshot::listeners`]
    /// alone, and about no hook that [`may_tell_of`] forbids.
    ///
    /// [`CatalogSnapshot::listeners`]: crate::catalog::CatalogSnapshot::listeners
    /// [`may_tell_of`]: crate::news::may_tell_of
    fn settle(
        &self,
        settlements: Arc<[Settlement]>,
    ) -> BoxFuture<'_, Result<Vec<Settled>, StoreDown>>;
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
