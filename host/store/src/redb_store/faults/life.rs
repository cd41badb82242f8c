//! What happens to a store, drawn: hooks come, change and go, events are posted, results settled,
//! deliveries directed. Beside the store under test lives the model, which is told everything that
//! was acknowledged, in the same order, and must then hold the same.
//!
//! The seed fixes what is asked; which of the steps of one round share a commit is the threads'
//! matter.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use redb::ReadableTableMetadata;
use uuid::Uuid;
use whisperer_domain::attempt::{Attempt, Response, Timing};
use whisperer_domain::catalog::CatalogChange;
use whisperer_domain::delivery::{DeadCause, Pin, StateKind, Waiting};
use whisperer_domain::envelope::Envelope;
use whisperer_domain::event::{IdempotencyKey, NewEvent};
use whisperer_domain::event_type::EventPattern;
use whisperer_domain::health::{Breaker, Health};
use whisperer_domain::hook::{Hook, HookStatus, Ordered};
use whisperer_domain::id::{AttemptId, EventId, HookId, Owner, Sequence};
use whisperer_domain::outcome::Outcome;
use whisperer_domain::port::{
    Catalog, Clock, DeliveryQuery, Directive, Fence, HookEffect, Lease, Ledger, Scope, Selection,
    Settlement, StoreDown, Verdict,
};
use whisperer_domain::time::Timestamp;

use super::stage::{Hand, event, hook};
use super::step::{Answer, Step, ask};
use super::whole::{HOOKS_MAX, whole};
use crate::memory::MemoryStore;
use crate::redb_store::RedbStore;
use crate::redb_store::fault::Fault;
use crate::redb_store::tables::{CANCELLATIONS, DIRECTIVES};

/// Asked together: they share commits as it comes. With so many results among them at most, the
/// writer keeps the order in which they came.
const TOGETHER_MAX: usize = 7;
const RESULTS_MAX: usize = 2;

pub(super) struct Life {
    pub(super) clock: Arc<Hand>,
    pub(super) random: fastrand::Rng,
    /// Steps that were answered.
    pub(super) acknowledged: u64,
    model: Model,
    posted: u64,
    hooks_made: u64,
}

/// What a store must hold, and how it came to that: it can be made again.
struct Model {
    store: Arc<MemoryStore>,
    clock: Arc<Hand>,
    done: Vec<(Timestamp, Step)>,
}

impl Model {
    fn new() -> Self {
        let clock = Hand::new();
        Self {
            store: MemoryStore::new(clock.clone()),
            clock,
            done: Vec::new(),
        }
    }

    async fn of(done: Vec<(Timestamp, Step)>) -> Self {
        let mut model = Self::new();
        for (at, step) in done {
            let _ = model.follow(at, step).await;
        }
        model
    }

    async fn follow(&mut self, at: Timestamp, step: Step) -> Answer {
        self.clock.set(at);
        self.done.push((at, step.clone()));
        ask(&*self.store, step).await
    }
}

/// A round amid which the store went down, in the order in which it was asked.
pub(super) type InFlight = Vec<(Step, Answer)>;

