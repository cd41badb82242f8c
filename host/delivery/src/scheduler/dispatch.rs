//! Giving turns: one attempt to each lane of the ring in its order, as long as there are places.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use uuid::Builder;
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::hook::Hook;
use whisperer_domain::id::{AttemptId, HookId};
use whisperer_domain::port::Budget;
use whisperer_domain::time::Timestamp;

use super::{Begun, Report, Scheduler};
use crate::attempt::{self, Job};
use crate::config::Background;
use crate::lane::Begin;
use crate::pause::Pause;
use crate::reader::{self, Wanted};

impl Scheduler {
    pub(super) fn dispatch(&mut self, now: Timestamp) {
        let catalog = self.parts.ports.catalog.snapshot();
        while self.has_place() {
            let Some(hook) = self
                .rings
                .pop(self.places.has_one_for_slow(&self.parts.config))
            else {
                break;
            };
            self.give_turn(hook, &catalog, now);
        }
        while self.reading < self.parts.config.reads_max {
            let Some(hook) = self.rings.reads.pop() else {
                break;
            };
            self.begin_read(hook, &catalog, now);
        }
    }

    fn has_place(&self) -> bool {
        let config = &self.parts.config;
        self.places.has_one(config)
            && self.unsettled < config.unsettled_max
            && self.unsettled_bytes < config.unsettled_bytes_max
    }

    /// The lane's hook, if the lane may run under it; else the lane is put to rest.
    fn delivering_hook(
        &mut self,
        hook: HookId,
        catalog: &CatalogSnapshot,
        now: Timestamp,
    ) -> Option<Arc<Hook>> {
        let lane = self.lanes.get_mut(&hook)?;
        match catalog.hooks.get(&hook) {
            Some(found) if found.delivers() => {
                lane.follow(found, now);
                return Some(Arc::clone(found));
            }
            Some(_) => lane.park(),
            None => lane.abandon(),
        }
        self.consider(hook, now);
        None
    }

    fn give_turn(&mut self, id: HookId, catalog: &CatalogSnapshot, now: Timestamp) {
        let Some(hook) = self.delivering_hook(id, catalog, now) else {
            return;
        };
        let slow_may = self.places.has_one_for_slow(&self.parts.config);
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        if lane.is_slow && !slow_may {
            // It became slow while it stood in the other ring.
            self.rings.push(id, true);
            return;
        }
        if let Some(begin) = lane.begin_attempt(now) {
            if !lane.is_behind() {
                self.fresh_at = Some(now);
            }
            self.begin_attempt(hook, begin);
        }
        // One that may not begin is not put back: whatever holds it up will do that.
        self.consider(id, now);
    }

    fn begin_attempt(&mut self, hook: Arc<Hook>, begin: Begin) {
        let Some(lane) = self.lanes.get(&hook.id) else {
            return;
        };
        let gives_way = lane.gives_way();
        let begun = Begun {
            place: self.places.take(lane.is_slow, begin.bytes),
            plugin_changes: self.plugin_changes,
        };
        let bytes = self.rng.u128(..).to_be_bytes();
        let job = Job {
            id: AttemptId(Builder::from_random_bytes(bytes).into_uuid()),
            seed: self.rng.u64(..),
            lease: lane.lease,
            defer_wait: Pause::next_wait(lane.pause.as_ref(), &self.parts.config),
            hook,
            ready: begin.ready,
        };
        let background = self.parts.ports.background.as_ref();
        let background = background.filter(|_| gives_way);
        let ports = Arc::clone(match background {
            Some(_) => &self.background_ports,
            None => &self.ports,
        });
        let reporter = self.reporter.clone();
        let abort = self.parts.abort.clone();
        self.spawn(background, async move {
            // Its place is given back by the report. Aborted, it has none: all is over then.
            let attempt = Box::pin(attempt::run(&ports, job));
            if let Some(ended) = abort.run_until_cancelled(attempt).await {
                reporter.report(Report::Ended(begun, Box::new(ended)));
            }
        });
    }

    fn spawn(
        &self,
        background: Option<&Background>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let tracker = &self.parts.tracker;
        match background {
            Some(background) => tracker.spawn_on(task, &background.runtime),
            None => tracker.spawn(task),
        };
    }

    fn begin_read(&mut self, id: HookId, catalog: &CatalogSnapshot, now: Timestamp) {
        if self.delivering_hook(id, catalog, now).is_none() {
            return;
        }
        let config = &self.parts.config;
        let Some(lane) = self
            .lanes
            .get_mut(&id)
            .filter(|lane| lane.wants_read(now, config))
        else {
            return;
        };
        let wanted = Wanted {
            lease: lane.lease,
            horizon: now,
            budget: Budget {
                rows: config.read_rows.min(lane.rows_max(config)),
                bytes: config.read_bytes,
            },
            ordered: lane.ordered(),
            held: lane.begin_read(now),
        };
        let gives_way = lane.gives_way();
        self.reading += 1;
        self.parts.counters.reads.fetch_add(1, Ordering::Relaxed);
        let ledger = Arc::clone(&self.parts.ports.ledger);
        let reporter = self.reporter.clone();
        let abort = self.parts.abort.clone();
        // At once where it is one retry that is due, in the background where it is a backlog.
        let background = self.parts.ports.background.as_ref();
        self.spawn(background.filter(|_| gives_way), async move {
            let read = reader::read(ledger.as_ref(), wanted);
            if let Some(read) = abort.run_until_cancelled(read).await {
                reporter.report(Report::Read(read));
            }
        });
    }
}
