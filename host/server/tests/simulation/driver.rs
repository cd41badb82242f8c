//! One world from its first operation to its end. After each operation the world comes to rest at
//! that instant, and the store is held against what it must have. At the end everything is well
//! again, and nothing may be left that is not explained.

mod direct;
mod hooks;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use whisperer_domain::catalog::{CatalogChange, Changed};
use whisperer_domain::event::NewEvent;
use whisperer_domain::event_type::EventType;
use whisperer_domain::hook::{Hook, HookStatus, Ordered};
use whisperer_domain::id::{EventId, HookId};
use whisperer_domain::port::{Catalog, Ledger};
use whisperer_domain::time::Timestamp;

use crate::model::Cause;
use crate::ops::{ChainState, Manner, Op, Plan};
use crate::world::{Running, World};

/// Turns that everything which can go on at an instant is given to do so.
const TURNS: usize = 48;
/// Nothing is due later: the longest that a receiver may ask to be left alone for, and the longest
/// wait of a schedule.
const END_MAX: Duration = Duration::from_secs(28 * 3600);
const END_STEP: Duration = Duration::from_secs(300);

/// What one world came to.
pub(crate) struct Outcome {
    pub(crate) trace: Vec<String>,
    pub(crate) violation: Option<String>,
}

struct Driver {
    plan: Plan,
    world: Arc<World>,
    running: Running,
    hooks: Vec<HookId>,
    events: u64,
}

pub(crate) fn run(plan: &Plan) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O can always be made");
    runtime.block_on(async {
        let mut driver = Driver::begin(plan).await;
        let world = Arc::clone(&driver.world);
        driver.go().await;
        world.kill(&driver.running);
        let mut state = world.state();
        Outcome {
            trace: std::mem::take(&mut state.model.trace),
            violation: state.model.violation.take(),
        }
    })
}

impl Driver {
    async fn begin(plan: &Plan) -> Self {
        let world = World::new(plan);
        let hooks = hooks::make(&world, &plan.hooks, plan.listens).await;
        let running = world.start_delivery(plan);
        Self {
            plan: plan.clone(),
            world,
            running,
            hooks,
            events: 0,
        }
    }

    async fn go(&mut self) {
        for op in self.plan.ops.clone() {
            self.note(format_args!("--- {op:?}"));
            self.act(op).await;
            if self.is_over_after_checks().await {
                return;
            }
        }
        self.end().await;
    }

    fn note(&self, what: std::fmt::Arguments<'_>) {
        let now = self.world.now();
        self.world.state().model.note(now, what);
    }

    async fn is_over_after_checks(&self) -> bool {
        self.rest().await;
        self.world.agree(&Cause::Nothing).await;
        let now = self.world.now();
        let mut state = self.world.state();
        state.model.check_healthy(now);
        if state.is_alive && !self.running.handle.is_running() {
            state.model.violate(now, "the scheduler is gone".to_owned());
        }
        state.model.violation.is_some()
    }

    /// Lets everything happen that happens now.
    async fn rest(&self) {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
    }

    async fn act(&mut self, op: Op) {
        match op {
            Op::Post {
                hooks,
                object,
                times,
            } => {
                for _ in 0..times {
                    self.post(&hooks, object).await;
                }
            }
            Op::Receive { hook, manner } => self.world.state().receivers[hook] = manner,
            Op::Swap(chain) => self.swap(chain),
            Op::Pause(_) | Op::Stop(_) | Op::Resume(_) | Op::Limit { .. } | Op::Schedule { .. } => {
                self.alter(op).await;
            }
            Op::Delete(hook) => self.delete(self.hooks[hook]).await,
            Op::Order { hook, ordered } => self.order(hook, ordered).await,
            Op::Retry { .. } | Op::Requeue { .. } | Op::Cancel { .. } | Op::Replay { .. } => {
                self.direct(op).await;
            }
            Op::Wait { ms } => tokio::time::sleep(Duration::from_millis(ms)).await,
            Op::Crash { down_ms } => {
                self.world.kill(&self.running);
                self.start_after(down_ms).await;
            }
            Op::Restart { down_ms } => {
                self.drain().await;
                self.start_after(down_ms).await;
            }
            Op::Revoke { hook } => self.give(self.hooks[hook]),
            Op::Lose { hook } => {
                let hook = self.hooks[hook];
                self.world.state().model.lost.insert(hook);
                self.world.store.revoke(hook);
            }
            Op::Outage { kind, ms } => {
                let until = self.world.now().after(Duration::from_millis(ms));
                self.world.state().begin_outage(kind, until);
            }
        }
    }

    /// Gives delivery a new lease on a lane, and tells it so.
    fn give(&self, hook: HookId) {
        self.world.state().model.lost.remove(&hook);
        self.world.store.revoke(hook);
    }

    async fn post(&mut self, places: &[usize], object: Option<u8>) {
        self.events += 1;
        let snapshot = self.world.store.snapshot();
        let accepts = |id: &HookId| snapshot.hooks.get(id).is_some_and(|hook| hook.accepts());
        let hooks = places.iter().map(|place| self.hooks[*place]);
        let recipients: Vec<HookId> = hooks.filter(accepts).collect();
        let event = NewEvent {
            id: EventId::parse(&format!("e{}", self.events)).expect("a valid id"),
            event_type: EventType::parse("package.created").expect("a valid type"),
            occurred_at: None,
            object_id: object.map(|object| format!("o{object}")),
            content_type: "application/json".to_owned(),
            cloud: None,
            payload: Bytes::from(format!("{{\"posted\":{}}}", self.events)),
            fingerprint: [0; 32],
            idempotency: None,
            config_filter: None,
        };
        let accepted = self
            .world
            .store
            .accept(event, recipients, snapshot.revision);
        accepted
            .await
            .expect("the catalog did not change meanwhile");
    }