impl Life {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            model: Model::new(),
            clock: Hand::new(),
            random: fastrand::Rng::with_seed(seed),
            acknowledged: 0,
            posted: 0,
            hooks_made: 0,
        }
    }

    /// One round of steps. Some: the store went down amid it.
    ///
    /// # Panics
    /// If the store answers what the model does not.
    pub(super) async fn round(&mut self, store: &RedbStore) -> Option<InFlight> {
        self.clock
            .advance(Duration::from_millis(self.random.u64(0..3000)));
        let mut steps = Vec::new();
        for _ in 0..self.random.usize(1..=TOGETHER_MAX) {
            let step = self.draw().await;
            if step.is_alone() {
                steps = vec![step];
                break;
            }
            steps.push(step);
        }
        let answers = join_all(steps.iter().map(|step| ask(store, step.clone()))).await;
        let round: InFlight = steps.into_iter().zip(answers).collect();
        if round.iter().any(|(_, answer)| answer.is_err()) {
            return Some(round);
        }
        for (step, answer) in round {
            self.acknowledge(step, &answer).await;
        }
        at_rest(store).await.is_err().then(Vec::new)
    }

    async fn acknowledge(&mut self, step: Step, answer: &Answer) {
        self.acknowledged += 1;
        let told = format!("{step:?}");
        let expected = self.model.follow(self.clock.now(), step).await;
        assert_eq!(
            answer.as_ref().unwrap(),
            expected.as_ref().unwrap(),
            "{told}"
        );
    }

    /// Whether the store that was opened again holds everything that was acknowledged and nothing
    /// half. Of what was under way it must hold nothing that was told not to be written; what is
    /// unknown was one commit, and is there whole or not at all, and counts as done from then on
    /// if it is. How many steps that are.
    pub(super) async fn compare(
        &mut self,
        store: &RedbStore,
        in_flight: InFlight,
    ) -> Result<usize, String> {
        at_rest(store).await.map_err(|fault| fault.to_string())?;
        let found = whole(store).await;
        let found = found.map_err(|down| format!("it cannot be read: {down}"))?;
        let before = self.model.done.clone();
        let Err(difference) = self.explain(&found, &in_flight, false).await else {
            return Ok(0);
        };
        let is_unknown = |answer: &Answer| matches!(answer, Err(StoreDown::Unknown(_)));
        let unknown = in_flight.iter().filter(|(_, answer)| is_unknown(answer));
        let unknown = unknown.count();
        if unknown == 0 {
            return Err(difference);
        }
        self.model = Model::of(before).await;
        let explained = self.explain(&found, &in_flight, true).await;
        explained
            .map(|()| unknown)
            .map_err(|also| format!("without what is unknown:\n{difference}\nand with it:\n{also}"))
    }

    /// Whether the model comes to what was found, with what is unknown or without it.
    async fn explain(
        &mut self,
        found: &str,
        in_flight: &InFlight,
        with_unknown: bool,
    ) -> Result<(), String> {
        for (step, answer) in in_flight {
            let is_done = match answer {
                Ok(_) => true,
                Err(StoreDown::Unknown(_)) => with_unknown,
                Err(
                    StoreDown::Reopening(_)
                    | StoreDown::Lagging
                    | StoreDown::Compacting
                    | StoreDown::Closed
                    | StoreDown::Full
                    | StoreDown::Damaged(_),
                ) => false,
            };
            if !is_done {
                continue;
            }
            let expected = self.model.follow(self.clock.now(), step.clone()).await;
            if let (Ok(expected), Ok(answer)) = (expected, answer)
                && expected != *answer
            {
                return Err(format!("answered {answer}\nexpected {expected}"));
            }
        }
        let expected = whole(&*self.model.store).await.unwrap();
        if expected == found {
            return Ok(());
        }
        Err(difference(&expected, found))
    }

    async fn draw(&mut self) -> Step {
        if self.hooks_made < 3 {
            return self.create();
        }
        match self.random.u32(0..100) {
            0..3 if self.hooks_made < HOOKS_MAX => self.create(),
            0..8 => self.change(),
            8..10 => Step::Change(CatalogChange::DeleteHook(self.any_hook())),
            10..14 => self.direct().await,
            14..50 => self.settle().await,
            _ => self.post(),
        }
    }

    fn any_hook(&mut self) -> HookId {
        HookId(self.random.u64(1..=self.hooks_made.max(1)))
    }

    fn ordered(&mut self) -> Ordered {
        [Ordered::No, Ordered::No, Ordered::Hook, Ordered::Object][self.random.usize(0..4)]
    }

    fn create(&mut self) -> Step {
        self.hooks_made += 1;
        let target = format!("https://h{}.example/", self.hooks_made);
        let pattern = ["*", "package.*", "package.created"][self.random.usize(0..3)];
        Step::Change(CatalogChange::CreateHook(Box::new(Hook {
            ordered: self.ordered(),
            ..hook(&target, EventPattern::parse(pattern).unwrap())
        })))
    }

    fn change(&mut self) -> Step {
        let id = self.any_hook();
        let Some(old) = self.model.store.snapshot().hooks.get(&id).cloned() else {
            return self.post();
        };
        let is_active = self.random.u32(0..4) > 0;
        Step::Change(CatalogChange::ReplaceHook(Box::new(Hook {
            ordered: self.ordered(),
            status: if is_active {
                HookStatus::Active
            } else {
                HookStatus::Inactive
            },
            ..Hook::clone(&old)
        })))
    }

    fn post(&mut self) -> Step {
        let is_again = self.posted > 0 && self.random.u32(0..10) == 0;
        let number = if is_again {
            self.random.u64(0..self.posted)
        } else {
            self.posted += 1;
            self.posted - 1
        };
        // What an event says follows from its number, so that a repetition is one.
        let mut of_it = fastrand::Rng::with_seed(number);
        let bytes = [20, 300, 3000, 20_000][of_it.choice([0, 0, 0, 1, 1, 2, 3]).unwrap()];
        let payload = format!("{{\"of\":{number},\"pad\":\"{}\"}}", "x".repeat(bytes));
        let object = of_it.u64(0..4);
        let event = NewEvent {
            id: EventId::parse(&format!("e{number}")).unwrap(),
            object_id: (object > 0).then(|| object.to_string()),
            payload: payload.into(),
            fingerprint: [(number % 251) as u8; 32],
            idempotency: of_it.bool().then(|| IdempotencyKey {
                owner: Owner::parse("ann").unwrap(),
                key: format!("k{number}"),
            }),
            ..event("e")
        };
        let snapshot = self.model.store.snapshot();
        Step::Post {
            recipients: snapshot.recipients(&event.event_type, Some(&event.payload), None),
            revision: snapshot.revision,
            event: Box::new(event),
        }
    }

    async fn settle(&mut self) -> Step {
        let mut query = DeliveryQuery::all(Scope::All, 40);
        query.state = Some(StateKind::Pending);
        let pending = self.model.store.page(query).await.unwrap().items;
        if pending.is_empty() {
            return self.post();
        }
        let settlements = (0..self.random.usize(1..=RESULTS_MAX)).map(|_| {
            let delivery = &pending[self.random.usize(0..pending.len())].delivery;
            settlement(
                delivery.hook,
                delivery.sequence,
                self.clock.now(),
                &mut self.random,
            )
        });
        Step::Settle(settlements.collect())
    }

    async fn direct(&mut self) -> Step {
        let delivery = Sequence(self.random.u64(1..200));
        let hook = self.random.bool().then(|| self.any_hook());
        let selection = Selection {
            hook,
            ..Selection::default()
        };
        Step::Direct(match self.random.u32(0..8) {
            0 => Directive::Cancel(selection),
            1 => Directive::Requeue {
                selection,
                state: StateKind::Dead,
            },
            2..5 => {
                let event = self.random.u64(0..self.posted.max(1));
                let snapshot = self.model.store.snapshot();
                let event_type = &event_type();
                Directive::Replay {
                    event: EventId::parse(&format!("e{event}")).unwrap(),
                    recipients: snapshot.recipients(event_type, None, None),
                    revision: snapshot.revision,
                }
            }
            _ => Directive::Retry {
                delivery,
                force: true,
            },
        })
    }
}

