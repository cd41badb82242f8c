//! The one thread that writes.
//!
//! It takes what waits in its queue (`gather`) into one transaction. After each commit it publishes
//! the new state, then feeds the lanes, then answers. Any fault of the database, and any panic, ends
//! in opening it anew (`reopen`): what was not committed is answered so, nothing acknowledged is
//! lost.

mod compact;
pub(super) mod gather;
mod reopen;
mod rotate;
pub(super) mod sweeper;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use redb::WriteTransaction;
use whisperer_domain::port::{
    AcceptError, CatalogError, Clock, DirectError, Rotated, StoreDown, StoreHealth, UpkeepError,
};

use self::gather::{Crowd, End};
use self::sweeper::{Ended, Step, Sweeper};
use super::batch::{Allowance, Batch, Finished};
use super::command::{Answer, Command, Queued, Reply, Write};
use super::fault::Fault;
use super::opener::Opener;
use super::seal::Seal;
use super::shared::Shared;
use super::state::State;
use super::tables::Tables;
use crate::error::StoreError;
use crate::retention::Cutoff;

pub(super) struct Limits {
    pub(super) rows_max: usize,
    pub(super) bytes_max: usize,
}

pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) inbox: Receiver<Queued>,
    pub(super) state: State,
    pub(super) opener: Opener,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: Limits,
    pub(super) quick_repair: bool,
    pub(super) sweeper: Sweeper,
    /// The keys as they stand in the key file. What is open in memory may be more: reads that are
    /// under way may need a key that was taken out since.
    pub(super) keys: Seal,
    /// Who waits for everything to be sealed anew.
    pub(super) rotating: Vec<Reply<Result<Rotated, StoreError>>>,
    /// How often the database was opened anew since something was last written.
    pub(super) in_vain: u32,
    /// Results that let others go first. They are in the next transaction, whatever comes.
    pub(super) put_off: Vec<Write>,
    /// Who brought what the last transaction carried.
    pub(super) crowd: Crowd,
}

impl Writer {
    pub(super) fn run(mut self) {
        loop {
            let gathered = self.gather();
            let mut end = gathered.end;
            for reply in gathered.rotations {
                self.rotate(reply);
            }
            let writes = self.first(gathered.writes, end.is_some());
            if let Some(reason) = self.write(writes, gathered.suspect)
                && let Some(ended) = self.reopen(&reason)
            {
                end = end.or(Some(ended));
            }
            if let Some(reply) = gathered.compact
                && end.is_none()
            {
                end = self.compact(reply);
            }
            match end {
                Some(End::Close(reply)) => {
                    let _ = reply.send(self.close());
                    return;
                }
                Some(End::Deserted) => return drop(self.shared.take_database()),
                None => {}
            }
        }
    }

    /// One transaction. Some: the database has to be opened anew, for this reason.
    fn write(&mut self, writes: Vec<Write>, suspect: bool) -> Option<String> {
        if suspect {
            let reason = "a read failed";
            refuse_all(writes, reason);
            return Some(reason.to_owned());
        }
        let live_bytes = self.state.counters.kept.live_bytes;
        let step = self
            .sweeper
            .step(Instant::now(), self.clock.now(), live_bytes);
        if writes.is_empty() && step.is_none() && self.state.is_at_rest() {
            return None;
        }
        match catch_unwind(AssertUnwindSafe(|| self.transact(writes, step))) {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => Some(match fault {
                Fault::Database(source) => source.to_string(),
                Fault::Damaged { .. } | Fault::Random(_) | Fault::Absent => fault.to_string(),
            }),
            // Whoever waited learns it from the dropped replies.
            Err(_panic) => Some("the writer panicked".to_owned()),
        }
    }

    fn transact(&mut self, writes: Vec<Write>, step: Option<Step>) -> Result<(), Fault> {
        let mut answers = Vec::with_capacity(writes.len());
        let is_busy = !writes.is_empty();
        let mut writes = writes.into_iter();
        let (txn, finished) = match self.prepare(&mut writes, &mut answers, step) {
            Ok(prepared) => prepared,
            Err(fault) => {
                let down = fault.to_down();
                answers
                    .into_iter()
                    .for_each(|answer| answer.fail(down.clone()));
                writes.for_each(|write| write.refuse(down.clone()));
                return Err(fault);
            }
        };
        if finished.wrote {
            if let Err(error) = txn.commit() {
                let down = StoreDown::Unknown(error.to_string());
                answers
                    .into_iter()
                    .for_each(|answer| answer.fail(down.clone()));
                return Err(error.into());
            }
            self.in_vain = 0;
            self.shared.commits.fetch_add(1, Ordering::Relaxed);
            // A disk can fill up within the second in which it is looked at anyhow.
            self.shared.space.look();
            self.state = finished.state;
            self.shared.publish(&self.state);
            self.shared.feed(finished.feed);
            self.shared.watches.ring(&finished.rewritten);
            if let Some(rekeyed) = finished.rekeyed {
                self.finish_rotation(&rekeyed);
            }
        } else {
            // Nothing to undo either: everything was refused or known.
            drop(txn);
            self.state.cursor = finished.state.cursor;
        }
        if let Some((swept, took)) = finished.swept {
            let ended = Ended {
                swept,
                took,
                is_busy: is_busy || self.shared.queued.load(Ordering::Relaxed) > 0,
                live_bytes: self.state.counters.kept.live_bytes,
            };
            self.sweeper.ended(Instant::now(), &ended);
        }
        answers.into_iter().for_each(Answer::send);
        Ok(())
    }

