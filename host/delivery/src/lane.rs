//! What is known in memory of one hook's pending deliveries. Plain data with no I/O: the
//! scheduler asks it what it wants and tells it what happened. When it may begin an attempt is
//! decided in `lane/turn.rs`, what a read of the store brings is taken in in `lane/reading.rs`.
//!
//! Invariants:
//! - `held` names every delivery of the lane that is buffered, in flight or unsettled, and no
//!   other; what is in it is never read from the store a second time.
//! - A row may leave memory unsettled only through [`Lane::fall_behind`] or [`Lane::due_at`],
//!   which see to it that the store is asked for it again.
//! - While a read is under way nothing fresh is tried: what the read brings back may be the
//!   same delivery.
//! - What the lane is told to look for may be a delivery whose last result is not heard yet. It
//!   is `doubtful` then, and when it is let go the store is asked again.
//! - The buffer of an ordered lane has no gap, as [`Line`] has it: whatever may stand before what
//!   is buffered empties the buffer first.

mod reading;
mod turn;

use std::collections::HashSet;

use whisperer_domain::delivery::Ready;
use whisperer_domain::health::Health;
use whisperer_domain::hook::MAX_IN_FLIGHT_DEFAULT;
use whisperer_domain::id::Sequence;
use whisperer_domain::port::Lease;
use whisperer_domain::time::Timestamp;

use crate::buffer::Buffer;
use crate::feed::Held;
use crate::gate::Gate;
use crate::line::{Follows, Line};
use crate::pause::Pause;
use reading::Reading;

/// Deliveries of one lane that may go before the others. Each is waited for by somebody.
const URGENT_MAX: usize = 64;

#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) lease: Lease,
    pub(crate) buffer: Buffer,
    pub(crate) held: HashSet<Sequence>,
    /// Of `held`, those that are in flight or unsettled.
    out: HashSet<Sequence>,
    /// Of `out`, those that the store may have changed since.
    doubtful: HashSet<Sequence>,
    pub(crate) in_flight: usize,
    /// The store has more that is due, or may have.
    behind: bool,
    /// When something in the store becomes due; may be too early, never too late.
    next_due: Option<Timestamp>,
    reading: Option<Reading>,
    /// No read before this: the store failed.
    pub(crate) read_not_before: Option<Timestamp>,
    pub(crate) read_failures: u32,
    pub(crate) pause: Option<Pause>,
    pub(crate) standing: Standing,
    /// One until the receiver is proven, then all that the hook allows; shrinks to one again while
    /// attempts time out.
    in_flight_limit: usize,
    /// An attempt went well since the start, or since its hook was switched on.
    pub(crate) is_proven: bool,
    /// The last attempt that ended took long.
    pub(crate) is_slow: bool,
    pub(crate) health: Health,
    /// What was saved of it is heard, or there is nothing. Before, no attempt may begin: what it
    /// says, such as that the receiver is well again, would be held against no health at all.
    pub(crate) is_known: bool,
    limits: Limits,
    line: Line,
    gate: Gate,
    /// There is something fresh to do, in whatever lane.
    has_fresh: bool,
    /// When the scheduler means to look at it next, unasked.
    pub(crate) wake: Option<Timestamp>,
    /// What of its health stands in the scheduler's sums.
    pub(crate) counted: Counted,
}

/// What the hook says, as it was last seen.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// None: it was not seen yet.
    revision: Option<u64>,
    in_flight: u16,
    rate: Option<u32>,
}

/// What of a lane's health is counted, so that sums need no look at all lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) breaker_open: bool,
    pub(crate) paced: bool,
}

/// Whether the lane may run at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Running,
    /// The hook is not active: pending deliveries wait, in the store.
    Parked,
    /// An attempt came to the end of the hook, and that is not settled yet.
    Gone,
    /// Another node has a newer lease.
    Fenced,
}

