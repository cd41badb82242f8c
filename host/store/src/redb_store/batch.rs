//! One write transaction in the making: tables, the state as it will be, and what to tell the
//! feed once it is on disk.
//!
//! Every command is judged before it writes a row, and sees what earlier commands of the same
//! transaction wrote; so the failure of one is nothing to the others.

mod accept;
mod cancel;
mod change;
mod direct;
mod keep;
mod lane;
mod news;
mod rekey;
mod settle;
mod sweep;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use whisperer_domain::delivery::CancelCause;
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::{FeedItem, Fence, Lease, Swept};
use whisperer_domain::time::Timestamp;

use super::fault::Fault;
use super::frame;
use super::record::{self, Cancellation};
use super::rows;
use super::seal::Seal;
use super::state::{self, State};
use super::tables::Tables;

pub(super) use rekey::Rekeying;

/// The only fence there is: leases of this store never expire.
pub(super) const FENCE: Fence = Fence(1);

pub(super) use sweep::{Allowance, Cursor};

pub(super) fn lease(hook: HookId) -> Lease {
    Lease { hook, fence: FENCE }
}

pub(super) struct Batch<'txn, 'seal> {
    pub(super) tables: Tables<'txn>,
    pub(super) state: State,
    pub(super) seal: &'seal Seal,
    /// The clock, once for the whole transaction.
    pub(super) now: Timestamp,
    /// The same, but never before anything accepted earlier, though the clock be set back.
    pub(super) accept_at: Timestamp,
    pub(super) feed: Vec<FeedItem>,
    /// Deliveries that were there before and are written anew: somebody may wait for them.
    pub(super) rewritten: Vec<Sequence>,
    /// Something was written: there is something to commit.
    pub(super) wrote: bool,
    catalog_changed: bool,
    /// The writer's own step of retention, and how long it took.
    swept: Option<(Swept, Duration)>,
    /// The oldest event is not what it was.
    oldest_goes: bool,
    /// Everything is sealed under the newest key, as far as it opens.
    rekeyed: Option<Rekeying>,
    /// Who hears of which operational events, as far as it was asked.
    listeners: HashMap<String, Arc<[HookId]>>,
}

impl<'txn, 'seal> Batch<'txn, 'seal> {
    pub(super) fn new(
        tables: Tables<'txn>,
        state: State,
        seal: &'seal Seal,
        now: Timestamp,
    ) -> Self {
        let accept_at = now.max(state.counters.accepted_at);
        Self {
            tables,
            state,
            seal,
            now,
            accept_at,
            feed: Vec::new(),
            rewritten: Vec::new(),
            wrote: false,
            catalog_changed: false,
            swept: None,
            oldest_goes: false,
            rekeyed: None,
            listeners: HashMap::new(),
        }
    }

    /// To be said of each change that decides about recipients.
    fn catalog_changes(&mut self) {
        self.wrote = true;
        self.catalog_changed = true;
        self.listeners.clear();
    }

    /// From here on everything pending of the hook counts as cancelled, and new deliveries do
    /// not; the rows follow in steps.
    pub(super) fn cancel_lane(&mut self, hook: HookId, cause: CancelCause) -> Result<(), Fault> {
        let below = Sequence(self.state.counters.sequence);
        let key = (hook, below);
        if self.state.cancellations.contains_key(&key) {
            return Ok(());
        }
        let cancellation = Cancellation {
            cause,
            at: self.now,
            cursor: None,
        };
        self.tables
            .cancellations
            .insert((hook.0, below.0), &*frame::encode(&cancellation))?;
        self.state.cancellations.insert(key, cancellation);
        self.wrote = true;
        Ok(())
    }

    /// Writes the counters and gives the tables back, so that the transaction can be committed.
    pub(super) fn finish(mut self) -> Result<Finished, Fault> {
        if self.catalog_changed {
            self.state.counters.revision = self.state.catalog.revision.0;
        }
        if self.oldest_goes {
            self.state.oldest_event_at = state::oldest_event_at(&self.tables.events)?;
        }
        if self.wrote {
            let counters = record::encode_counters(&self.state.counters);
            self.tables.meta.insert(rows::COUNTERS, &*counters)?;
        }
        Ok(Finished {
            state: self.state,
            feed: self.feed,
            rewritten: self.rewritten,
            rekeyed: self.rekeyed,
            wrote: self.wrote,
            swept: self.swept,
        })
    }
}

pub(super) struct Finished {
    pub(super) state: State,
    pub(super) feed: Vec<FeedItem>,
    pub(super) rewritten: Vec<Sequence>,
    pub(super) rekeyed: Option<Rekeying>,
    pub(super) wrote: bool,
    pub(super) swept: Option<(Swept, Duration)>,
}
