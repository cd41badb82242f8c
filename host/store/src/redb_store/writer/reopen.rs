//! Opening the database anew after a fault: redb refuses every write after an I/O error until
//! it was dropped and opened again. Nothing acknowledged is lost by it.
//!
//! It tries until it succeeds, ever more slowly; meanwhile every call is refused as reopening. If
//! after that not even one write comes about (the disk is full, say), the next time it is open for
//! reads alone for a while, ever longer: each write would else have the file repaired in vain.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use redb::ReadableDatabase;
use whisperer_domain::id::HookId;
use whisperer_domain::port::{FeedItem, StoreDown, StoreHealth, UpkeepError};

use super::{End, Writer};
use crate::error::StoreError;
use crate::redb_store::batch::lease;
use crate::redb_store::command::Command;
use crate::redb_store::fault::Fault;
use crate::redb_store::reading;
use crate::redb_store::state::State;
use crate::redb_store::tables::Views;

const WAIT_FIRST: Duration = Duration::from_millis(50);
const WAIT_MAX: Duration = Duration::from_secs(5);
/// Lanes that are looked up in one go to be told.
const LANES_STEP: usize = 1000;

impl Writer {
    /// Some: meanwhile it was told to end.
    pub(super) fn reopen(&mut self, reason: &str) -> Option<End> {
        tracing::error!(reason, "the store is reopened after a fault");
        self.shared
            .set_health(StoreHealth::Reopening(reason.to_owned()));
        // redb may panic over a file that it cannot write to; it is let go all the same.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(self.shared.take_database())));
        let mut wait = WAIT_FIRST;
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.try_open())) {
                Ok(Ok(state)) => {
                    self.resume(state);
                    let again = self.in_vain;
                    self.in_vain = again.saturating_add(1);
                    // The first reopening costs nobody more than it takes.
                    let doublings = again.checked_sub(1)?;
                    let rest = WAIT_FIRST.saturating_mul(1 << doublings.min(10));
                    return self.refuse_for(rest.min(WAIT_MAX), reason);
                }
                Ok(Err(error)) => tracing::warn!(%error, "the store cannot be reopened yet"),
                Err(_panic) => tracing::warn!("the store cannot be reopened yet: redb broke off"),
            }
            if let Some(end) = self.refuse_for(wait, reason) {
                return Some(end);
            }
            wait = (wait * 2).min(WAIT_MAX);
        }
    }

    fn try_open(&self) -> Result<State, StoreError> {
        self.opener.evict();
        let database = self.opener.open(&self.keys)?;
        let state = database
            .begin_read()
            .map_err(Fault::from)
            .and_then(|txn| State::load(&txn, &self.keys))
            .map_err(|fault| self.opener.failed("reload", fault))?;
        self.shared.put_database(database);
        Ok(state)
    }

    /// Takes the state of the file for what is, and has every lane look at it: of what was last
    /// written it is not known what the lanes were told.
    pub(super) fn resume(&mut self, state: State) {
        self.state = state;
        self.shared.publish(&self.state);
        self.shared.set_health(StoreHealth::Ready);
        tracing::info!("the store is open again");
        let revision = self.state.catalog.revision;
        self.shared.feed(vec![FeedItem::Catalog(revision)]);
        let mut after = None;
        loop {
            let lanes = match catch_unwind(AssertUnwindSafe(|| self.lanes(after))) {
                Ok(Ok(lanes)) => lanes,
                // The next write meets the fault too, and comes back here.
                Ok(Err(fault)) => return tracing::warn!(%fault, "lanes cannot be told to look"),
                Err(_panic) => {
                    return tracing::warn!("lanes cannot be told to look: redb broke off");
                }
            };
            let Some(last) = lanes.last() else { return };
            after = Some(*last);
            let looks = lanes.into_iter().map(|hook| FeedItem::Look(lease(hook)));
            self.shared.feed(looks.collect());
        }
    }

    fn lanes(&self, after: Option<HookId>) -> Result<Vec<HookId>, Fault> {
        let views = Views::open(&self.shared.begin_read()?)?;
        reading::lanes(&views, after, LANES_STEP)
    }

    fn refuse_for(&self, wait: Duration, reason: &str) -> Option<End> {
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            match self.inbox.recv_timeout(left) {
                Ok(queued) => match queued.into_command() {
                    Some(Command::Write(write)) => {
                        write.refuse(StoreDown::Reopening(reason.to_owned()));
                    }
                    Some(Command::Rotate(reply)) => {
                        let reason = reason.to_owned();
                        let _ = reply.send(Err(StoreError::NotNow { reason }));
                    }
                    Some(Command::Close(reply)) => return Some(End::Close(reply)),
                    Some(Command::Compact(reply)) => {
                        let down = StoreDown::Reopening(reason.to_owned());
                        drop(reply.send(Err(UpkeepError::Down(down))));
                    }
                    Some(Command::Suspect { .. }) | None => {}
                },
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => return Some(End::Deserted),
            }
        }
    }
}