    /// Puts everything into a transaction, up to its commit. A write that is under way when a
    /// fault comes is in neither list: its reply is dropped, and reads as unknown.
    fn prepare(
        &self,
        writes: &mut std::vec::IntoIter<Write>,
        answers: &mut Vec<Answer>,
        step: Option<Step>,
    ) -> Result<(WriteTransaction, Finished), Fault> {
        let mut txn = self.shared.begin_write()?;
        txn.set_quick_repair(self.quick_repair);
        let finished = {
            let tables = Tables::open(&txn)?;
            let state = self.state.clone();
            let seal = self.shared.seal.load();
            let mut batch = Batch::new(tables, state, &seal, self.clock.now());
            for write in writes {
                answers.push(apply(&mut batch, write)?);
            }
            batch.cancel_some()?;
            batch.direct_some()?;
            if let Some(step) = step {
                batch.sweep_some(&step)?;
            }
            batch.rekey_some()?;
            batch.finish()?
        };
        Ok((txn, finished))
    }

    /// Ends the database and says what that came to.
    fn close(&mut self) -> Result<(), StoreError> {
        self.shared.set_health(StoreHealth::Closed);
        self.shared.set_sink(None);
        // What came after the order to close was never taken up.
        while let Ok(queued) = self.inbox.try_recv() {
            match queued.into_command() {
                Some(Command::Write(write)) => write.refuse(StoreDown::Closed),
                Some(Command::Close(reply)) => drop(reply.send(Err(StoreError::Closed))),
                Some(Command::Compact(reply)) => {
                    let down = UpkeepError::Down(StoreDown::Closed);
                    drop(reply.send(Err(down)));
                }
                Some(Command::Rotate(reply)) => drop(reply.send(Err(StoreError::Closed))),
                Some(Command::Suspect { .. }) | None => {}
            }
        }
        let Some(database) = self.shared.take_database() else {
            return Err(StoreError::Reopening("it was not open".to_owned()));
        };
        database.close().map_err(|error| StoreError::Database {
            doing: "close",
            path: self.opener.path().to_owned(),
            source: Box::new(error),
        })
    }
}

/// Damage answers the one write that met it; any other fault is the transaction's.
fn apply(batch: &mut Batch<'_, '_>, write: Write) -> Result<Answer, Fault> {
    match write {
        Write::Accept {
            event,
            recipients,
            revision,
            reply,
        } => {
            let result = match batch.accept(*event, &recipients, revision) {
                Ok(result) => result,
                Err(fault) => Err(AcceptError::Down(spared(fault)?)),
            };
            Ok(Answer::Accept(reply, result))
        }
        Write::Settle { items, reply } => {
            let result = match batch.settle(&items) {
                Ok(settled) => Ok(settled),
                Err(fault) => Err(spared(fault)?),
            };
            Ok(Answer::Settle(reply, result))
        }
        Write::Change {
            change,
            note,
            reply,
        } => {
            let result = match batch.change(change, note) {
                Ok(result) => result,
                Err(fault) => Err(CatalogError::Down(spared(fault)?)),
            };
            Ok(Answer::Change(reply, result))
        }
        Write::Direct {
            directive,
            scope,
            note,
            reply,
        } => {
            let result = match batch.direct(*directive, scope, note) {
                Ok(result) => result,
                Err(fault) => Err(DirectError::Down(spared(fault)?)),
            };
            Ok(Answer::Direct(reply, result))
        }
        Write::Sweep {
            retention,
            budget,
            reply,
        } => {
            let cutoff = Cutoff::of(retention, batch.now);
            let result = match batch.sweep(cutoff, Allowance::new(budget, None)) {
                Ok(swept) => Ok(swept),
                Err(fault) => Err(spared(fault)?),
            };
            Ok(Answer::Sweep(reply, result))
        }
    }
}

fn spared(fault: Fault) -> Result<StoreDown, Fault> {
    match fault {
        Fault::Damaged { .. } => Ok(fault.to_down()),
        Fault::Database(_) | Fault::Random(_) | Fault::Absent => Err(fault),
    }
}

fn refuse_all(writes: Vec<Write>, reason: &str) {
    for write in writes {
        write.refuse(StoreDown::Reopening(reason.to_owned()));
    }
}
