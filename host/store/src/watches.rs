//! Who waits for which delivery to be written: a request that had one tried, and wants to see
//! what it came to, is woken instead of asking again and again.
//!
//! Bounded, and next to free while nobody waits: the writer asks one counter a commit.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use whisperer_domain::id::Sequence;
use whisperer_domain::port::BoxFuture;

/// Requests that may wait at a time. Each holds a connection as well.
const WATCHES_MAX: usize = 1024;

#[derive(Default)]
pub(crate) struct Watches {
    waiting: Mutex<HashMap<Sequence, Vec<Waiter>>>,
    count: AtomicUsize,
    next: AtomicUsize,
}

struct Waiter {
    number: usize,
    wake: oneshot::Sender<()>,
}

/// One watch: takes itself off the list when dropped.
struct Watch {
    watches: Arc<Watches>,
    delivery: Sequence,
    number: usize,
}

impl Watches {
    /// From this call on, not from the first poll. None: enough wait already.
    pub(crate) fn watch(self: &Arc<Self>, delivery: Sequence) -> Option<BoxFuture<'static, ()>> {
        if self.count.fetch_add(1, Ordering::AcqRel) >= WATCHES_MAX {
            self.count.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (wake, woken) = oneshot::channel();
        self.waiting()
            .entry(delivery)
            .or_default()
            .push(Waiter { number, wake });
        let watch = Watch {
            watches: Arc::clone(self),
            delivery,
            number,
        };
        Some(Box::pin(async move {
            let _watch = watch;
            // Sent or dropped, it is time to look.
            let _ = woken.await;
        }))
    }

    /// These were written, and are on disk.
    pub(crate) fn ring(&self, written: &[Sequence]) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut waiting = self.waiting();
        for delivery in written {
            for waiter in waiting.remove(delivery).into_iter().flatten() {
                // Whoever waited may have gone.
                let _ = waiter.wake.send(());
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Sequence, Vec<Waiter>>> {
        // Whole after any panic: entries are only ever put in and taken out.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watches.count.fetch_sub(1, Ordering::AcqRel);
        let mut waiting = self.watches.waiting();
        if let Some(waiters) = waiting.get_mut(&self.delivery) {
            waiters.retain(|waiter| waiter.number != self.number);
            if waiters.is_empty() {
                waiting.remove(&self.delivery);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;
    use whisperer_domain::id::Sequence;

    use super::{WATCHES_MAX, Watches};

    #[test]
    fn a_watch_ends_with_the_next_write_of_its_delivery_alone() {
        let watches = Arc::new(Watches::default());
        let mut first = watches.watch(Sequence(1)).unwrap();
        let mut again = watches.watch(Sequence(1)).unwrap();
        let mut other = watches.watch(Sequence(2)).unwrap();
        assert!(first.as_mut().now_or_never().is_none());
        watches.ring(&[Sequence(3), Sequence(1)]);
        assert!(first.as_mut().now_or_never().is_some());
        assert!(again.as_mut().now_or_never().is_some());
        assert!(other.as_mut().now_or_never().is_none());
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let watches = Arc::new(Watches::default());
        let all: Vec<_> = (0..WATCHES_MAX)
            .map(|number| watches.watch(Sequence(number as u64 % 7)).unwrap())
            .collect();
        assert!(watches.watch(Sequence(1)).is_none());
        drop(all);
        assert!(watches.watch(Sequence(1)).is_some());
        assert!(watches.waiting().is_empty());
    }
}