    fn swap(&self, chain: ChainState) {
        let bell = {
            let mut state = self.world.state();
            state.chain = chain;
            state.bell.clone()
        };
        if let Some(bell) = bell {
            bell();
        }
    }

    /// Changes a hook, if it is still there.
    async fn alter(&self, op: Op) {
        let (Op::Pause(place)
        | Op::Stop(place)
        | Op::Resume(place)
        | Op::Limit { hook: place, .. }
        | Op::Schedule { hook: place, .. }) = op
        else {
            unreachable!("{op:?} changes no hook");
        };
        let Some(hook) = self.world.hook(self.hooks[place]) else {
            return;
        };
        let since = self.world.now();
        let change = |hook: &mut Hook| match op {
            Op::Pause(_) => hook.status = HookStatus::Paused { since },
            Op::Stop(_) => hook.status = HookStatus::Inactive,
            Op::Resume(_) => hook.status = HookStatus::Active,
            Op::Limit {
                rate_limit,
                max_in_flight,
                ..
            } => {
                hook.rate_limit = rate_limit;
                hook.max_in_flight = max_in_flight;
            }
            Op::Schedule {
                retry,
                max_attempts,
                ..
            } => {
                hook.retry = retry;
                hook.max_attempts = max_attempts;
            }
            other => unreachable!("{other:?} changes no hook"),
        };
        self.replace(&hook, change).await;
    }

    async fn replace(&self, hook: &Hook, change: impl FnOnce(&mut Hook)) {
        let mut hook = hook.clone();
        change(&mut hook);
        let replaced = CatalogChange::ReplaceHook(Box::new(hook));
        let changed = self.world.store.change(replaced).await;
        match changed {
            Ok(Changed::Hook(hook)) => self.world.state().model.follow(&hook),
            other => panic!("a hook cannot be changed: {other:?}"),
        }
    }

    async fn order(&self, place: usize, ordered: Ordered) {
        let id = self.hooks[place];
        let Some(earlier) = self.world.hook(id) else {
            return;
        };
        self.replace(&earlier, |hook| hook.ordered = ordered).await;
        let mut state = self.world.state();
        if earlier.ordered != ordered {
            state.model.turn(id);
        }
        if earlier.ordered == Ordered::No && ordered != Ordered::No {
            state.model.put_in_order(id);
        }
    }

    async fn delete(&self, hook: HookId) {
        if self.world.hook(hook).is_some() {
            let deleted = self.world.store.change(CatalogChange::DeleteHook(hook));
            deleted.await.expect("it is there");
            self.world.agree(&Cause::Deleted(hook)).await;
        }
    }

    async fn drain(&self) {
        self.world.state().model.is_draining = true;
        let drained = self.running.handle.drain().await;
        let now = self.world.now();
        let mut state = self.world.state();
        let (running, unsettled) = state.model.under_way();
        state.model.note(
            now,
            format_args!("{drained:?}; {running} run, {unsettled} are unsettled"),
        );
        state.end_life();
    }

    async fn start_after(&mut self, down_ms: u64) {
        self.rest().await;
        tokio::time::sleep(Duration::from_millis(down_ms)).await;
        self.running = self.world.start_delivery(&self.plan);
    }

    /// Everything is well again. Hooks that deliver are left as they are: no change wakes them.
    async fn end(&mut self) {
        self.note(format_args!("--- the end: all is well"));
        self.world.state().outage = None;
        self.world.state().receivers.fill(Manner::Well);
        self.swap(ChainState::Made { generation: 255 });
        let lost = self.world.state().model.lost.clone();
        lost.into_iter().for_each(|hook| self.give(hook));
        let until = self.world.now().after(END_MAX);
        while self.world.now() < until && self.pending() > 0 {
            self.resume_all().await;
            tokio::time::sleep(END_STEP).await;
            if self.is_over_after_checks().await {
                return;
            }
        }
        self.all_is_done(self.world.now());
        // What went out again now would be a violation.
        tokio::time::sleep(END_STEP).await;
        self.is_over_after_checks().await;
    }

    /// The last answers of receivers that were not well may have disabled some meanwhile.
    async fn resume_all(&self) {
        for hook in self.world.store.snapshot().hooks.values() {
            if !hook.delivers() {
                self.replace(hook, |hook| hook.status = HookStatus::Active)
                    .await;
            }
        }
    }

    fn pending(&self) -> usize {
        self.world.state().model.pending()
    }

    fn all_is_done(&self, now: Timestamp) {
        let mut state = self.world.state();
        let rows = state.model.rows.values();
        let left: Vec<u64> = rows
            .filter(|row| row.state.due().is_some())
            .map(|row| row.sequence.0)
            .collect();
        if !left.is_empty() {
            let what = format!("{left:?} are pending although all is well");
            state.model.violate(now, what);
        }
    }
}
