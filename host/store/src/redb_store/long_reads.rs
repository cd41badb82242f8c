//! Who reads the whole store, and who must have it for himself: a backup or a check keeps its
//! snapshot for long, and a file cannot be compacted under one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// None is higher than this: somebody has it alone.
const ALONE: usize = usize::MAX;
/// Copies and checks at a time.
const READERS_MAX: usize = 4;

#[derive(Clone, Default)]
pub(super) struct LongReads(Arc<AtomicUsize>);

/// A place among the readers, or the whole: given back when dropped.
pub(super) struct Held {
    reads: Arc<AtomicUsize>,
    is_alone: bool,
}

impl LongReads {
    /// None: it is had by one alone, or enough read already.
    pub(super) fn read(&self) -> Option<Held> {
        let more = |readers| (readers < READERS_MAX).then_some(readers + 1);
        let taken = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        taken.is_ok().then(|| self.held(false))
    }

    /// None: somebody reads.
    pub(super) fn alone(&self) -> Option<Held> {
        let taken = self
            .0
            .compare_exchange(0, ALONE, Ordering::AcqRel, Ordering::Acquire);
        taken.is_ok().then(|| self.held(true))
    }

    fn held(&self, is_alone: bool) -> Held {
        Held {
            reads: Arc::clone(&self.0),
            is_alone,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.is_alone {
            self.reads.store(0, Ordering::Release);
        } else {
            self.reads.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LongReads, READERS_MAX};

    #[test]
    fn readers_keep_out_whoever_wants_it_alone_and_the_other_way_round() {
        let reads = LongReads::default();
        let all: Vec<_> = std::iter::from_fn(|| reads.read()).collect();
        assert_eq!(all.len(), READERS_MAX);
        assert!(reads.alone().is_none());
        drop(all);
        let alone = reads.alone().unwrap();
        assert!(reads.read().is_none() && reads.alone().is_none());
        drop(alone);
        assert!(reads.read().is_some());
    }
}
