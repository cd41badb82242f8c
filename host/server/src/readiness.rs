//! Whether this server should be sent requests: `/readyz`, in one place.
//!
//! Ready means: the plugin folder was read once and delivery runs, the store can write and its disk
//! is not nearly full, and nobody asked us to stop. What can change by itself is asked for at each look.

use std::fmt;
use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;
use whisperer_domain::port::{LedgerStatus, StoreHealth};

type Alive = Box<dyn Fn() -> bool + Send + Sync>;

#[derive(Default)]
pub struct Readiness {
    /// Empty until the plugin folder was read.
    delivery: OnceLock<Alive>,
    draining: CancellationToken,
}

impl Readiness {
    /// The plugin folder was read and delivery started; `alive` tells whether it still runs.
    /// Only the first call counts.
    pub fn delivers(&self, alive: impl Fn() -> bool + Send + Sync + 'static) {
        self.delivery.get_or_init(|| Box::new(alive));
    }

    pub fn start_draining(&self) {
        self.draining.cancel();
    }

    /// Ends once somebody asked us to stop: what a request waits for may not come any more.
    pub(crate) async fn until_draining(&self) {
        self.draining.cancelled().await;
    }

    /// What stands against being ready, in words; none: ready.
    pub(crate) fn obstacle(&self, store: &LedgerStatus) -> Option<&'static str> {
        if self.draining.is_cancelled() {
            return Some("The server is shutting down.");
        }
        match store.health {
            StoreHealth::Ready => {}
            StoreHealth::Reopening(_) => {
                return Some("The store is being reopened after an I/O error.");
            }
            StoreHealth::Compacting => return Some("The store is being compacted."),
            StoreHealth::Closed => return Some("The store is closed."),
        }
        if store.space.is_short {
            return Some("The disk is nearly full: no events are accepted until there is space.");
        }
        match self.delivery.get() {
            None => Some("The plugin folder is still being read."),
            Some(alive) if !alive() => Some("Delivery broke off: the server must be restarted."),
            Some(_) => None,
        }
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness")
            .field("delivery", &self.delivery.get().is_some())
            .field("draining", &self.draining.is_cancelled())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use whisperer_domain::port::{LedgerStatus, Space, StoreHealth};

    use super::Readiness;

    #[test]
    fn every_obstacle_is_told() {
        let readiness = Readiness::default();
        let with = |health: StoreHealth, is_short: bool| LedgerStatus {
            health,
            queued: 0,
            commits: 0,
            events_accepted: 0,
            attempts_settled: 0,
            space: Space {
                free_bytes: None,
                is_short,
            },
        };
        let store = with(StoreHealth::Ready, false);
        let words = |readiness: &Readiness, store: &LedgerStatus| {
            readiness.obstacle(store).unwrap_or("none").to_owned()
        };
        assert!(words(&readiness, &store).contains("plugin folder"));
        let alive = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&alive);
        readiness.delivers(move || asked.load(Ordering::Relaxed));
        assert_eq!(words(&readiness, &store), "none");
        let reopening = with(StoreHealth::Reopening(String::new()), false);
        assert!(words(&readiness, &reopening).contains("reopened"));
        let compacting = with(StoreHealth::Compacting, false);
        assert!(words(&readiness, &compacting).contains("compacted"));
        let closed = with(StoreHealth::Closed, false);
        assert!(words(&readiness, &closed).contains("closed"));
        let full = with(StoreHealth::Ready, true);
        assert!(words(&readiness, &full).contains("nearly full"));
        alive.store(false, Ordering::Relaxed);
        assert!(words(&readiness, &store).contains("restarted"));
        readiness.start_draining();
        assert!(words(&readiness, &store).contains("shutting down"));
    }
}
