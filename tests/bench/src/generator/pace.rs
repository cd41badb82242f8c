//! When events are due: the next one when the last was accepted, or by a schedule.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::Semaphore;

use crate::wall;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pace {
    Closed,
    /// So many events a second.
    Open(u64),
}

/// The turns of one load, dealt to whatever connection asks for one.
pub(super) struct Turns {
    pace: Pace,
    start: Instant,
    start_us: u64,
    lasts: Duration,
    /// One permit for each event that is due by now. The runtime's own timer is too coarse: it
    /// knows milliseconds, and what is measured takes one or two.
    due: Arc<Semaphore>,
}

pub(super) struct Turn {
    pub(super) nth: u64,
    /// By the schedule, if there is one.
    pub(super) due_us: Option<u64>,
}

impl Turns {
    pub(super) fn begin(pace: Pace, lasts: Duration) -> Self {
        let turns = Self {
            pace,
            start: Instant::now(),
            start_us: wall::now_us(),
            lasts,
            due: Arc::new(Semaphore::new(0)),
        };
        if let Pace::Open(per_second) = pace {
            let (due, start) = (Arc::downgrade(&turns.due), turns.start);
            let count = count(per_second, lasts);
            std::thread::spawn(move || keep_time(per_second, count, start, &due));
        }
        turns
    }

    pub(super) fn start_us(&self) -> u64 {
        self.start_us
    }

    /// Waits for the next event's moment; none when the time is over. `next` counts the turns.
    pub(super) async fn next(&self, next: &AtomicU64) -> Option<Turn> {
        match self.pace {
            Pace::Closed if self.start.elapsed() >= self.lasts => None,
            Pace::Closed => Some(Turn {
                nth: next.fetch_add(1, Ordering::Relaxed),
                due_us: None,
            }),
            Pace::Open(per_second) => {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                if nth >= count(per_second, self.lasts) {
                    return None;
                }
                // Permits go out in the order in which they are asked for, which is that of the
                // numbers. The semaphore is never closed.
                self.due.acquire().await.ok()?.forget();
                Some(Turn {
                    nth,
                    due_us: Some(self.start_us + due_us(nth, per_second)),
                })
            }
        }
    }
}

fn count(per_second: u64, lasts: Duration) -> u64 {
    let us = u64::try_from(lasts.as_micros()).unwrap_or(u64::MAX);
    us.saturating_mul(per_second) / 1_000_000
}

/// After the start.
fn due_us(nth: u64, per_second: u64) -> u64 {
    nth * 1_000_000 / per_second
}

/// Ends when nobody waits any more.
fn keep_time(per_second: u64, count: u64, start: Instant, due: &Weak<Semaphore>) {
    for nth in 0..count {
        let after = Duration::from_micros(due_us(nth, per_second));
        std::thread::sleep(after.saturating_sub(start.elapsed()));
        match due.upgrade() {
            Some(due) => due.add_permits(1),
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    use super::{Pace, Turns};

    #[tokio::test]
    async fn a_schedule_is_kept_whoever_asks_and_however_late() {
        let turns = Turns::begin(Pace::Open(2_000), Duration::from_millis(20));
        let next = AtomicU64::new(0);
        let mut dues = Vec::new();
        while let Some(turn) = turns.next(&next).await {
            dues.push(turn.due_us.expect("there is a schedule") - turns.start_us());
        }
        let expected: Vec<u64> = (0..40).map(|nth| nth * 500).collect();
        assert_eq!(dues, expected);
    }

    #[tokio::test]
    async fn a_closed_loop_ends_with_its_time() {
        let turns = Turns::begin(Pace::Closed, Duration::ZERO);
        let next = AtomicU64::new(0);
        assert!(turns.next(&next).await.is_none());
        let turns = Turns::begin(Pace::Closed, Duration::from_secs(3_600));
        let turn = turns.next(&next).await.expect("there is time");
        assert_eq!((turn.nth, turn.due_us), (0, None));
    }
}
