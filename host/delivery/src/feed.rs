//! What the scheduler hears from outside. Fresh deliveries come in commit order through a
//! bounded queue; everything else is only a mark to look again, so that any number of marks
//! takes no room. Whatever does not fit becomes a mark on its lane: nothing is lost by it,
//! because the store has it.
//!
//! It is pushed to on the store's writer, which must never wait: no call here blocks for longer
//! than it takes to insert into a map.

use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};
use whisperer_domain::delivery::Ready;
use whisperer_domain::health::Health;
use whisperer_domain::id::HookId;
use whisperer_domain::port::{Acquired, FeedItem, FeedSink, Lease};

use crate::space::{Reserved, Space};

/// A delivery in memory, with the room it takes there.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) ready: Ready,
    pub(crate) room: Reserved,
}

#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) lease: Lease,
    pub(crate) held: Held,
    /// To be tried before whatever else the lane holds.
    pub(crate) urgent: bool,
}

/// A lane that is worth another look.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) lease: Lease,
    /// What it holds may be cancelled.
    pub(crate) recall: bool,
    pub(crate) saved: Option<Saved>,
}

/// What was saved of a lane.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    pub(crate) health: Health,
    /// Of the hook before this was read: of another one it says nothing.
    pub(crate) hook_revision: Option<u64>,
}

/// What is worth another look.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    pub(crate) lanes: BTreeMap<HookId, Mark>,
    /// Every lane that had something pending at the start was marked.
    pub(crate) all_lanes: bool,
    pub(crate) plugins: bool,
}

pub(crate) struct Feed {
    fresh: mpsc::Sender<Fresh>,
    /// Held for a look-up and never across an await. At most one entry a lane.
    marks: Mutex<Marks>,
    space: Space,
    overflowed: AtomicU64,
    /// Rung after anything was put where the scheduler will find it.
    pub(crate) bell: Notify,
}

impl Feed {
    pub(crate) fn new(fresh: mpsc::Sender<Fresh>, space: Space) -> Self {
        Self {
            fresh,
            marks: Mutex::default(),
            space,
            overflowed: AtomicU64::new(0),
            bell: Notify::new(),
        }
    }

    pub(crate) fn take_marks(&self) -> Marks {
        mem::take(&mut *self.marks())
    }

    /// The plugins changed.
    pub(crate) fn mark_plugins(&self) {
        self.marks().plugins = true;
        self.bell.notify_one();
    }

    /// Fresh deliveries that found no room, so far.
    pub(crate) fn overflowed(&self) -> u64 {
        self.overflowed.load(Ordering::Relaxed)
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        // Marks are valid after any panic: they are only ever inserted whole.
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lane of which nothing may be in memory yet.
    pub(crate) fn acquired(&self, acquired: Acquired, hook_revision: Option<u64>) {
        let health = acquired.health;
        let saved = Saved {
            health,
            hook_revision,
        };
        self.mark_lane(acquired.lease, false, Some(saved));
    }

    pub(crate) fn all_acquired(&self) {
        self.marks().all_lanes = true;
        self.bell.notify_one();
    }

    fn mark_lane(&self, lease: Lease, recall: bool, saved: Option<Saved>) {
        let mut marks = self.marks();
        let mark = marks.lanes.entry(lease.hook).or_insert(Mark {
            lease,
            recall: false,
            saved: None,
        });
        mark.recall |= recall;
        mark.saved = saved.or(mark.saved.take());
        if mark.lease.fence < lease.fence {
            mark.lease = lease;
        }
    }

    fn push_ready(&self, lease: Lease, ready: Ready, urgent: bool) {
        let kept = self.space.reserve(ready.bytes()).and_then(|room| {
            let held = Held { ready, room };
            let fresh = Fresh {
                lease,
                held,
                urgent,
            };
            self.fresh.try_send(fresh).ok()
        });
        if kept.is_none() {
            self.overflowed.fetch_add(1, Ordering::Relaxed);
            self.mark_lane(lease, false, None);
        }
    }
}

impl FeedSink for Feed {
    fn push(&self, item: FeedItem) {
        match item {
            FeedItem::Fresh { lease, ready } => self.push_ready(lease, ready, false),
            FeedItem::Urgent { lease, ready } => self.push_ready(lease, ready, true),
            FeedItem::Look(lease) => self.mark_lane(lease, false, None),
            FeedItem::Recall(lease) => self.mark_lane(lease, true, None),
            // A lane whose hook was changed is told by itself, and each looks at its turn.
            FeedItem::Catalog(_) => {}
        }
        self.bell.notify_one();
    }
}