fn event_type() -> whisperer_domain::event_type::EventType {
    event("e").event_type
}

fn settlement(
    hook: HookId,
    sequence: Sequence,
    now: Timestamp,
    random: &mut fastrand::Rng,
) -> Settlement {
    let after = Duration::from_millis(random.u64(0..9000));
    let (verdict, status) = match random.u32(0..10) {
        0..5 => (Verdict::Delivered, 200),
        5..7 => (Verdict::Retry { after }, 503),
        7..9 => (Verdict::Dead(DeadCause::Exhausted), 500),
        _ => {
            let waiting_for = Waiting::SecretUnreadable;
            (Verdict::Defer { after, waiting_for }, 0)
        }
    };
    let is_refused = status >= 500;
    Settlement {
        lease: Lease {
            hook,
            fence: Fence(1),
        },
        sequence,
        attempt: (status > 0).then(|| attempt(status, now, random)),
        verdict,
        pin: (is_refused && random.bool()).then(|| pin(random)),
        effect: (is_refused && random.u32(0..20) == 0).then(|| {
            let reason = "enough".to_owned();
            if random.bool() {
                HookEffect::Gone { reason }
            } else {
                HookEffect::Disable { reason }
            }
        }),
        health: (random.u32(0..4) == 0).then(|| Health {
            breaker: Breaker::Closed {
                strikes: random.u32(0..9),
                last: None,
            },
            ..Health::default()
        }),
        news: None,
    }
}

fn pin(random: &mut fastrand::Rng) -> Pin {
    if random.bool() {
        return Pin::Unchanged {
            envelope: Envelope::Whisperer,
            digests: Vec::new(),
        };
    }
    Pin::Made {
        body: "made ".repeat(random.usize(1..800)).into(),
        content_type: "text/plain".to_owned(),
        header_ops: Vec::new(),
        digests: Vec::new(),
    }
}

fn attempt(status: u16, now: Timestamp, random: &mut fastrand::Rng) -> Attempt {
    Attempt {
        id: AttemptId(Uuid::from_u128(random.u128(..))),
        number: 1,
        started_at: now,
        outcome: Outcome::Refused {
            status,
            retry_after_secs: None,
        },
        timing: Timing::default(),
        response: Some(Response {
            status,
            headers: vec![("server".to_owned(), "test".to_owned())],
            body: "no ".repeat(random.usize(0..200)).into(),
            truncated: false,
        }),
        chain: Vec::new(),
        pinned: false,
    }
}

/// Until what goes in steps was worked off: the model does it at once, by the clock as it was.
async fn at_rest(store: &RedbStore) -> Result<(), Fault> {
    loop {
        let txn = store.shared.begin_read()?;
        let orders = txn.open_table(DIRECTIVES)?.len()?;
        if orders + txn.open_table(CANCELLATIONS)?.len()? == 0 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The first line that is not the same.
fn difference(expected: &str, found: &str) -> String {
    let mut lines = expected.lines().zip(found.lines());
    match lines.find(|(expected, found)| expected != found) {
        Some((expected, found)) => format!("expected {expected}\n   found {found}"),
        None => format!(
            "{} lines are expected, {} were found",
            expected.lines().count(),
            found.lines().count()
        ),
    }
}
