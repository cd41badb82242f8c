//! Whether this server should be sent requests: `/readyz`, in one place.
//!
//! Ready means: the plugin folder was read once, the store can write, and nobody asked us to
//! stop. The store's part is asked for at each look, the other two are told here.

use std::sync::atomic::{AtomicBool, Ordering};

use whisperer_domain::port::StoreHealth;

#[derive(Debug, Default)]
pub struct Readiness {
    plugins_read: AtomicBool,
    draining: AtomicBool,
}

impl Readiness {
    pub fn plugins_are_read(&self) {
        self.plugins_read.store(true, Ordering::Release);
    }

    pub fn start_draining(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// What stands against being ready, in words; none: ready.
    pub(crate) fn obstacle(&self, store: &StoreHealth) -> Option<&'static str> {
        if self.draining.load(Ordering::Acquire) {
            return Some("The server is shutting down.");
        }
        match store {
            StoreHealth::Ready => {}
            StoreHealth::Reopening(_) => {
                return Some("The store is being reopened after an I/O error.");
            }
            StoreHealth::Closed => return Some("The store is closed."),
        }
        if !self.plugins_read.load(Ordering::Acquire) {
            return Some("The plugin folder is still being read.");
        }
        None
    }
}
