//! Calls of the store by lanes: what is due, and at the start, which lanes there are.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use whisperer_domain::hook::Ordered;
use whisperer_domain::id::Sequence;
use whisperer_domain::port::{Budget, Lanes, Lease, StoreDown, Taken};
use whisperer_domain::time::Timestamp;

use crate::config::{DeliveryConfig, Ports, doubling};
use crate::feed::Feed;

const LEASES_PAGE: usize = 1000;

/// What a read brought.
pub(crate) struct Read {
    pub(crate) lease: Lease,
    pub(crate) horizon: Timestamp,
    pub(crate) result: Result<Taken, StoreDown>,
}

/// What a lane asks the store for.
pub(crate) struct Wanted {
    pub(crate) lease: Lease,
    pub(crate) horizon: Timestamp,
    pub(crate) held: Vec<Sequence>,
    pub(crate) budget: Budget,
    pub(crate) ordered: Ordered,
}

pub(crate) async fn read(ledger: &dyn Lanes, wanted: Wanted) -> Read {
    let Wanted {
        lease,
        horizon,
        held,
        budget,
        ordered,
    } = wanted;
    let result = contained(ledger.take(lease, horizon, held, budget, ordered)).await;
    Read {
        lease,
        horizon,
        result,
    }
}

/// Marks every lane that has pending deliveries, however long the store takes to say so.
pub(crate) async fn acquire_all(ports: &Ports, config: &DeliveryConfig, feed: &Arc<Feed>) {
    let mut after = None;
    let mut failures = 0;
    loop {
        let catalog = ports.catalog.snapshot();
        match contained(ports.ledger.acquire(after, LEASES_PAGE)).await {
            Ok(acquired) => {
                failures = 0;
                let Some(last) = acquired.last() else {
                    feed.all_acquired();
                    return;
                };
                after = Some(last.lease.hook);
                for lane in acquired {
                    let hook = catalog.hooks.get(&lane.lease.hook);
                    feed.acquired(lane, hook.map(|hook| hook.revision));
                }
                feed.bell.notify_one();
            }
            Err(down) => {
                failures += 1;
                tracing::warn!(error = %down, failures, "lanes cannot be read from the store");
                let wait = doubling(config.store_wait_min, config.store_wait_max, failures);
                ports.clock.sleep(wait).await;
            }
        }
    }
}

/// A panic in the store must not leave a lane waiting for an answer for ever.
pub(crate) async fn contained<T>(
    call: impl Future<Output = Result<T, StoreDown>>,
) -> Result<T, StoreDown> {
    AssertUnwindSafe(call)
        .catch_unwind()
        .await
        .unwrap_or_else(|_panic| Err(StoreDown::Unknown("the call panicked".to_owned())))
}
