//! A lane that reads the store: when it wants to, what it takes in, and what came meanwhile.

use whisperer_domain::id::Sequence;
use whisperer_domain::time::Timestamp;

use super::{Lane, Standing};
use crate::config::DeliveryConfig;
use crate::feed::Held;

/// A read of the store under way.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// What came fresh meanwhile.
    pub(super) arrived: Vec<Held>,
    pub(super) urgent: Vec<Held>,
    /// What it brings back may be cancelled since.
    pub(super) stale: bool,
    /// Something was forgotten meanwhile: another read has to follow.
    pub(super) missed: bool,
}

impl Lane {
    pub(crate) fn wants_read(&self, now: Timestamp, config: &DeliveryConfig) -> bool {
        let due = self.behind || self.next_due.is_some_and(|due| due <= now);
        due && self.reading.is_none()
            && self.standing == Standing::Running
            && self.buffer.len() < self.rows_max(config).min(config.read_below_rows)
            && self.read_not_before.is_none_or(|at| at <= now)
    }

    /// A read of all that is due at `now` begins; the answer is what to leave out.
    pub(crate) fn begin_read(&mut self, now: Timestamp) -> Vec<Sequence> {
        self.reading = Some(Reading::default());
        self.line.begin_read(now);
        if self.next_due.is_some_and(|due| due <= now) {
            self.next_due = None;
        }
        self.held.iter().copied().collect()
    }

    /// What a read says of the order, before its rows are kept.
    pub(crate) fn order_read(&mut self, blocked: Vec<(String, Timestamp)>, closed: bool) {
        self.line.end_read(blocked, closed);
    }

    /// The read is over; `more`: not everything that is due came with it.
    pub(crate) fn end_read(&mut self, more: bool) {
        let Some(reading) = self.reading.take() else {
            return;
        };
        self.behind = more || reading.missed;
        if !self.behind && !self.line.is_closed() {
            for held in reading.arrived {
                self.keep(held);
            }
        }
        for urgent in reading.urgent {
            self.hasten(urgent);
        }
    }

    pub(crate) fn read_is_stale(&self) -> bool {
        self.reading.as_ref().is_some_and(|reading| reading.stale)
    }
}
