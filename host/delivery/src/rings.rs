//! Whose turn it is. Lanes that have something to try stand in a ring, those whose attempts take
//! long in a second one, and those that want to read the store in a queue of their own, so that
//! whatever one kind is short of does not hold up another. A lane stands in each at most once.

use std::collections::{HashSet, VecDeque};

use whisperer_domain::id::HookId;

#[derive(Debug, Default)]
pub(crate) struct Ring {
    order: VecDeque<HookId>,
    inside: HashSet<HookId>,
}

impl Ring {
    pub(crate) fn push(&mut self, lane: HookId) {
        if self.inside.insert(lane) {
            self.order.push_back(lane);
        }
    }

    pub(crate) fn pop(&mut self) -> Option<HookId> {
        let lane = self.order.pop_front()?;
        self.inside.remove(&lane);
        Some(lane)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Rings {
    ready: Ring,
    slow: Ring,
    pub(crate) reads: Ring,
    /// The last turn was given to the ring of slow lanes.
    slow_last: bool,
}

impl Rings {
    pub(crate) fn push(&mut self, lane: HookId, is_slow: bool) {
        if is_slow {
            self.slow.push(lane);
        } else {
            self.ready.push(lane);
        }
    }

    /// The next lane to have a turn; the rings alternate, unless one of them may not.
    pub(crate) fn pop(&mut self, slow_may: bool) -> Option<HookId> {
        let slow_first = slow_may && !self.slow_last;
        let slow = if slow_first { self.slow.pop() } else { None };
        if slow.is_some() {
            self.slow_last = true;
            return slow;
        }
        self.slow_last = false;
        self.ready.pop().or_else(|| {
            let slow = if slow_may { self.slow.pop() } else { None };
            self.slow_last = slow.is_some();
            slow
        })
    }
}

#[cfg(test)]
mod tests {
    use whisperer_domain::id::HookId;

    use super::Rings;

    #[test]
    fn turns_go_round_and_slow_lanes_can_be_left_out() {
        let mut rings = Rings::default();
        for (lane, is_slow) in [(1, false), (2, false), (1, false), (8, true), (9, true)] {
            rings.push(HookId(lane), is_slow);
        }
        let mut pop = |may| rings.pop(may).map(|lane| lane.0);
        assert_eq!(
            [pop(true), pop(true), pop(true)],
            [Some(8), Some(1), Some(9)]
        );
        assert_eq!([pop(false), pop(false)], [Some(2), None]);
    }
}