impl Lane {
    pub(crate) fn new(lease: Lease, is_proven: bool, is_known: bool) -> Self {
        Self {
            lease,
            buffer: Buffer::default(),
            held: HashSet::new(),
            out: HashSet::new(),
            doubtful: HashSet::new(),
            in_flight: 0,
            behind: false,
            next_due: None,
            reading: None,
            read_not_before: None,
            read_failures: 0,
            pause: None,
            standing: Standing::Running,
            in_flight_limit: if is_proven { usize::MAX } else { 1 },
            is_proven,
            is_slow: false,
            health: Health::default(),
            is_known,
            limits: Limits {
                revision: None,
                in_flight: MAX_IN_FLIGHT_DEFAULT,
                rate: None,
            },
            line: Line::default(),
            gate: Gate::default(),
            has_fresh: false,
            wake: None,
            counted: Counted::default(),
        }
    }

    /// Nothing of it is worth remembering.
    pub(crate) fn is_idle(&self, now: Timestamp) -> bool {
        self.has_nothing_to_do() && self.health.is_default() && self.gate_is_full(now)
    }

    fn has_nothing_to_do(&self) -> bool {
        let done = match self.standing {
            Standing::Running => !self.behind && self.next_due.is_none(),
            Standing::Fenced => true,
            Standing::Parked | Standing::Gone => false,
        };
        done && self.held.is_empty() && self.reading.is_none()
    }

