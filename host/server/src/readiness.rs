//! Whether this server should be sent requests: `/readyz`, in one place.
//!
//! Ready means: the plugin folder was read once and delivery runs, the store can write, and
//! nobody asked us to stop. What can change by itself is asked for at each look.

use std::fmt;
use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;
use whisperer_domain::port::StoreHealth;

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
    pub(crate) fn obstacle(&self, store: &StoreHealth) -> Option<&'static str> {
        if self.draining.is_cancelled() {
            return Some("The server is shutting down.");
        }
        match store {
            StoreHealth::Ready => {}
            StoreHealth::Reopening(_) => {
                return Some("The store is being reopened after an I/O error.");
            }
            StoreHealth::Compacting => return Some("The store is being compacted."),
            StoreHealth::Closed => return Some("The store is closed."),
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

    use whisperer_domain::port::StoreHealth;

    use super::Readiness;

    #[test]
    fn every_obstacle_is_told() {
        let readiness = Readiness::default();
        let store = StoreHealth::Ready;
        let words = |readiness: &Readiness, store: &StoreHealth| {
            readiness.obstacle(store).unwrap_or("none").to_owned()
        };
        assert!(words(&readiness, &store).contains("plugin folder"));
        let alive = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&alive);
        readiness.delivers(move || asked.load(Ordering::Relaxed));
        assert_eq!(words(&readiness, &store), "none");
        let reopening = StoreHealth::Reopening(String::new());
        assert!(words(&readiness, &reopening).contains("reopened"));
        assert!(words(&readiness, &StoreHealth::Compacting).contains("compacted"));
        assert!(words(&readiness, &StoreHealth::Closed).contains("closed"));
        alive.store(false, Ordering::Relaxed);
        assert!(words(&readiness, &store).contains("restarted"));
        readiness.start_draining();
        assert!(words(&readiness, &store).contains("shutting down"));
    }
}
