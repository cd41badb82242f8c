//! The world that delivery works on: the store, the receivers, the chain of plugins, and a clock
//! that waits for nobody. Deliveries come and go as lives: each has ports of its own, and once a
//! life is over its ports never answer again, as after a kill.
//!
//! Nothing of the store may be called while the state is locked: the store tells its sink, which
//! locks the state, under a lock of its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whisperer_delivery::{Delivery, DeliveryConfig, DeliveryHandle, Ports};
use whisperer_domain::delivery::Delivery as Stored;
use whisperer_domain::health::Patience;
use whisperer_domain::hook::Hook;
use whisperer_domain::id::HookId;
use whisperer_domain::port::{
    Bell, BoxFuture, Catalog, Clock, DeliveryQuery, FeedItem, FeedSink, Lanes, Ledger, Scope,
};
use whisperer_domain::time::Timestamp;
use whisperer_store::MemoryStore;

use crate::life::Life;
use crate::model::{Cause, Model};
use crate::ops::{Bounds, ChainState, Manner, Outage, Plan};

pub(crate) const START: Timestamp = Timestamp(1_700_000_000_000);
const PAGE: usize = 1000;
/// Until a lane is known after a start.
const START_TAKES: Duration = Duration::from_millis(50);
/// For so long an outage is felt when it is over: delivery leaves the store alone for 5 s at most.
const OUTAGE_LASTS: Duration = Duration::from_secs(6);
/// Of a life that is ended as it should, in turns.
const GRACES_MS: [u64; 4] = [30_000, 0, 3_000, 10];

pub(crate) struct World {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<SimulatedClock>,
    shared: Arc<Shared>,
}

/// What the store's sink reaches too, and so must not hold the store.
pub(crate) struct Shared {
    state: Mutex<State>,
    clock: Arc<SimulatedClock>,
}

pub(crate) struct State {
    pub(crate) model: Model,
    /// By the hook's place in the plan, which its target names.
    pub(crate) receivers: Vec<Manner>,
    pub(crate) chain: ChainState,
    pub(crate) outage: Option<(Outage, Timestamp)>,
    /// Of all that takes time.
    pub(crate) rng: Rng,
    pub(crate) life: u32,
    pub(crate) is_alive: bool,
    pub(crate) sink: Option<Arc<dyn FeedSink>>,
    pub(crate) bell: Option<Bell>,
}

/// The runtime's own, which is paused: it goes on when nothing else can.
pub(crate) struct SimulatedClock {
    start: Instant,
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        START.after(self.start.elapsed())
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(wait))
    }
}

/// Delivery, from its start to its end.
pub(crate) struct Running {
    pub(crate) handle: DeliveryHandle,
    stop: CancellationToken,
}

