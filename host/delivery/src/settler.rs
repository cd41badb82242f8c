//! Writes what attempts came to: whatever has gathered while the last batch was written is the
//! next one. It repeats a batch until the store takes it, which is safe because settling is
//! idempotent by attempt, and necessary because nobody else remembers the attempt.

use std::iter;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;
use whisperer_domain::delivery::{Pin, Ready};
use whisperer_domain::id::Sequence;
use whisperer_domain::port::{Lease, Settled, Settlement, StoreDown};

use crate::attempt::Ended;
use crate::config::{DeliveryConfig, Ports, doubling};
use crate::reader::contained;
use crate::scheduler::{Report, Reporter};
use crate::stats::Counters;

/// A result on its way to the store.
pub(crate) struct Unsettled {
    settlement: Settlement,
    deferred: Option<Ready>,
    pub(crate) bytes: usize,
}

impl Unsettled {
    pub(crate) fn new(ended: Ended) -> Self {
        let deferred = ended.deferred.as_ref().map_or(0, Ready::bytes);
        Self {
            bytes: weight(&ended.settlement) + deferred,
            settlement: ended.settlement,
            deferred: ended.deferred,
        }
    }
}

/// What it holds in memory, but for what is small by nature.
fn weight(settlement: &Settlement) -> usize {
    let pin = match &settlement.pin {
        Some(Pin::Made { body, .. }) => body.len(),
        Some(Pin::Unchanged { .. }) | None => 0,
    };
    let Some(attempt) = &settlement.attempt else {
        return pin;
    };
    let response = attempt.response.as_ref().map_or(0, |response| {
        let headers = response.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
        response.body.len() + headers
    });
    let logs = attempt.chain.iter().flat_map(|run| &run.log);
    pin + response + logs.map(String::len).sum::<usize>()
}

/// The store's answer to one result.
pub(crate) struct Done {
    pub(crate) lease: Lease,
    pub(crate) sequence: Sequence,
    pub(crate) deferred: Option<Ready>,
    pub(crate) bytes: usize,
    /// The attempt disabled its hook.
    pub(crate) gone: bool,
    /// None: the store can never write it. It stays pending there, and is left alone until the
    /// next start, else it would be sent over and over.
    pub(crate) settled: Option<Settled>,
}

/// Runs until the queue's senders are gone.
///
/// # Cancel safety
/// Dropping the future forgets what is not yet written; it will be attempted again.
pub(crate) async fn run(
    mut queue: mpsc::Receiver<Unsettled>,
    config: DeliveryConfig,
    ports: Ports,
    reporter: Reporter,
    counters: &Counters,
) {
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, config.settle_batch).await > 0 {
        let (settlements, rests): (Vec<_>, Vec<_>) = batch
            .drain(..)
            .map(|unsettled| (unsettled.settlement, (unsettled.deferred, unsettled.bytes)))
            .unzip();
        let settlements: Arc<[Settlement]> = settlements.into();
        let answers = write(&settlements, &config, &ports, counters).await;
        let answers = answers.into_iter().chain(iter::repeat(None));
        for ((settlement, (deferred, bytes)), settled) in settlements.iter().zip(rests).zip(answers)
        {
            reporter.report(Report::Settled(Done {
                lease: settlement.lease,
                sequence: settlement.sequence,
                deferred,
                bytes,
                gone: settlement.effect.is_some(),
                settled,
            }));
        }
    }
}

/// Writes a batch, however long it takes; one record that is damaged is left out, so that it
/// does not hold up the others.
async fn write(
    batch: &Arc<[Settlement]>,
    config: &DeliveryConfig,
    ports: &Ports,
    counters: &Counters,
) -> Vec<Option<Settled>> {
    let mut answers = Vec::with_capacity(batch.len());
    // One at a time once a record of the batch proved damaged.
    let mut step = batch.len();
    let mut failures = 0;
    while answers.len() < batch.len() {
        let from = answers.len();
        let piece = match step == batch.len() {
            true => Arc::clone(batch),
            false => Arc::from(&batch[from..batch.len().min(from + step)]),
        };
        match contained(ports.ledger.settle(piece)).await {
            Ok(settled) => {
                failures = 0;
                answers.extend(settled.into_iter().map(Some));
                answers.resize(batch.len().min(from + step), None);
            }
            Err(StoreDown::Damaged(_)) if step > 1 => step = 1,
            Err(StoreDown::Damaged(what)) => {
                let delivery = batch[from].sequence.0;
                tracing::error!(delivery, what, "a result cannot be written");
                answers.push(None);
            }
            Err(
                down @ (StoreDown::Lagging
                | StoreDown::Reopening(_)
                | StoreDown::Compacting
                | StoreDown::Unknown(_)
                | StoreDown::Full
                | StoreDown::Closed),
            ) => {
                failures += 1;
                counters.store_failures.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(error = %down, failures, "results wait for the store");
                let wait = doubling(config.store_wait_min, config.store_wait_max, failures);
                ports.clock.sleep(wait).await;
            }
        }
    }
    answers
}
