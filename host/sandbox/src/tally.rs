//! What a plugin did and what it cost, over all its generations: for its status and for metrics.
//!
//! Dry runs are not counted: they say nothing about deliveries.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use whisperer_domain::plugin::{PluginFailure, PluginName};

use crate::metrics;

/// Three digits are as exact as any of this repeats.
const DIGITS: u8 = 3;

pub(crate) struct Tally {
    counts: Mutex<Counts>,
    meters: metrics::PluginMeters,
}

struct Counts {
    calls: u64,
    failures: BTreeMap<PluginFailure, u64>,
    took_us: Histogram<u64>,
    memory_bytes: Histogram<u64>,
}

/// One call, as it is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) failure: Option<PluginFailure>,
    pub(crate) took: Duration,
    pub(crate) memory_bytes: usize,
}

/// What was counted since this process began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub calls: u64,
    /// Only kinds that happened.
    pub failures: BTreeMap<PluginFailure, u64>,
    /// Of calls, without waiting for a turn.
    pub took_us: Spread,
    /// The most memory that a call had, in bytes.
    pub memory_bytes: Spread,
}

/// All zero if there was none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    pub p50: u64,
    pub p99: u64,
    pub max: u64,
}

impl Tally {
    pub(crate) fn of(name: &PluginName) -> Self {
        let histogram = || {
            Histogram::new(DIGITS)
                // Only a number of digits above five is refused.
                .expect("three digits are a valid precision")
        };
        Self {
            counts: Mutex::new(Counts {
                calls: 0,
                failures: BTreeMap::new(),
                took_us: histogram(),
                memory_bytes: histogram(),
            }),
            meters: metrics::PluginMeters::of(name),
        }
    }

    pub(crate) fn note(&self, call: Counted) {
        self.meters.note(&call);
        let took_us = u64::try_from(call.took.as_micros()).unwrap_or(u64::MAX);
        let mut counts = self.lock();
        counts.calls += 1;
        if let Some(kind) = call.failure {
            *counts.failures.entry(kind).or_default() += 1;
        }
        counts.took_us.saturating_record(took_us);
        counts
            .memory_bytes
            .saturating_record(call.memory_bytes as u64);
    }

    pub(crate) fn totals(&self) -> Totals {
        let counts = self.lock();
        Totals {
            calls: counts.calls,
            failures: counts.failures.clone(),
            took_us: spread(&counts.took_us),
            memory_bytes: spread(&counts.memory_bytes),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        // Counts that are one off after a panic are still counts.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn spread(histogram: &Histogram<u64>) -> Spread {
    Spread {
        p50: histogram.value_at_quantile(0.5),
        p99: histogram.value_at_quantile(0.99),
        max: histogram.max(),
    }
}
