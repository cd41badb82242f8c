//! Everything that can be read of a store, as text. What is chance, the uuids, is left out.

use std::fmt::Write;

use uuid::Uuid;
use whisperer_domain::hook::Ordered;
use whisperer_domain::id::{DeliveryUuid, HookId};
use whisperer_domain::port::{Budget, DeliveryQuery, EventQuery, Fence, Lease, Scope, StoreDown};
use whisperer_domain::time::Timestamp;

use super::step::Whole;

/// Hooks of one life, at most.
pub(super) const HOOKS_MAX: u64 = 12;

pub(super) async fn whole(store: &dyn Whole) -> Result<String, StoreDown> {
    let mut text = String::new();
    let snapshot = store.snapshot();
    let _ = writeln!(text, "{:?} {:?}", snapshot.revision, snapshot.hooks);
    let status = store.status();
    let _ = writeln!(
        text,
        "{} events, {} attempts",
        status.events_accepted, status.attempts_settled
    );
    let mut query = DeliveryQuery::all(Scope::All, 100);
    loop {
        let page = store.page(query.clone()).await?;
        for item in page.items {
            let found = store.find(item.delivery.sequence, Scope::All).await?;
            let Some(mut found) = found else {
                let _ = writeln!(text, "{:?} is listed and not there", item.delivery.sequence);
                continue;
            };
            found.view.delivery.uuid = DeliveryUuid(Uuid::nil());
            let _ = writeln!(text, "{found:?}");
        }
        let Some(next) = page.next else { break };
        query.before = Some(next);
    }
    events(store, &mut text).await?;
    lanes(store, &mut text).await?;
    Ok(text)
}

async fn events(store: &dyn Whole, text: &mut String) -> Result<(), StoreDown> {
    let mut query = EventQuery {
        event_type: None,
        object_id: None,
        created_from: None,
        created_to: None,
        before: None,
        limit: 100,
    };
    loop {
        let page = store.events(query.clone()).await?;
        for event in page.items {
            let found = store.find_event(event.id.clone()).await?;
            let _ = writeln!(text, "{found:?}");
        }
        let Some(next) = page.next else { return Ok(()) };
        query.before = Some(next);
    }
}

/// What each lane would be given, now and at the end of time.
async fn lanes(store: &dyn Whole, text: &mut String) -> Result<(), StoreDown> {
    let hooks: Vec<HookId> = (1..=HOOKS_MAX).map(HookId).collect();
    for mut view in store.lanes(hooks.clone(), 1000).await? {
        // It is looked for in a bounded number of places, and may be missed.
        view.last_attempt = None;
        let _ = writeln!(text, "{view:?}");
    }
    let budget = Budget {
        rows: 1000,
        bytes: 1 << 30,
    };
    for hook in hooks {
        let known = store.snapshot().hooks.get(&hook).map(|hook| hook.ordered);
        let lease = Lease {
            hook,
            fence: Fence(1),
        };
        let horizon = Timestamp(4_000_000_000_000);
        let ordered = known.unwrap_or(Ordered::No);
        let taken = store
            .take(lease, horizon, Vec::new(), budget, ordered)
            .await?;
        let ready: Vec<_> = taken
            .ready
            .iter()
            .map(|ready| (ready.delivery.sequence, ready.event.key, &ready.pin))
            .collect();
        let _ = writeln!(
            text,
            "lane {hook:?} {ready:?} {:?} {}",
            taken.blocked, taken.closed
        );
    }
    Ok(())
}