impl World {
    pub(crate) fn new(plan: &Plan) -> Arc<Self> {
        let clock = Arc::new(SimulatedClock {
            start: Instant::now(),
        });
        let store = MemoryStore::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let state = State {
            model: Model::new(&plan.bounds),
            receivers: vec![Manner::Well; plan.hooks.len() + 1],
            chain: ChainState::Made { generation: 1 },
            outage: None,
            rng: Rng::with_seed(!plan.seed),
            life: 0,
            is_alive: false,
            sink: None,
            bell: None,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            clock: Arc::clone(&clock),
        });
        store.feed(Arc::clone(&shared) as Arc<dyn FeedSink>);
        Arc::new(Self {
            store,
            clock,
            shared,
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn hook(&self, id: HookId) -> Option<Arc<Hook>> {
        self.store.snapshot().hooks.get(&id).cloned()
    }

    pub(crate) fn start_delivery(self: &Arc<Self>, plan: &Plan) -> Running {
        let number = {
            let mut state = self.state();
            state.life += 1;
            state.is_alive = true;
            // Whoever starts is given all lanes.
            state.model.lost.clear();
            let calm_since = self.now().after(START_TAKES);
            let outage = state.outage.map(|(_, until)| until.after(OUTAGE_LASTS));
            state.model.calm_since = outage.max(Some(calm_since));
            state.life
        };
        let life = Arc::new(Life::new(Arc::clone(self), number));
        let ports = Ports {
            ledger: life.clone(),
            catalog: life.clone(),
            transform: life.clone(),
            transport: life.clone(),
            clock: life,
            background: None,
        };
        let stop = CancellationToken::new();
        let seed = plan.seed ^ u64::from(number).rotate_left(40);
        let handle = Delivery::start(
            config(seed, &plan.bounds),
            ports,
            TaskTracker::new(),
            stop.clone(),
            Duration::from_millis(GRACES_MS[(seed % 4) as usize]),
        );
        Running { handle, stop }
    }

    /// Delivery is no more, whatever it was about to do.
    pub(crate) fn kill(&self, running: &Running) {
        self.state().end_life();
        running.stop.cancel();
    }

    /// Holds the store against what it must have.
    pub(crate) async fn agree(&self, cause: &Cause) {
        let mut stored: Vec<Stored> = Vec::new();
        let mut query = DeliveryQuery::all(Scope::All, PAGE);
        loop {
            let page = self.store.page(query.clone()).await;
            let page = page.expect("the model of a store is always there");
            stored.extend(page.items.into_iter().map(|view| view.delivery));
            match page.next {
                Some(next) => query.before = Some(next),
                None => break,
            }
        }
        stored.reverse();
        let now = self.now();
        self.state().model.agree(&stored, cause, now);
    }
}

impl State {
    pub(crate) fn end_life(&mut self) {
        self.is_alive = false;
        self.sink = None;
        self.bell = None;
        self.model.is_draining = false;
        self.model.end_life();
    }

    /// How long something takes, up to so many milliseconds.
    pub(crate) fn millis(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.rng.u64(0..=most))
    }

    pub(crate) fn begin_outage(&mut self, kind: Outage, until: Timestamp) {
        self.outage = Some((kind, until));
        let calm_since = &mut self.model.calm_since;
        *calm_since = calm_since.map(|since| since.max(until.after(OUTAGE_LASTS)));
    }

    pub(crate) fn outage(&self, now: Timestamp) -> Option<Outage> {
        self.outage
            .filter(|(_, until)| now < *until)
            .map(|(kind, _)| kind)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FeedSink for Shared {
    fn push(&self, item: FeedItem) {
        let now = self.clock.now();
        let sink = {
            let mut state = self.state();
            if let FeedItem::Fresh { ready, .. } = &item {
                state.model.commit(ready, now);
            }
            // Of lanes that are not its own, delivery is told nothing.
            let is_lost = hook(&item).is_some_and(|hook| state.model.lost.contains(&hook));
            state.sink.clone().filter(|_| !is_lost)
        };
        if let Some(sink) = sink {
            sink.push(item);
        }
    }
}

fn hook(item: &FeedItem) -> Option<HookId> {
    match item {
        FeedItem::Fresh { lease, .. }
        | FeedItem::Urgent { lease, .. }
        | FeedItem::Look(lease)
        | FeedItem::Recall(lease) => Some(lease.hook),
        FeedItem::Catalog(_) => None,
    }
}

fn config(seed: u64, bounds: &Bounds) -> DeliveryConfig {
    let patience = Patience {
        told_after: Duration::from_secs(60),
        disabled_after: Some(bounds.disabled_after),
    };
    let config = DeliveryConfig {
        patience,
        ..DeliveryConfig::new(seed)
    };
    if !bounds.narrow {
        return config;
    }
    DeliveryConfig {
        buffer_bytes: 6_000,
        lane_rows_max: 6,
        feed_rows_max: 8,
        read_below_rows: 3,
        read_rows: 4,
        reads_max: 2,
        settle_batch: 3,
        ..config
    }
}
