//! When which lane is to be looked at unasked: one entry a lane at most.

use std::collections::BTreeSet;

use whisperer_domain::id::HookId;
use whisperer_domain::time::Timestamp;

use crate::lane::Lane;

#[derive(Debug, Default)]
pub(crate) struct Wakes(BTreeSet<(Timestamp, HookId)>);

impl Wakes {
    pub(crate) fn set(&mut self, lane: &mut Lane, at: Option<Timestamp>) {
        if lane.wake == at {
            return;
        }
        if let Some(earlier) = lane.wake {
            self.0.remove(&(earlier, lane.lease.hook));
        }
        if let Some(at) = at {
            self.0.insert((at, lane.lease.hook));
        }
        lane.wake = at;
    }

    pub(crate) fn first(&self) -> Option<Timestamp> {
        self.0.first().map(|(at, _)| *at)
    }

    /// A lane whose time has come. Its entry is gone: the caller clears `lane.wake`.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<HookId> {
        if self.first()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, lane)| lane)
    }
}
