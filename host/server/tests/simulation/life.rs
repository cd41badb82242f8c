//! The ports of one life of delivery: the store through a door that takes its time, sometimes
//! refuses, and sometimes forgets to say that it did what it was asked.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use whisperer_domain::catalog::{CatalogChange, CatalogSnapshot, Changed};
use whisperer_domain::hook::Ordered;
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::{
    Acquired, BoxFuture, Budget, Catalog, CatalogError, Clock, FeedSink, HookEffect, Lanes, Lease,
    Settled, Settlement, StoreDown, Taken,
};
use whisperer_domain::time::Timestamp;

use crate::model::Cause;
use crate::ops::Outage;
use crate::world::World;

/// The store answers within so many milliseconds, before and after it did its work.
const STORE_MS: u64 = 3;

pub(crate) struct Life {
    pub(crate) world: Arc<World>,
    number: u32,
}

impl Life {
    pub(crate) fn new(world: Arc<World>, number: u32) -> Self {
        Self { world, number }
    }

    fn is_over(&self) -> bool {
        let state = self.world.state();
        !state.is_alive || state.life != self.number
    }

    /// Goes on if the life does.
    pub(crate) async fn living(&self) {
        if self.is_over() {
            pending::<()>().await;
        }
    }

    /// Takes its time, and goes on if the life still does.
    pub(crate) async fn pass(&self, time: Duration) {
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
        self.living().await;
    }

    async fn pass_some(&self) {
        self.living().await;
        let time = self.world.state().millis(STORE_MS);
        self.pass(time).await;
    }

    fn outage(&self) -> Option<Outage> {
        self.world.state().outage(self.world.now())
    }

    fn readable(&self) -> Result<(), StoreDown> {
        match self.outage() {
            Some(Outage::Unreadable | Outage::All) => Err(down()),
            Some(Outage::Refuses | Outage::Forgets) | None => Ok(()),
        }
    }

    async fn write(&self, items: Arc<[Settlement]>) -> Result<Vec<Settled>, StoreDown> {
        let ended = |is_meant: fn(&HookEffect) -> bool| -> Vec<HookId> {
            let items = items.iter();
            let ended = items.filter(|item| item.effect.as_ref().is_some_and(is_meant));
            ended.map(|item| item.lease.hook).collect()
        };
        let disabled = ended(|_| true);
        let gone = ended(|effect| matches!(effect, HookEffect::Gone { .. }));
        let settled = self.world.store.settle(Arc::clone(&items)).await?;
        let now = self.world.now();
        {
            let mut state = self.world.state();
            for (item, answer) in items.iter().zip(&settled) {
                state.model.settle(item, answer, now);
            }
            for hook in disabled.iter().filter_map(|id| self.world.hook(*id)) {
                state.model.follow(&hook);
            }
        }
        if !gone.is_empty() {
            self.world.agree(&Cause::Gone(gone)).await;
        }
        Ok(settled)
    }
}

fn down() -> StoreDown {
    StoreDown::Reopening("simulated".to_owned())
}

impl Lanes for Life {
    fn feed(&self, sink: Arc<dyn FeedSink>) {
        if !self.is_over() {
            self.world.state().sink = Some(sink);
        }
    }

    fn acquire(
        &self,
        after: Option<HookId>,
        want: usize,
    ) -> BoxFuture<'_, Result<Vec<Acquired>, StoreDown>> {
        Box::pin(async move {
            self.pass_some().await;
            self.readable()?;
            // Pages of two, so that things happen in between.
            let acquired = self.world.store.acquire(after, want.min(2)).await;
            self.pass_some().await;
            acquired
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
            self.pass_some().await;
            self.readable()?;
            let store = &self.world.store;
            let taken = store.take(lease, horizon, held, budget, ordered).await;
            self.pass_some().await;
            taken
        })
    }

    fn settle(&self, items: Arc<[Settlement]>) -> BoxFuture<'_, Result<Vec<Settled>, StoreDown>> {
        Box::pin(async move {
            self.pass_some().await;
            let settled = match self.outage() {
                Some(Outage::Refuses | Outage::All) => Err(down()),
                Some(Outage::Forgets) => {
                    self.write(items).await?;
                    Err(StoreDown::Unknown("simulated".to_owned()))
                }
                Some(Outage::Unreadable) | None => self.write(items).await,
            };
            self.pass_some().await;
            settled
        })
    }
}

impl Catalog for Life {
    fn snapshot(&self) -> Arc<CatalogSnapshot> {
        self.world.store.snapshot()
    }

    fn change(&self, change: CatalogChange) -> BoxFuture<'_, Result<Changed, CatalogError>> {
        self.world.store.change(change)
    }
}

impl Clock for Life {
    fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// Once the life is over nothing waits, so that its tasks come to their end.
    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()> {
        let wait = if self.is_over() { Duration::ZERO } else { wait };
        self.world.clock.sleep(wait)
    }
}
