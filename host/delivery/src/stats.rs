//! What delivering has done and holds, for status and metrics: numbers only, read without a
//! wait.

use std::sync::atomic::{AtomicU64, Ordering};

use whisperer_domain::outcome::Outcome;
use whisperer_domain::port::{Settlement, Verdict};

/// A reading of all counters. Those of the first block are levels, the others only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryStats {
    /// Lanes that memory knows of.
    pub lanes: u64,
    /// Of them, those whose breaker is not closed, and those that were asked too much.
    pub breakers_open: u64,
    pub paced: u64,
    pub attempts_running: u64,
    /// Of them, those of lanes whose attempts take long.
    pub slow_running: u64,
    /// Results not yet on disk.
    pub unsettled: u64,
    /// Of payloads that wait in memory.
    pub buffered_bytes: u64,

    pub delivered: u64,
    pub refused: u64,
    pub unreachable: u64,
    pub timed_out: u64,
    pub blocked: u64,
    pub plugin_failed: u64,
    pub discarded: u64,
    pub internal: u64,
    pub deferred: u64,
    pub dead: u64,
    /// Fresh deliveries that found no room in memory and were read from the store later.
    pub overflowed: u64,
    /// Reads of the store by lanes that were behind.
    pub reads: u64,
    /// Calls of the store that failed and were repeated.
    pub store_failures: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) lanes: AtomicU64,
    pub(crate) breakers_open: AtomicU64,
    pub(crate) paced: AtomicU64,
    pub(crate) attempts_running: AtomicU64,
    pub(crate) slow_running: AtomicU64,
    pub(crate) unsettled: AtomicU64,
    pub(crate) buffered_bytes: AtomicU64,
    delivered: AtomicU64,
    refused: AtomicU64,
    unreachable: AtomicU64,
    timed_out: AtomicU64,
    blocked: AtomicU64,
    plugin_failed: AtomicU64,
    discarded: AtomicU64,
    internal: AtomicU64,
    deferred: AtomicU64,
    dead: AtomicU64,
    pub(crate) overflowed: AtomicU64,
    pub(crate) reads: AtomicU64,
    pub(crate) store_failures: AtomicU64,
}

impl Counters {
    pub(crate) fn count(&self, settlement: &Settlement) {
        let outcome = settlement.attempt.as_ref().map(|attempt| &attempt.outcome);
        let by_outcome = outcome.map(|outcome| match outcome {
            Outcome::Delivered { .. } => &self.delivered,
            Outcome::Refused { .. } => &self.refused,
            Outcome::Unreachable { .. } => &self.unreachable,
            Outcome::TimedOut { .. } => &self.timed_out,
            Outcome::Blocked { .. } => &self.blocked,
            Outcome::PluginFailed { .. } => &self.plugin_failed,
            Outcome::Discarded { .. } => &self.discarded,
            Outcome::Internal { .. } => &self.internal,
        });
        let by_verdict = match settlement.verdict {
            Verdict::Dead(_) => Some(&self.dead),
            Verdict::Defer { .. } => Some(&self.deferred),
            Verdict::Delivered
            | Verdict::Discarded { .. }
            | Verdict::Cancelled(_)
            | Verdict::Retry { .. } => None,
        };
        for counter in by_outcome.into_iter().chain(by_verdict) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn read(&self) -> DeliveryStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DeliveryStats {
            lanes: read(&self.lanes),
            breakers_open: read(&self.breakers_open),
            paced: read(&self.paced),
            attempts_running: read(&self.attempts_running),
            slow_running: read(&self.slow_running),
            unsettled: read(&self.unsettled),
            buffered_bytes: read(&self.buffered_bytes),
            delivered: read(&self.delivered),
            refused: read(&self.refused),
            unreachable: read(&self.unreachable),
            timed_out: read(&self.timed_out),
            blocked: read(&self.blocked),
            plugin_failed: read(&self.plugin_failed),
            discarded: read(&self.discarded),
            internal: read(&self.internal),
            deferred: read(&self.deferred),
            dead: read(&self.dead),
            overflowed: read(&self.overflowed),
            reads: read(&self.reads),
            store_failures: read(&self.store_failures),
        }
    }
}
