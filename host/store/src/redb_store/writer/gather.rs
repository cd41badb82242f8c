//! What goes into the next transaction.
//!
//! Everything that waits in the queue, up to a bound: what arrives while a commit syncs rides in
//! the next. Alone, a write goes at once; where posts come in crowds, the next commit waits a
//! moment for the crowd to come back. Events that find many results of attempts beside them go
//! first, in a commit of their own: somebody waits for them, and for results nobody does.

use std::mem;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use whisperer_domain::port::{Compacted, Rotated, UpkeepError};

use super::Writer;
use crate::error::StoreError;
use crate::redb_store::command::{Command, Queued, Reply, Write};

/// Events in one commit that show that many post at the same time: more than sixteen connections can
/// bring together, so that the only ones who post are not held up.
const EVENTS_OF_A_CROWD: usize = 17;
/// With fewer it is gone.
const EVENTS_OF_ITS_REST: usize = 4;
/// The same for results of attempts, which only ordered lanes wait for: more than one hook's places
/// bring by default.
const RESULTS_OF_A_CROWD: usize = 17;
/// How long a crowd is waited for. A commit on a quick disk takes less than it takes many posters to
/// come back with their next event: without a pause each would carry a few of them, cost as much as
/// one that carries all, and leave too little of the machine to deliver what it accepts.
const LINGER: Duration = Duration::from_micros(700);
/// Rows of results that wait for the next commit, once, where there are so many times fewer rows of
/// other writes,
const RESULTS_TO_OTHERS: usize = 4;
/// and where they are as many at all.
const RESULTS_MIN: usize = 64;

/// What was found in the queue.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) writes: Vec<Write>,
    rows: usize,
    bytes: usize,
    /// A read met a fault in the database as it is open now.
    pub(super) suspect: bool,
    pub(super) compact: Option<Reply<Result<Compacted, UpkeepError>>>,
    pub(super) rotations: Vec<Reply<Result<Rotated, StoreError>>>,
    pub(super) end: Option<End>,
}

/// Why the writer ends.
pub(super) enum End {
    Close(Reply<Result<(), StoreError>>),
    /// Nobody is left to ask anything.
    Deserted,
}

/// Whether the last commit carried much of what comes from many at once.
#[derive(Clone, Copy, Default)]
pub(in crate::redb_store) struct Crowd {
    of_events: bool,
    of_results: bool,
}

impl Crowd {
    fn after(self, (events, results): (usize, usize)) -> Self {
        let events_min = match self.of_events {
            true => EVENTS_OF_ITS_REST,
            false => EVENTS_OF_A_CROWD,
        };
        Self {
            of_events: events >= events_min,
            of_results: results >= RESULTS_OF_A_CROWD,
        }
    }

    fn is_waited_for(self) -> bool {
        self.of_events || self.of_results
    }
}

fn events_and_results(writes: &[Write]) -> (usize, usize) {
    let (mut events, mut results) = (0, 0);
    for write in writes {
        match write {
            Write::Accept { .. } => events += 1,
            Write::Settle { items, .. } => results += items.len(),
            Write::Change { .. } | Write::Direct { .. } | Write::Sweep { .. } => {}
        }
    }
    (events, results)
}

impl Writer {
    /// Waits for something to do, then takes what is there.
    pub(super) fn gather(&mut self) -> Gathered {
        if self.crowd.is_waited_for() {
            thread::sleep(LINGER);
        }
        let mut gathered = Gathered::default();
        if self.state.is_at_rest() && self.put_off.is_empty() {
            match self.wait() {
                Ok(queued) => self.sort(queued, &mut gathered),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => gathered.end = Some(End::Deserted),
            }
        }
        while gathered.end.is_none()
            && gathered.compact.is_none()
            && gathered.rows < self.limits.rows_max
            && gathered.bytes < self.limits.bytes_max
        {
            match self.inbox.try_recv() {
                Ok(queued) => self.sort(queued, &mut gathered),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => gathered.end = Some(End::Deserted),
            }
        }
        self.crowd = self.crowd.after(events_and_results(&gathered.writes));
        gathered
    }

    /// For something to write; not longer than retention rests.
    fn wait(&self) -> Result<Queued, RecvTimeoutError> {
        let live_bytes = self.state.counters.kept.live_bytes;
        match self.sweeper.rest(Instant::now(), live_bytes) {
            Some(rest) => self.inbox.recv_timeout(rest),
            None => self
                .inbox
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    /// Of what was gathered, what goes now; all of it, if it is the last.
    pub(super) fn first(&mut self, gathered: Vec<Write>, is_last: bool) -> Vec<Write> {
        let mut first = mem::take(&mut self.put_off);
        let is_result = |write: &Write| matches!(write, Write::Settle { .. });
        let (mut many, mut few) = (0, 0);
        for write in &gathered {
            if is_result(write) {
                many += write.rows();
            } else {
                few += write.rows();
            }
        }
        let may_wait = few > 0 && many >= RESULTS_MIN.max(few * RESULTS_TO_OTHERS);
        if may_wait && first.is_empty() && !is_last {
            let (results, others) = gathered.into_iter().partition(is_result);
            self.put_off = results;
            return others;
        }
        first.extend(gathered);
        first
    }

    fn sort(&self, queued: Queued, gathered: &mut Gathered) {
        match queued.into_command() {
            Some(Command::Write(write)) => {
                gathered.rows += write.rows();
                gathered.bytes += write.bytes();
                gathered.writes.push(write);
            }
            Some(Command::Suspect { opening }) => {
                gathered.suspect |= opening == self.shared.opening.load(Ordering::Acquire);
            }
            Some(Command::Rotate(reply)) => gathered.rotations.push(reply),
            Some(Command::Close(reply)) => gathered.end = Some(End::Close(reply)),
            Some(Command::Compact(reply)) => gathered.compact = Some(reply),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Crowd, EVENTS_OF_A_CROWD};

    #[test]
    fn few_posters_are_never_waited_for_and_a_crowd_until_it_is_gone() {
        let few = (EVENTS_OF_A_CROWD - 1, 8);
        let crowd = Crowd::default().after(few);
        assert!(!crowd.is_waited_for());
        let crowd = crowd.after((EVENTS_OF_A_CROWD, 0));
        assert!(crowd.is_waited_for());
        let crowd = crowd.after((4, 0));
        assert!(crowd.is_waited_for(), "some of it were held up elsewhere");
        let crowd = crowd.after((3, 0));
        assert!(!crowd.is_waited_for());
        assert!(!crowd.after(few).is_waited_for());
    }

    #[test]
    fn many_results_are_waited_for_once_and_make_no_crowd_of_events() {
        let crowd = Crowd::default().after((0, 64));
        assert!(crowd.is_waited_for());
        assert!(!crowd.after((8, 8)).is_waited_for());
    }
}
