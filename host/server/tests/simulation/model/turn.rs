//! What may begin: a delivery that is pending and due, of a hook that delivers, in its order, and
//! within what the hook lets be under way.

use std::sync::Arc;

use whisperer_domain::delivery::DeliveryState;
use whisperer_domain::hook::{Hook, Ordered};
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::time::Timestamp;

use super::{Flight, Model, Row};

impl Model {
    /// An attempt begins, under its hook as it is now.
    pub(super) fn begin(&mut self, sequence: Sequence, hook: Option<&Arc<Hook>>, now: Timestamp) {
        self.note(now, format_args!("begin    {}", sequence.0));
        if self.waits_too_long(&self.rows[&sequence], now) {
            self.violate(now, format!("{} of the healthy hook waited", sequence.0));
        }
        let is_lost = self.lost.contains(&self.rows[&sequence].hook);
        let checked = self.may_begin(sequence, hook, now);
        // Whatever it does under a lease that is lost is not written.
        if let Err(why) = checked
            && !is_lost
        {
            self.violate(now, format!("{} began, but {why}", sequence.0));
        }
        let (Some(hook), Some(row)) = (hook, self.rows.get_mut(&sequence)) else {
            return;
        };
        let is_urgent = std::mem::take(&mut row.urgent);
        row.flight = Some(Flight {
            began_at: now,
            hook: Arc::clone(hook),
            rank: row.rank,
            is_lost,
            attempts_counted: row.attempts_counted(),
            aging_since: row.aging_since,
            pin: row.pin.clone(),
            chained: None,
            sent: false,
            came: None,
            ended_at: now,
            may_disable: false,
        });
        let running = self.running(hook.id) - 1;
        if let Err(why) = self.watch(hook).begin(hook, running, is_urgent, now)
            && !is_lost
        {
            self.violate(now, format!("{} began, but {why}", sequence.0));
        }
    }

    fn may_begin(
        &self,
        sequence: Sequence,
        hook: Option<&Arc<Hook>>,
        now: Timestamp,
    ) -> Result<(), String> {
        let row = &self.rows[&sequence];
        let hook = hook.ok_or("its hook is deleted")?;
        if self.is_draining {
            return Err("delivery is ending".to_owned());
        }
        if !hook.delivers() {
            return Err(format!("its hook is {:?}", hook.status));
        }
        if row.flight.is_some() {
            return Err("it is under way already".to_owned());
        }
        match &row.state {
            // One that was deferred is kept in memory, and goes once what it waits for is there.
            DeliveryState::Pending { due, waiting_for } => {
                if *due > now && waiting_for.is_none() {
                    return Err(format!("it is due in {:?}", due.since(now)));
                }
            }
            DeliveryState::Delivered
            | DeliveryState::Discarded { .. }
            | DeliveryState::Dead(_)
            | DeliveryState::Cancelled(_) => return Err(format!("it is {:?}", row.state)),
        }
        let running = self.running(row.hook);
        if running >= usize::from(hook.max_in_flight.max(1)) {
            return Err(format!("{running} are in flight already"));
        }
        self.is_its_turn(row, hook.ordered)
    }

    fn running(&self, hook: HookId) -> usize {
        let flights = self.lane(hook).filter_map(|row| row.flight.as_ref());
        flights.filter(|flight| flight.is_running()).count()
    }

    fn is_its_turn(&self, row: &Row, ordered: Ordered) -> Result<(), String> {
        let is_before = |other: &Row| match ordered {
            Ordered::No => false,
            Ordered::Hook => true,
            Ordered::Object => {
                row.event.object_id.is_some() && row.event.object_id == other.event.object_id
            }
        };
        for other in self.lane(row.hook).filter(|other| is_before(other)) {
            if other.sequence == row.sequence {
                continue;
            }
            if other.flight.is_some() {
                return Err(format!("{} is under way or unsettled", other.sequence.0));
            }
            if other.rank < row.rank && other.state.due().is_some() {
                return Err(format!(
                    "{} stands before it and is pending",
                    other.sequence.0
                ));
            }
        }
        Ok(())
    }

    /// What was delivered in an ordered lane never goes back, whatever was pending when.
    pub(super) fn check_row_of_successes(
        &mut self,
        sequence: Sequence,
        rank: u64,
        hook: &Hook,
        now: Timestamp,
    ) {
        let row = &self.rows[&sequence];
        let about = match hook.ordered {
            Ordered::No => return,
            Ordered::Hook => None,
            Ordered::Object if row.event.object_id.is_none() => return,
            Ordered::Object => row.event.object_id.clone(),
        };
        let last = self.watch(hook).last_success.insert(about, rank);
        if last.is_some_and(|last| last > rank) {
            self.violate(
                now,
                format!("{} was delivered after a later one", sequence.0),
            );
        }
    }

    /// The lane was put in order: what is pending stands by sequence from now on.
    pub(crate) fn put_in_order(&mut self, hook: HookId) {
        let mut next = self.next_rank;
        let lane = self.rows.values_mut().filter(|row| row.hook == hook);
        for row in lane.filter(|row| row.state.due().is_some()) {
            next += 1;
            row.rank = next;
        }
        self.next_rank = next;
    }

    /// What was delivered before says nothing about the order that begins.
    pub(crate) fn turn(&mut self, hook: HookId) {
        if let Some(watch) = self.watches.get_mut(&hook) {
            watch.last_success.clear();
        }
    }

    /// A healthy hook does not wait for others.
    pub(crate) fn check_healthy(&mut self, now: Timestamp) {
        let late = self.rows.values().find(|row| self.waits_too_long(row, now));
        if let Some(row) = late {
            let sequence = row.sequence.0;
            self.violate(now, format!("{sequence} of the healthy hook waits"));
        }
    }

    /// It was posted to a healthy hook when nothing explained a wait, and was not tried yet.
    fn waits_too_long(&self, row: &Row, now: Timestamp) -> bool {
        Some(row.hook) == self.healthy
            && row.attempts == 0
            && row.flight.is_none()
            && row.state.due().is_some()
            && self.calm_since.is_some_and(|since| row.posted_at >= since)
            && now.since(row.posted_at) > self.healthy_waits_max
    }
}
