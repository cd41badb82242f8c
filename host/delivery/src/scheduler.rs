//! The one task that owns all lanes. It never waits for anything but its bell: reads, attempts
//! and settling run in tasks of their own and report back.
//!
//! Invariants:
//! - Each attempt, read and unsettled result reports exactly once, so their numbers, which are
//!   bounded, also bound the queue of reports: putting one in never fails.
//! - A turn takes what was reported first and looks at it last. A delivery that was read from
//!   the store before its `Fresh` was heard is then known as held when the `Fresh` is heard,
//!   since it is pushed before its result can be settled: it is not sent twice.

mod dispatch;
mod hear;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whisperer_domain::id::HookId;
use whisperer_domain::time::Timestamp;

use crate::attempt::Ended;
use crate::config::{DeliveryConfig, Ports};
use crate::feed::{Feed, Fresh};
use crate::handle::Drained;
use crate::lane::Lane;
use crate::places::{Place, Places};
use crate::reader::Read;
use crate::rings::Rings;
use crate::settler::{Done, Unsettled};
use crate::space::Space;
use crate::stats::Counters;
use crate::wakes::Wakes;

/// The longest sleep: after it the wall clock may have been set.
const SLEEP_MAX: Duration = Duration::from_secs(60);
/// For so long after something fresh was tried, backlogs give way.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// Lanes with nothing to do that are remembered as proven. Beyond it all are to be proven anew.
const PROVEN_MAX: usize = 200_000;

/// What the scheduler's own tasks tell it.
pub(crate) enum Report {
    Ended(Begun, Box<Ended>),
    Read(Read),
    Settled(Done),
}

/// How things stood when an attempt began.
#[derive(Clone, Copy)]
pub(crate) struct Begun {
    place: Place,
    /// How often the plugins had changed: a deferral may be stale when it is heard.
    plugin_changes: u64,
}

/// The way back from a task.
#[derive(Clone)]
pub(crate) struct Reporter {
    reports: mpsc::Sender<Report>,
    feed: Arc<Feed>,
}

impl Reporter {
    pub(crate) fn report(&self, report: Report) {
        // Closed only when all is over; never full, by the scheduler's invariant.
        if let Err(TrySendError::Full(_)) = self.reports.try_send(report) {
            tracing::error!("a report found no room: its lane waits until the next start");
        }
        self.feed.bell.notify_one();
    }
}

/// What [`Scheduler::new`] is made of.
pub(crate) struct Parts {
    pub(crate) config: DeliveryConfig,
    pub(crate) ports: Ports,
    pub(crate) feed: Arc<Feed>,
    pub(crate) fresh: mpsc::Receiver<Fresh>,
    pub(crate) space: Space,
    pub(crate) counters: Arc<Counters>,
    pub(crate) settle: mpsc::Sender<Unsettled>,
    pub(crate) tracker: TaskTracker,
    /// Ends what is still under way when the grace is over.
    pub(crate) abort: CancellationToken,
}

pub(crate) struct Scheduler {
    parts: Parts,
    /// What attempts see of the world: shared, as there are many of them,
    ports: Arc<Ports>,
    /// and those whose lanes give way.
    background_ports: Arc<Ports>,
    reports: mpsc::Receiver<Report>,
    reporter: Reporter,
    rng: Rng,
    /// In an order of their own, so that the same is always done in the same order.
    lanes: BTreeMap<HookId, Lane>,
    /// Every lane with something pending at the start is among them.
    all_lanes: bool,
    /// Lanes without anything to do whose receivers are known to be there.
    proven: HashSet<HookId>,
    /// When a lane that has no backlog last began an attempt.
    fresh_at: Option<Timestamp>,
    breakers_open: usize,
    paced: usize,
    rings: Rings,
    wakes: Wakes,
    places: Places,
    reading: usize,
    unsettled: usize,
    unsettled_bytes: usize,
    plugin_changes: u64,
}

/// Where reports go to, made before the scheduler because the settler needs it too.
pub(crate) fn reports(
    config: &DeliveryConfig,
    feed: &Arc<Feed>,
) -> (Reporter, mpsc::Receiver<Report>) {
    let bound = 2 * config.attempts_max + config.unsettled_max + config.reads_max;
    let (reports, queue) = mpsc::channel(bound);
    let feed = Arc::clone(feed);
    (Reporter { reports, feed }, queue)
}

