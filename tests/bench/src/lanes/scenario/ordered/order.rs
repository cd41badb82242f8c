//! Whether receipts are what an ordered hook promises: every attempt is for the oldest event that
//! was not taken yet. After a kill the last one taken may come once more, because its sender did
//! not live to note the answer.

use std::collections::{HashMap, HashSet};

use crate::receiver::Receipt;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Attempts at an event while an older one was not taken yet.
    pub(super) overtook: usize,
    pub(super) missing: u64,
    /// Attempts at what was taken already, and no kill explains it.
    pub(super) repeated: usize,
    /// Events that came once more because of a kill.
    pub(super) explained: usize,
    /// Attempts under another `webhook-id` than the event's first.
    pub(super) other_ids: usize,
}

impl Found {
    pub(super) fn is_right(&self) -> bool {
        let Self {
            overtook,
            missing,
            repeated,
            explained: _,
            other_ids,
        } = *self;
        overtook == 0 && missing == 0 && repeated == 0 && other_ids == 0
    }
}

/// `receipts` in order of arrival, of events numbered from 0; `kills_us`: when each killed server
/// was gone and the next not yet there.
pub(super) fn judge(receipts: &[Receipt], events: u64, kills_us: &[u64]) -> Found {
    let mut found = Found::default();
    let mut kills = kills_us.iter().peekable();
    let mut taken = HashSet::new();
    let mut ids = HashMap::new();
    // The oldest that was not taken yet.
    let mut head = 0;
    // What is being sent once more because of a kill, until it is taken again.
    let mut again = None;
    for receipt in receipts {
        let number = receipt.number;
        let first_id = *ids.entry(number).or_insert(receipt.webhook_id);
        found.other_ids += usize::from(first_id != receipt.webhook_id);
        let mut first_after_kill = false;
        while kills.next_if(|kill| **kill < receipt.at_us).is_some() {
            first_after_kill = true;
        }
        if first_after_kill {
            again = (number + 1 == head).then_some(number);
            found.explained += usize::from(again.is_some());
        }
        if again == Some(number) {
            // It may fail again, like any other.
            again = again.filter(|_| !receipt.is_taken());
        } else if taken.contains(&number) {
            found.repeated += 1;
        } else {
            found.overtook += usize::from(number != head || again.is_some());
        }
        if receipt.is_taken() {
            taken.insert(number);
            while taken.contains(&head) {
                head += 1;
            }
        }
    }
    found.missing = (0..events).filter(|number| !taken.contains(number)).count() as u64;
    found
}

#[cfg(test)]
mod tests {
    use super::{Found, judge};
    use crate::receiver::{Manner, Receipt};

    const KILL: &str = "kill";

    /// From words such as `3` (taken), `3!` (failed) and `kill`.
    fn judged(events: u64, story: &str) -> Found {
        let (mut receipts, mut kills) = (Vec::new(), Vec::new());
        for (word, at_us) in story.split(' ').zip(1..) {
            if word == KILL {
                kills.push(at_us);
                continue;
            }
            let number = word.trim_end_matches('!').parse().unwrap();
            receipts.push(Receipt {
                place: Manner::Flaky.at(0),
                number,
                at_us,
                status: if word.ends_with('!') { 500 } else { 200 },
                webhook_id: number.into(),
            });
        }
        judge(&receipts, events, &kills)
    }

    #[test]
    fn what_an_ordered_hook_may_do_is_right() {
        for (story, explained) in [
            ("0 1 2 3", 0),
            ("0! 0! 0 1 2! 2 3", 0),
            ("0 1 kill 2 3", 0),
            ("0 1! kill 1 2 3", 0),
            ("0 1 kill 1 2 3", 1),
            ("0 1 kill 1! 1 2 3", 1),
            ("0 kill 0 1 2 kill 2 3", 2),
        ] {
            let expected = Found {
                explained,
                ..Found::default()
            };
            let found = judged(4, story);
            assert_eq!(found, expected, "{story}");
            assert!(found.is_right(), "{story}");
        }
    }

    #[test]
    fn whatever_else_it_does_is_found() {
        for (story, overtook, missing, repeated) in [
            ("0 2 1 3", 1, 0, 0),
            ("0 1! 2 1 3", 1, 0, 0),
            ("0 1! 2! 1 2 3", 1, 0, 0),
            ("0 1 3", 1, 1, 0),
            ("0 1 1 2 3", 0, 0, 1),
            ("0 1 kill 2 1 3", 0, 0, 1),
            ("0 1 2 kill 1 2 3", 0, 0, 2),
            ("0 1 kill 1 1 2 3", 0, 0, 1),
            // Sent once more and failed: what follows it may not begin.
            ("0 1 kill 1! 2 3 1", 2, 0, 0),
        ] {
            let found = judged(4, story);
            let numbers = (found.overtook, found.missing, found.repeated);
            assert_eq!(numbers, (overtook, missing, repeated), "{story}");
            assert!(!found.is_right(), "{story}");
        }
    }
}
