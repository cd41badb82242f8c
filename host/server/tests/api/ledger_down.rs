//! A ledger that cannot be used just now.

use whisperer_domain::catalog::Revision;
use whisperer_domain::event::NewEvent;
use whisperer_domain::id::{EventId, HookId, Sequence};
use whisperer_domain::port::{
    AcceptError, Accepted, Attempted, BoxFuture, DeliveryQuery, DirectError, Directed, Directive,
    EventFound, EventPage, EventQuery, LaneView, Ledger, LedgerStatus, Page, Run, Scope, Space,
    StoreDown, StoreHealth,
};

pub(crate) struct LedgerDown;

const WHY: &str = "no space left on the device";

fn down<T: Send + 'static>() -> BoxFuture<'static, Result<T, StoreDown>> {
    Box::pin(async { Err(StoreDown::Reopening(WHY.to_owned())) })
}

impl Ledger for LedgerDown {
    fn accept(
        &self,
        _: NewEvent,
        _: Vec<HookId>,
        _: Revision,
    ) -> BoxFuture<'_, Result<Accepted, AcceptError>> {
        Box::pin(async { down().await.map_err(AcceptError::Down) })
    }

    fn direct(
        &self,
        _: Directive,
        _: Scope,
        _: Run,
    ) -> BoxFuture<'_, Result<Directed, DirectError>> {
        Box::pin(async { down().await.map_err(DirectError::Down) })
    }

    fn watch(&self, _: Sequence) -> Option<BoxFuture<'static, ()>> {
        None
    }

    fn find_event(&self, _: EventId) -> BoxFuture<'_, Result<Option<EventFound>, StoreDown>> {
        down()
    }

    fn events(&self, _: EventQuery) -> BoxFuture<'_, Result<EventPage, StoreDown>> {
        down()
    }

    fn find(&self, _: Sequence, _: Scope) -> BoxFuture<'_, Result<Option<Attempted>, StoreDown>> {
        down()
    }

    fn page(&self, _: DeliveryQuery) -> BoxFuture<'_, Result<Page, StoreDown>> {
        down()
    }

    fn lanes(&self, _: Vec<HookId>, _: usize) -> BoxFuture<'_, Result<Vec<LaneView>, StoreDown>> {
        down()
    }

    fn status(&self) -> LedgerStatus {
        LedgerStatus {
            health: StoreHealth::Reopening(WHY.to_owned()),
            queued: 0,
            commits: 0,
            events_accepted: 0,
            attempts_settled: 0,
            space: Space::default(),
        }
    }
}
