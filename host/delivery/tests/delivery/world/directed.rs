//! What a store does to deliveries when somebody directs it to, and tells of it.

use std::time::Duration;

use whisperer_domain::delivery::{CancelCause, DeadCause, DeliveryState, Revival};
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::{Clock as _, FeedItem, Fence, Lease};

use super::World;

impl World {
    /// Makes it due now, as a retry by hand does; what has ended is brought back.
    pub(crate) fn retry(&self, sequence: Sequence) {
        let now = self.now();
        let mut state = self.state();
        let row = state.rows.get_mut(&sequence).unwrap();
        let delivery = &mut row.ready.delivery;
        if delivery.state.due().is_none() {
            delivery.revival = Some(Revival {
                at: now,
                attempts: delivery.attempts,
            });
        }
        delivery.state = DeliveryState::Pending {
            due: now,
            waiting_for: None,
        };
        let ready = row.ready.clone();
        drop(state);
        let lease = self.lease(ready.delivery.hook);
        self.tell(FeedItem::Urgent { lease, ready });
    }

    /// Cancels everything pending of a hook, which stays.
    pub(crate) fn cancel(&self, hook: u64) {
        let hook = HookId(hook);
        for row in self.state().rows.values_mut() {
            if row.ready.delivery.hook == hook && row.due().is_some() {
                row.ready.delivery.state = DeliveryState::Cancelled(CancelCause::ByHand);
            }
        }
        self.tell(FeedItem::Recall(self.lease(hook)));
    }

    /// The next so many deliveries that die are brought back at once.
    pub(crate) fn set_revivals(&self, times: usize) {
        self.state().revivals = times;
    }

    pub(super) fn revive_the_dead(&self) {
        let dead = DeliveryState::Dead(DeadCause::Exhausted);
        let found = {
            let mut state = self.state();
            let found = state.rows.iter().find(|(_, row)| *row.state() == dead);
            let found = found.map(|(sequence, _)| *sequence);
            let found = found.filter(|_| state.revivals > 0);
            state.revivals -= usize::from(found.is_some());
            found
        };
        if let Some(sequence) = found {
            self.retry(sequence);
        }
    }

    /// Gives the leases to somebody else, and new ones back at once.
    pub(crate) fn revoke(&self, hook: u64) {
        self.state().revoked += 1;
        self.tell(FeedItem::Look(self.lease(HookId(hook))));
    }

    pub(super) fn lease(&self, hook: HookId) -> Lease {
        Lease {
            hook,
            fence: Fence(1 + self.state().revoked),
        }
    }

    /// Does something while delivery waits for its lanes.
    /// The store takes so long to say which lanes there are.
    pub(crate) fn acquire_late(&self, takes: Duration) {
        self.state().acquire_takes = takes;
    }

    pub(crate) fn meanwhile(&self, act: impl FnOnce(&Self) + Send + 'static) {
        self.state().meanwhile = Some(Box::new(act));
    }
}
