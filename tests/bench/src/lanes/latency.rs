//! From when an event was due to be posted until its receiver had it, and what is told of many.
//!
//! What was taken and did not arrive counts as if it had arrived when the waiting ended: left out,
//! it would make a server that loses or delays look fast.

use std::collections::HashMap;
use std::ops::Range;

use serde::Serialize;

use crate::lanes::load::Posted;
use crate::receiver::{Place, Receipt};
use crate::wall;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Latencies {
    pub(crate) events: usize,
    /// Not answered 202; they are not among the events.
    pub(crate) refused: usize,
    /// Taken, and not there when the waiting ended.
    pub(crate) missing: usize,
    /// How late the generator was: its own share, at the 99th percentile: how busy the machine is, whatever the
    /// server does.
    pub(crate) posted_late_p99_ms: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) max_ms: f64,
}

/// When each event arrived for the first time, by its number.
pub(crate) struct Arrivals(HashMap<u64, u64>);

impl Arrivals {
    /// Of the receipts at places that are wanted.
    pub(crate) fn of(receipts: &[Receipt], wanted: impl Fn(Place) -> bool) -> Self {
        let mut arrivals = HashMap::with_capacity(receipts.len());
        for receipt in receipts.iter().filter(|it| wanted(it.place)) {
            arrivals.entry(receipt.number).or_insert(receipt.at_us);
        }
        Self(arrivals)
    }
}

impl Latencies {
    /// Of the posted events that were due in this time and are wanted by their place in the
    /// schedule, counted from 0.
    pub(crate) fn of(
        posted: &Posted,
        arrivals: &Arrivals,
        due_us: Range<u64>,
        wanted: impl Fn(u64) -> bool,
    ) -> Self {
        let until_us = wall::now_us();
        let (mut times, mut late, mut refused, mut missing) = (Vec::new(), Vec::new(), 0, 0);
        for (nth, late_us) in (0..posted.count).zip(&posted.late_us) {
            if !wanted(nth) {
                continue;
            }
            let number = posted.first + nth;
            let due = posted.due_us(number);
            if !due_us.contains(&due) {
                continue;
            }
            if posted.refused.binary_search(&number).is_ok() {
                refused += 1;
                continue;
            }
            let at = arrivals.0.get(&number);
            missing += usize::from(at.is_none());
            late.push(*late_us);
            times.push(at.unwrap_or(&until_us).saturating_sub(due));
        }
        times.sort_unstable();
        late.sort_unstable();
        let at = |part: f64| millis(percentile(&times, part));
        Self {
            events: times.len(),
            refused,
            missing,
            posted_late_p99_ms: millis(percentile(&late, 0.99)),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: at(1.0),
        }
    }

    pub(crate) fn all_arrived(&self) -> bool {
        self.refused == 0 && self.missing == 0 && self.events > 0
    }

    pub(crate) fn words(&self) -> String {
        let mut words = format!(
            "p50 {:.2}, p99 {:.2}, p999 {:.1}, worst {:.1} ms of {} events, posted late by p99 {:.2}",
            self.p50_ms,
            self.p99_ms,
            self.p999_ms,
            self.max_ms,
            self.events,
            self.posted_late_p99_ms
        );
        if self.refused > 0 {
            words.push_str(&format!("; {} REFUSED", self.refused));
        }
        if self.missing > 0 {
            words.push_str(&format!("; {} MISSING", self.missing));
        }
        words
    }
}

/// The value that this part of all does not exceed; 0 of none.
fn percentile(sorted: &[u64], part: f64) -> u64 {
    let rank = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

fn millis(us: u64) -> f64 {
    us as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let hundred: Vec<u64> = (1..=100).collect();
        for (part, expected) in [(0.5, 50), (0.99, 99), (0.999, 100), (1.0, 100)] {
            assert_eq!(percentile(&hundred, part), expected, "{part}");
        }
        assert_eq!(percentile(&[7], 0.5), 7);
        assert_eq!(percentile(&[], 0.99), 0);
    }
}
