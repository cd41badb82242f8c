//! Whose turn it is. Lanes that have something to try stand in a ring, those whose attempts time
//! out in a second one, and those that want to read the store in a queue of their own, so that
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
    timing_out: Ring,
    pub(crate) reads: Ring,
    /// The last turn was given to the ring of lanes that time out.
    timing_out_last: bool,
}

impl Rings {
    pub(crate) fn push(&mut self, lane: HookId, timing_out: bool) {
        if timing_out {
            self.timing_out.push(lane);
        } else {
            self.ready.push(lane);
        }
    }

    /// The next lane to have a turn; the rings alternate, unless one of them may not.
    pub(crate) fn pop(&mut self, timing_out_may: bool) -> Option<HookId> {
        let slow_first = timing_out_may && !self.timing_out_last;
        let slow = if slow_first {
            self.timing_out.pop()
        } else {
            None
        };
        if slow.is_some() {
            self.timing_out_last = true;
            return slow;
        }
        self.timing_out_last = false;
        self.ready.pop().or_else(|| {
            let slow = if timing_out_may {
                self.timing_out.pop()
            } else {
                None
            };
            self.timing_out_last = slow.is_some();
            slow
        })
    }
}

#[cfg(test)]
mod tests {
    use whisperer_domain::id::HookId;

    use super::Rings;

    #[test]
    fn turns_go_round_and_lanes_that_time_out_can_be_left_out() {
        let mut rings = Rings::default();
        for (lane, timing_out) in [(1, false), (2, false), (1, false), (8, true), (9, true)] {
            rings.push(HookId(lane), timing_out);
        }
        let mut pop = |may| rings.pop(may).map(|lane| lane.0);
        assert_eq!(
            [pop(true), pop(true), pop(true)],
            [Some(8), Some(1), Some(9)]
        );
        assert_eq!([pop(false), pop(false)], [Some(2), None]);
    }
}
