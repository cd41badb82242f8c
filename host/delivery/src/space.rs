//! One byte budget over everything that waits in memory, so that many lanes cannot together
//! hold what none could alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Clone, Debug)]
pub(crate) struct Space {
    used: Arc<AtomicUsize>,
    bytes_max: usize,
}

impl Space {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            used: Arc::default(),
            bytes_max,
        }
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Room for so many bytes until the answer is dropped. One piece always fits when nothing
    /// else is held: otherwise what is larger than the budget could never be delivered.
    pub(crate) fn reserve(&self, bytes: usize) -> Option<Reserved> {
        // Only a sum is kept, nothing else is published by it: relaxed is enough.
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                let sum = used.checked_add(bytes)?;
                (used == 0 || sum <= self.bytes_max).then_some(sum)
            })
            .ok()
            .map(|_| Reserved {
                used: Arc::clone(&self.used),
                bytes,
            })
    }
}

#[derive(Debug)]
pub(crate) struct Reserved {
    used: Arc<AtomicUsize>,
    bytes: usize,
}

impl Reserved {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Space;

    #[test]
    fn room_ends_at_the_budget_and_comes_back() {
        let space = Space::new(10);
        let first = space.reserve(6).unwrap();
        assert!(space.reserve(5).is_none());
        let second = space.reserve(4).unwrap();
        drop(first);
        assert_eq!(space.used(), 4);
        drop(second);
        assert!(space.reserve(11).is_some(), "alone, anything fits");
        assert!(space.reserve(usize::MAX).is_some(), "it was given back");
    }
}
