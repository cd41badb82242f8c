//! The ports over the model: each method is one look at it, or one change.

use std::path::PathBuf;
use std::sync::Arc;

use whisperer_domain::access::{AuditEntry, Note};
use whisperer_domain::catalog::{CatalogChange, CatalogSnapshot, Changed, Revision};
use whisperer_domain::event::NewEvent;
use whisperer_domain::hook::Ordered;
use whisperer_domain::id::{EventId, HookId, Sequence};
use whisperer_domain::port::{
    AcceptError, Accepted, Acquired, Attempted, AuditedCatalog, BoxFuture, Budget, Catalog,
    CatalogError, Checked, Compacted, Copied, DeliveryQuery, DirectError, Directed, Directive,
    EventFound, EventPage, EventQuery, FeedSink, KeyUse, LaneView, Lanes, Lease, Ledger,
    LedgerStatus, Onward, Page, Retention, Rotated, Run, Scope, Settled, Settlement, Space, Stock,
    StoreDown, StoreHealth, Swept, Taken, Upkeep, UpkeepError,
};
use whisperer_domain::time::Timestamp;

use super::MemoryStore;

impl Ledger for MemoryStore {
    fn accept(
        &self,
        event: NewEvent,
        recipients: Vec<HookId>,
        revision: Revision,
    ) -> BoxFuture<'_, Result<Accepted, AcceptError>> {
        Box::pin(
            async move { self.write(|model, now| model.accept(event, &recipients, revision, now)) },
        )
    }

    fn direct(
        &self,
        directive: Directive,
        scope: Scope,
        run: Run,
    ) -> BoxFuture<'_, Result<Directed, DirectError>> {
        Box::pin(async move {
            let note = match run {
                Run::Dry => return self.model().weigh(&directive, &scope),
                Run::Real(note) => note,
            };
            self.write(|model, now| {
                let object = directive.object();
                let done = model.direct(directive, scope, now)?;
                model.note(note, object, now);
                Ok(done)
            })
        })
    }

    fn watch(&self, delivery: Sequence) -> Option<BoxFuture<'static, ()>> {
        self.watches.watch(delivery)
    }

    fn find_event(&self, id: EventId) -> BoxFuture<'_, Result<Option<EventFound>, StoreDown>> {
        Box::pin(async move { Ok(self.model().find_event(&id)) })
    }

    fn events(&self, query: EventQuery) -> BoxFuture<'_, Result<EventPage, StoreDown>> {
        Box::pin(async move { Ok(self.model().events(&query)) })
    }

    fn find(
        &self,
        sequence: Sequence,
        scope: Scope,
    ) -> BoxFuture<'_, Result<Option<Attempted>, StoreDown>> {
        Box::pin(async move { Ok(self.model().find(sequence, &scope)) })
    }

    fn page(&self, query: DeliveryQuery) -> BoxFuture<'_, Result<Page, StoreDown>> {
        Box::pin(async move { Ok(self.model().page(&query)) })
    }

    fn lanes(
        &self,
        hooks: Vec<HookId>,
        pending_max: usize,
    ) -> BoxFuture<'_, Result<Vec<LaneView>, StoreDown>> {
        Box::pin(async move {
            let model = self.model();
            let hooks = hooks.into_iter();
            Ok(hooks.map(|hook| model.lane(hook, pending_max)).collect())
        })
    }

    fn status(&self) -> LedgerStatus {
        let model = self.model();
        LedgerStatus {
            health: StoreHealth::Ready,
            queued: 0,
            commits: model.commits,
            events_accepted: model.next_event - 1,
            attempts_settled: model.attempts_settled,
            space: Space::default(),
        }
    }
}

impl Lanes for MemoryStore {
    fn feed(&self, sink: Arc<dyn FeedSink>) {
        self.model().sink = Some(sink);
    }

    fn acquire(
        &self,
        after: Option<HookId>,
        want: usize,
    ) -> BoxFuture<'_, Result<Vec<Acquired>, StoreDown>> {
        Box::pin(async move { Ok(self.model().acquire(after, want)) })
    }

    fn take(
        &self,
        lease: Lease,
        horizon: Timestamp,
        held: Vec<Sequence>,
        budget: Budget,
        ordered: Ordered,
    ) -> BoxFuture<'_, Result<Taken, StoreDown>> {
        Box::pin(async move {
            let model = self.model();
            Ok(model.take(lease, horizon, &held, budget, ordered))
        })
    }

    fn settle(
        &self,
        settlements: Arc<[Settlement]>,
    ) -> BoxFuture<'_, Result<Vec<Settled>, StoreDown>> {
        Box::pin(async move {
            let settled = self.write(|model, now| {
                let settled = settlements.iter().cloned();
                settled.map(|item| model.settle(item, now)).collect()
            });
            Ok(settled)
        })
    }
}

impl Catalog for MemoryStore {
    fn snapshot(&self) -> Arc<CatalogSnapshot> {
        self.catalog.load_full()
    }

    fn change(&self, change: CatalogChange) -> BoxFuture<'_, Result<Changed, CatalogError>> {
        Box::pin(async move { self.make_change(change, None) })
    }
}

impl AuditedCatalog for MemoryStore {
    fn change_noted(
        &self,
        change: CatalogChange,
        note: Note,
    ) -> BoxFuture<'_, Result<Changed, CatalogError>> {
        Box::pin(async move { self.make_change(change, Some(note)) })
    }

    fn audit(
        &self,
        below: Option<u64>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<AuditEntry>, StoreDown>> {
        let below = below.unwrap_or(u64::MAX);
        let model = self.model();
        let newest = model.audit.iter().rev();
        let found = newest.filter(|entry| entry.number < below).take(limit);
        let found = found.cloned().collect();
        Box::pin(async move { Ok(found) })
    }
}

impl Upkeep for MemoryStore {
    fn stock(&self) -> Stock {
        self.model().stock()
    }

    fn sweep(
        &self,
        retention: Retention,
        budget: Budget,
    ) -> BoxFuture<'_, Result<Swept, StoreDown>> {
        Box::pin(async move { Ok(self.write(|model, now| model.sweep(retention, budget, now))) })
    }

    fn backup(&self, _to: PathBuf, _onward: Onward) -> BoxFuture<'_, Result<Copied, UpkeepError>> {
        Box::pin(async { Err(UpkeepError::NoFile) })
    }

    fn compact(&self) -> BoxFuture<'_, Result<Compacted, UpkeepError>> {
        Box::pin(async { Err(UpkeepError::NoFile) })
    }

    fn check(
        &self,
        _findings_max: usize,
        _onward: Onward,
    ) -> BoxFuture<'_, Result<Checked, UpkeepError>> {
        Box::pin(async { Err(UpkeepError::NoFile) })
    }

    fn rotate_key(&self) -> BoxFuture<'_, Result<Rotated, UpkeepError>> {
        Box::pin(async { Err(UpkeepError::NoFile) })
    }

    fn keys(&self) -> BoxFuture<'_, Result<Vec<KeyUse>, UpkeepError>> {
        Box::pin(async { Err(UpkeepError::NoFile) })
    }
}