impl Scheduler {
    pub(crate) fn new(parts: Parts, reporter: Reporter, reports: mpsc::Receiver<Report>) -> Self {
        let mut background_ports = parts.ports.clone();
        if let Some(background) = &parts.ports.background {
            background_ports.transport = Arc::clone(&background.transport);
        }
        Self {
            rng: Rng::with_seed(parts.config.seed),
            ports: Arc::new(parts.ports.clone()),
            background_ports: Arc::new(background_ports),
            parts,
            reports,
            reporter,
            lanes: BTreeMap::new(),
            all_lanes: false,
            proven: HashSet::new(),
            fresh_at: None,
            breakers_open: 0,
            paced: 0,
            rings: Rings::default(),
            wakes: Wakes::default(),
            places: Places::default(),
            reading: 0,
            unsettled: 0,
            unsettled_bytes: 0,
            plugin_changes: 0,
        }
    }

    /// Delivers until `stop`, then waits for what is in flight and unsettled, at most `grace`.
    pub(crate) async fn run(mut self, stop: &CancellationToken, grace: Duration) -> Drained {
        while !stop.is_cancelled() {
            let now = self.parts.ports.clock.now();
            self.hear(now);
            self.wake(now);
            self.dispatch(now);
            self.publish();
            let sleep = self.parts.ports.clock.sleep(self.sleep_for(now));
            // In this order, so that the same is done whenever the same happens.
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = self.parts.feed.bell.notified() => {}
                () = sleep => {}
            }
        }
        self.drain(grace).await
    }

    async fn drain(mut self, grace: Duration) -> Drained {
        tracing::info!(
            running = self.places.running(),
            unsettled = self.unsettled,
            "delivery begins nothing new"
        );
        let mut deadline = self.parts.ports.clock.sleep(grace);
        loop {
            self.hear(self.parts.ports.clock.now());
            self.publish();
            if self.places.running() == 0 && self.unsettled == 0 {
                break;
            }
            // In this order here too: what ended at the last instant has ended.
            tokio::select! {
                biased;
                () = self.parts.feed.bell.notified() => {}
                () = &mut deadline => break,
            }
        }
        self.parts.abort.cancel();
        Drained {
            aborted: self.places.running(),
            unsettled: self.unsettled,
        }
    }

    /// Looks at lanes whose time has come.
    fn wake(&mut self, now: Timestamp) {
        while let Some(hook) = self.wakes.pop_due(now) {
            if let Some(lane) = self.lanes.get_mut(&hook) {
                lane.wake = None;
            }
            self.consider(hook, now);
        }
    }

    fn sleep_for(&self, now: Timestamp) -> Duration {
        self.wakes
            .first()
            .map_or(SLEEP_MAX, |at| at.since(now).min(SLEEP_MAX))
    }

    /// Whether there is more to do than backlogs, which then leave room for it.
    fn has_fresh(&self, now: Timestamp) -> bool {
        self.fresh_at
            .is_some_and(|fresh_at| now.since(fresh_at) < FRESH_FOR)
    }

    /// Puts a lane where its turn will find it, or forgets it. To be called after whatever
    /// happened to a lane.
    fn consider(&mut self, hook: HookId, now: Timestamp) {
        let has_fresh = self.has_fresh(now);
        let Some(lane) = self.lanes.get_mut(&hook) else {
            return;
        };
        lane.give_way(has_fresh);
        lane.trim(&self.parts.config);
        let (before, after) = lane.count();
        self.breakers_open += usize::from(after.breaker_open);
        self.breakers_open -= usize::from(before.breaker_open);
        self.paced += usize::from(after.paced);
        self.paced -= usize::from(before.paced);
        if lane.is_idle(now) {
            self.wakes.set(lane, None);
            if self.proven.len() >= PROVEN_MAX {
                self.proven.clear();
            }
            if lane.is_proven {
                self.proven.insert(hook);
            }
            self.lanes.remove(&hook);
            return;
        }
        if lane.may_begin(now) {
            self.rings.push(hook, lane.is_slow);
        }
        if lane.wants_read(now, &self.parts.config) {
            self.rings.reads.push(hook);
        }
        let at = lane.next_wake(now);
        self.wakes.set(lane, at);
    }

    fn publish(&self) {
        let counters = &self.parts.counters;
        for (gauge, value) in [
            (&counters.lanes, self.lanes.len()),
            (&counters.breakers_open, self.breakers_open),
            (&counters.paced, self.paced),
            (&counters.attempts_running, self.places.running()),
            (&counters.slow_running, self.places.slow_running()),
            (&counters.unsettled, self.unsettled),
            (&counters.buffered_bytes, self.parts.space.used()),
        ] {
            gauge.store(value as u64, Ordering::Relaxed);
        }
        counters
            .overflowed
            .store(self.parts.feed.overflowed(), Ordering::Relaxed);
    }
}