    /// It works off what is in the store.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind
    }

    /// The store has something that memory has not.
    pub(crate) fn fall_behind(&mut self) {
        match &mut self.reading {
            Some(reading) => reading.missed = true,
            None => self.behind = true,
        }
    }

    /// The store has something that becomes due then.
    pub(crate) fn due_at(&mut self, due: Timestamp) {
        self.next_due = Some(self.next_due.map_or(due, |next| next.min(due)));
    }

    /// A newer lease ends whatever the older one knew.
    pub(crate) fn renew(&mut self, lease: Lease) {
        if lease.fence > self.lease.fence {
            self.lease = lease;
            self.standing = Standing::Running;
            self.forget_buffer();
            self.fall_behind();
        }
    }

    pub(crate) fn arrive(&mut self, fresh: Held, rows_max: usize) {
        if self.held.contains(&fresh.ready.delivery.sequence) {
            return;
        }
        if self.line.is_closed() || self.line.holds_back(&fresh.ready) {
            // It is read when what it waits for is due.
            return;
        }
        if let Some(reading) = &mut self.reading {
            if reading.arrived.len() < rows_max {
                reading.arrived.push(fresh);
            } else {
                reading.missed = true;
            }
            return;
        }
        let full = self.buffer.len() >= rows_max;
        if full || self.behind || self.standing != Standing::Running {
            self.behind = true;
            return;
        }
        self.keep(fresh);
    }

    /// Somebody waits for this one: it goes before all others, unless it is under way already.
    pub(crate) fn hasten(&mut self, urgent: Held) {
        let sequence = urgent.ready.delivery.sequence;
        if self.out.contains(&sequence) {
            self.doubtful.insert(sequence);
        } else if self.line.is_ordered() {
            self.look();
        } else if self.standing != Standing::Running || self.urgent_len() >= URGENT_MAX {
            self.fall_behind();
        } else if let Some(reading) = &mut self.reading {
            reading.urgent.push(urgent);
        } else {
            self.keep_urgent(urgent);
        }
    }

    fn urgent_len(&self) -> usize {
        let reading = self.reading.as_ref();
        self.buffer.urgent_len() + reading.map_or(0, |reading| reading.urgent.len())
    }

    fn keep_urgent(&mut self, urgent: Held) {
        let sequence = urgent.ready.delivery.sequence;
        if self.held.insert(sequence) {
            self.buffer.push_urgent(urgent);
        } else {
            self.buffer.hasten(sequence);
        }
    }

    /// The store has something new, perhaps of deliveries that are held here.
    pub(crate) fn look(&mut self) {
        self.doubtful.extend(&self.out);
        if self.line.is_ordered() {
            self.reread();
        }
        self.fall_behind();
    }

    /// What is held may be cancelled: nothing of it is begun without another look.
    pub(crate) fn recall(&mut self) {
        self.look();
        self.reread();
    }

    /// What is buffered, or is being read, is not what is to be tried.
    fn reread(&mut self) {
        self.forget_buffer();
        self.line.look();
        self.fall_behind();
        if let Some(reading) = &mut self.reading {
            reading.stale = true;
        }
    }

    /// A result is settled, and with it the delivery is held no more.
    pub(crate) fn let_go(&mut self, sequence: Sequence) {
        self.held.remove(&sequence);
        self.leave(sequence);
        if self.doubtful.remove(&sequence) {
            if self.line.is_ordered() {
                // If it is pending again, some of what is buffered may stand behind it.
                self.reread();
            }
            self.fall_behind();
        }
    }

    /// It is let go and will be tried again, and so will what has to wait for it.
    pub(crate) fn let_wait(&mut self, sequence: Sequence, due: Timestamp) {
        match self.line.wait(sequence, due) {
            Follows::Nothing => {}
            Follows::Unknown => self.look(),
            Follows::All => {
                self.forget_buffer();
                // All of it is read when this one is due; what is being read began before.
                match &mut self.reading {
                    Some(reading) => reading.stale = true,
                    None => self.behind = false,
                }
            }
            Follows::About(object) => {
                for follower in self.buffer.forget_about(&object) {
                    self.held.remove(&follower);
                }
                if let Some(reading) = &mut self.reading {
                    let line = &self.line;
                    reading.arrived.retain(|held| !line.holds_back(&held.ready));
                }
            }
        }
        self.due_at(due);
        self.let_go(sequence);
    }

    fn leave(&mut self, sequence: Sequence) {
        self.out.remove(&sequence);
        self.line.end(sequence, self.out.len());
    }

    /// Whether a deferred delivery is still what it was when it was tried.
    pub(crate) fn may_take_back(&self, sequence: Sequence) -> bool {
        self.standing == Standing::Running && !self.doubtful.contains(&sequence)
    }

    /// Takes a deferred delivery back: it had its turn and could not use it.
    pub(crate) fn take_back(&mut self, deferred: Held) {
        self.leave(deferred.ready.delivery.sequence);
        self.buffer.push_front(deferred);
    }

    /// A row that a read brought, or a fresh one.
    pub(crate) fn keep(&mut self, held: Held) {
        if self.line.holds_back(&held.ready) {
            return;
        }
        if self.held.insert(held.ready.delivery.sequence) {
            self.buffer.push_back(held);
        }
    }

    /// The hook is gone: what it held is cancelled, and nothing of it is worth a read.
    pub(crate) fn abandon(&mut self) {
        self.forget_buffer();
        self.standing = Standing::Running;
        self.behind = false;
        self.next_due = None;
        self.health = Health::default();
        self.limits.rate = None;
    }

    /// The hook is not active: everything waits in the store.
    pub(crate) fn park(&mut self) {
        self.forget_buffer();
        self.fall_behind();
        self.standing = Standing::Parked;
    }

    /// Gives up one buffered delivery; false if there is none.
    pub(crate) fn forget_last(&mut self) -> bool {
        let Some(sequence) = self.buffer.forget_last() else {
            return false;
        };
        self.held.remove(&sequence);
        self.fall_behind();
        if let Some(reading) = &mut self.reading {
            // It was left out of what is being read, which stands behind it in an ordered lane.
            reading.stale |= self.line.is_ordered();
        }
        true
    }

    /// Gives up everything that is not in flight or unsettled.
    pub(crate) fn forget_buffer(&mut self) {
        while self.forget_last() {}
        if let Some(reading) = &mut self.reading
            && !(reading.arrived.is_empty() && reading.urgent.is_empty())
        {
            reading.arrived.clear();
            reading.urgent.clear();
            reading.missed = true;
        }
    }
}

/// What a delivery that is to begin takes along.
pub(crate) struct Begin {
    pub(crate) ready: Ready,
    pub(crate) bytes: usize,
}

#[cfg(test)]
mod tests;
