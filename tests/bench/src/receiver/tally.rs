//! What arrived at the places under `/count/`: which events at which hook, as one bit each, how
//! often again, and how long after they were due. Nothing is kept of a request but that: the
//! receiver shares the machine with what is measured.

use serde::{Deserialize, Serialize};

use crate::quantiles::{Quantiles, Times};
use crate::stamp::Stamp;

/// Events numbered higher are nobody's: the memory for their bits is bounded.
const EVENTS_MAX: u64 = 1 << 26;
/// So many that did not arrive are named.
const NAMED: usize = 3;

/// Which events come to which hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Hooks {
    /// Each event to every one of them.
    Every(u32),
    /// Each event to the one whose number is the rest of its own.
    OneOf(u32),
}

impl Hooks {
    pub(crate) fn count(self) -> u32 {
        match self {
            Self::Every(count) | Self::OneOf(count) => count,
        }
    }

    /// Deliveries that one event makes.
    pub(crate) fn fan_out(self) -> u64 {
        match self {
            Self::Every(count) => count.into(),
            Self::OneOf(_) => 1,
        }
    }
}

/// What is to be counted from now on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) hooks: Hooks,
    /// The number of the first event; what comes of earlier ones is late.
    pub(crate) first: u64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// Event and hook, each pair once.
    pub(crate) distinct: u64,
    pub(crate) duplicates: u64,
    /// At a hook that should not get it, without a stamp, or with a number of no event.
    pub(crate) strays: u64,
    /// Of what was counted before.
    pub(crate) late: u64,
    pub(crate) last_us: u64,
    pub(crate) times: Quantiles,
    /// Some of what did not arrive.
    pub(crate) missing: Vec<(u64, u32)>,
}

pub(crate) struct Tally {
    counted: Counted,
    /// A bit for each event: of every hook, or of the one that gets it.
    seen: Vec<Bits>,
    times: Times,
    summary: Summary,
}

#[derive(Clone, Default)]
struct Bits(Vec<u64>);

impl Bits {
    /// Whether it was not set yet.
    fn set(&mut self, nth: u64) -> bool {
        let (word, bit) = (index(nth), 1 << (nth % 64));
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }

    fn has(&self, nth: u64) -> bool {
        let word = self.0.get(index(nth)).copied().unwrap_or(0);
        word & (1 << (nth % 64)) != 0
    }
}

fn index(nth: u64) -> usize {
    // Below `EVENTS_MAX`, whatever the machine.
    usize::try_from(nth / 64).unwrap_or(usize::MAX)
}

impl Tally {
    pub(crate) fn new(counted: Counted) -> Self {
        let rows = match counted.hooks {
            Hooks::Every(count) => usize::try_from(count).unwrap_or(0),
            Hooks::OneOf(_) => 1,
        };
        Self {
            counted,
            seen: vec![Bits::default(); rows],
            times: Times::new(),
            summary: Summary::default(),
        }
    }

    /// Answers how many came by now that had not come before.
    pub(crate) fn note(&mut self, hook: Option<u32>, stamp: Option<Stamp>, at_us: u64) -> u64 {
        let (Some(hook), Some(stamp)) = (hook, stamp) else {
            self.summary.strays += 1;
            return self.summary.distinct;
        };
        let Some(nth) = stamp.number.checked_sub(self.counted.first) else {
            self.summary.late += 1;
            return self.summary.distinct;
        };
        let row = match self.counted.hooks {
            Hooks::Every(_) => usize::try_from(hook).ok(),
            Hooks::OneOf(count) => {
                (u64::from(hook) == stamp.number % u64::from(count)).then_some(0)
            }
        };
        let row = row.filter(|_| nth < EVENTS_MAX);
        let bits = row.and_then(|row| self.seen.get_mut(row));
        match bits.map(|bits| bits.set(nth)) {
            None => self.summary.strays += 1,
            Some(true) => {
                self.summary.distinct += 1;
                self.summary.last_us = at_us;
                self.times.note_us(at_us.saturating_sub(stamp.due_us));
            }
            Some(false) => self.summary.duplicates += 1,
        }
        self.summary.distinct
    }

    pub(crate) fn distinct(&self) -> u64 {
        self.summary.distinct
    }

    /// What came, if so many events were posted.
    pub(crate) fn summary(&self, events: u64) -> Summary {
        let rows = (0..).zip(&self.seen);
        let missing = rows.flat_map(|(row, bits)| {
            let absent = (0..events).filter(|nth| !bits.has(*nth));
            absent.map(move |nth| (self.counted.first + nth, row))
        });
        Summary {
            times: self.times.quantiles(),
            missing: missing.take(NAMED).collect(),
            ..self.summary.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Counted, Hooks, Summary, Tally};
    use crate::stamp::Stamp;

    fn tally(hooks: Hooks, came: &[(u32, u64)]) -> Tally {
        let mut tally = Tally::new(Counted { hooks, first: 100 });
        for (hook, number) in came {
            let stamp = Stamp {
                due_us: 1_000,
                number: *number,
            };
            tally.note(Some(*hook), Some(stamp), 3_000 + number);
        }
        tally
    }

    fn counts(summary: &Summary) -> [u64; 4] {
        [
            summary.distinct,
            summary.duplicates,
            summary.strays,
            summary.late,
        ]
    }

    #[test]
    fn what_comes_again_makes_up_for_nothing_that_is_missing() {
        let tally = tally(
            Hooks::Every(2),
            &[(0, 100), (0, 101), (1, 101), (1, 101), (1, 101), (0, 99)],
        );
        let summary = tally.summary(2);
        assert_eq!(counts(&summary), [3, 2, 0, 1]);
        assert_eq!(summary.missing, [(100, 1)]);
        assert_eq!(summary.last_us, 3_101, "not that of a duplicate");
        assert_eq!(summary.times.samples, 3);
    }

    #[test]
    fn an_event_at_another_hook_is_a_stray() {
        let tally = tally(Hooks::OneOf(10), &[(1, 101), (2, 101), (5, 105), (5, 165)]);
        let summary = tally.summary(6);
        assert_eq!(counts(&summary), [3, 0, 1, 0]);
        assert_eq!(summary.missing, [(100, 0), (102, 0), (103, 0)]);
    }

    #[test]
    fn no_number_and_no_hook_takes_more_memory_than_there_is() {
        let tally = tally(
            Hooks::Every(1),
            &[(0, u64::MAX), (7, 100), (0, 163), (0, 164)],
        );
        assert_eq!(counts(&tally.summary(0)), [2, 0, 2, 0]);
        let mut empty = Tally::new(Counted {
            hooks: Hooks::Every(1),
            first: 0,
        });
        empty.note(None, None, 1);
        assert_eq!(counts(&empty.summary(0)), [0, 0, 1, 0]);
    }
}
