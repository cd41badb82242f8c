//! The ports over the writer and the readers: each method asks one of them, and waits.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use whisperer_domain::access::{AuditEntry, Note};
use whisperer_domain::catalog::{CatalogChange, CatalogSnapshot, Changed, Revision};
use whisperer_domain::event::NewEvent;
use whisperer_domain::hook::Ordered;
use whisperer_domain::id::{EventId, HookId, Sequence};
use whisperer_domain::port::{
    AcceptError, Accepted, Acquired, Attempted, AuditedCatalog, BoxFuture, Budget, Catalog,
    CatalogError, DeliveryQuery, DirectError, Directed, Directive, EventFound, EventPage,
    EventQuery, FeedSink, LaneView, Lanes, Lease, Ledger, LedgerStatus, Page, Run, Scope, Settled,
    Settlement, StoreDown, Taken,
};
use whisperer_domain::time::Timestamp;

use super::RedbStore;
use super::batch::{self, lease};
use super::command::Write;
use super::reading::Asked;

impl Ledger for RedbStore {
    fn accept(
        &self,
        event: NewEvent,
        recipients: Vec<HookId>,
        revision: Revision,
    ) -> BoxFuture<'_, Result<Accepted, AcceptError>> {
        let event = Box::new(event);
        Box::pin(async move {
            if self.shared.space.is_short() {
                return Err(AcceptError::Down(StoreDown::Full));
            }
            self.ask(|reply| Write::Accept {
                event,
                recipients,
                revision,
                reply,
            })
            .await
            .unwrap_or_else(|down| Err(AcceptError::Down(down)))
        })
    }

    fn direct(
        &self,
        directive: Directive,
        scope: Scope,
        run: Run,
    ) -> BoxFuture<'_, Result<Directed, DirectError>> {
        Box::pin(async move {
            let counted = match (&directive, &run) {
                // What it will come to is known once it is done.
                (Directive::Retry { .. } | Directive::Replay { .. }, Run::Real(_)) => None,
                (
                    Directive::Requeue { .. }
                    | Directive::Cancel(_)
                    | Directive::Retry { .. }
                    | Directive::Replay { .. },
                    _,
                ) => {
                    let (directive, scope) = (directive.clone(), scope.clone());
                    let counted = self
                        .read(move |reading| reading.weigh(&directive, &scope))
                        .await
                        .map_err(DirectError::Down)??;
                    Some(counted)
                }
            };
            let note = match (run, &counted) {
                (Run::Dry, Some(counted)) => return Ok(counted.clone()),
                (Run::Dry, None) => None,
                (Run::Real(note), _) => note,
            };
            let directive = Box::new(directive);
            let done = self
                .ask(|reply| Write::Direct {
                    directive,
                    scope,
                    note,
                    reply,
                })
                .await
                .unwrap_or_else(|down| Err(DirectError::Down(down)))?;
            Ok(counted.unwrap_or(done))
        })
    }

    fn watch(&self, delivery: Sequence) -> Option<BoxFuture<'static, ()>> {
        self.shared.watches.watch(delivery)
    }

    fn find_event(&self, id: EventId) -> BoxFuture<'_, Result<Option<EventFound>, StoreDown>> {
        Box::pin(self.read(move |reading| reading.find_event(&id)))
    }

    fn events(&self, query: EventQuery) -> BoxFuture<'_, Result<EventPage, StoreDown>> {
        Box::pin(self.read(move |reading| reading.events(&query)))
    }

    fn find(
        &self,
        sequence: Sequence,
        scope: Scope,
    ) -> BoxFuture<'_, Result<Option<Attempted>, StoreDown>> {
        Box::pin(self.read(move |reading| reading.find(sequence, &scope)))
    }

    fn page(&self, query: DeliveryQuery) -> BoxFuture<'_, Result<Page, StoreDown>> {
        Box::pin(self.read(move |reading| reading.page(&query)))
    }

    fn lanes(
        &self,
        hooks: Vec<HookId>,
        pending_max: usize,
    ) -> BoxFuture<'_, Result<Vec<LaneView>, StoreDown>> {
        Box::pin(self.read(move |reading| {
            let hooks = hooks.into_iter();
            hooks.map(|hook| reading.lane(hook, pending_max)).collect()
        }))
    }

    fn status(&self) -> LedgerStatus {
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        LedgerStatus {
            health: self.shared.health(),
            queued: self.shared.queued.load(Ordering::Relaxed),
            commits: count(&self.shared.commits),
            events_accepted: count(&self.shared.events_accepted),
            attempts_settled: count(&self.shared.attempts_settled),
            space: self.shared.space.now(),
        }
    }
}

impl Lanes for RedbStore {
    fn feed(&self, sink: Arc<dyn FeedSink>) {
        self.shared.set_sink(Some(sink));
    }

    fn acquire(
        &self,
        after: Option<HookId>,
        want: usize,
    ) -> BoxFuture<'_, Result<Vec<Acquired>, StoreDown>> {
        Box::pin(async move {
            let lanes = self.read(move |reading| reading.lanes(after, want)).await?;
            let lanes = lanes.into_iter().map(|(hook, health)| Acquired {
                lease: lease(hook),
                health,
            });
            Ok(lanes.collect())
        })
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
            if lease.fence != batch::FENCE {
                return Ok(Taken::default());
            }
            self.read(move |reading| {
                let asked = Asked {
                    hook: lease.hook,
                    horizon,
                    held: held.into_iter().collect(),
                    budget,
                };
                reading.take(&asked, ordered)
            })
            .await
        })
    }

    fn settle(
        &self,
        settlements: Arc<[Settlement]>,
    ) -> BoxFuture<'_, Result<Vec<Settled>, StoreDown>> {
        Box::pin(async move {
            self.ask(|reply| Write::Settle {
                items: settlements,
                reply,
            })
            .await?
        })
    }
}

impl Catalog for RedbStore {
    fn snapshot(&self) -> Arc<CatalogSnapshot> {
        self.shared.catalog.load_full()
    }

    fn change(&self, change: CatalogChange) -> BoxFuture<'_, Result<Changed, CatalogError>> {
        Box::pin(self.make(change, None))
    }
}

impl AuditedCatalog for RedbStore {
    fn change_noted(
        &self,
        change: CatalogChange,
        note: Note,
    ) -> BoxFuture<'_, Result<Changed, CatalogError>> {
        Box::pin(self.make(change, Some(note)))
    }

    fn audit(
        &self,
        below: Option<u64>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<AuditEntry>, StoreDown>> {
        Box::pin(self.read(move |reading| reading.audit(below, limit)))
    }
}
