//! The world that delivery works on, in memory: one object that is every port. It is as small
//! as a store can be that keeps the contract of `Ledger`; the real ones have their own suite.

mod directed;
mod ledger;
mod outside;
mod receiver;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use whisperer_delivery::{Delivery, DeliveryConfig, DeliveryHandle, Ports};
use whisperer_domain::attempt::Attempt;
use whisperer_domain::catalog::{CatalogSnapshot, Revision};
use whisperer_domain::delivery::{Delivery as Row, DeliveryState, Pin, Ready};
use whisperer_domain::event::Event;
use whisperer_domain::event_type::{EventPattern, EventType};
use whisperer_domain::health::Health;
use whisperer_domain::hook::Hook;
use whisperer_domain::id::{DeliveryUuid, EventId, EventKey, HookId, Owner, Sequence};
use whisperer_domain::news::HookNews;
use whisperer_domain::port::{
    Bell, Catalog, Chained, Clock, FeedItem, FeedSink, TransformJob, Verdict,
};
use whisperer_domain::schedule::RetryConfig;
use whisperer_domain::target_url::TargetUrl;
use whisperer_domain::time::Timestamp;

pub(crate) use receiver::{Receiver, answered, answering, answering_each, receiver, timing_out};

pub(crate) const PAYLOAD: &[u8] = br#"{"order": 12345678901234567890123}"#;
pub(crate) const START: Timestamp = Timestamp(1_700_000_000_000);

type Meanwhile = Box<dyn FnOnce(&World) + Send>;
type Chain = Arc<dyn Fn(&TransformJob) -> Chained + Send + Sync>;

/// A request as its receiver got it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at_ms: u64,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// A delivery as the store has it.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) ready: Ready,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) settled: Vec<Verdict>,
}

impl Stored {
    pub(crate) fn state(&self) -> &DeliveryState {
        &self.ready.delivery.state
    }

    fn due(&self) -> Option<Timestamp> {
        self.state().due()
    }
}

#[derive(Default)]
struct State {
    rows: BTreeMap<Sequence, Stored>,
    sink: Option<Arc<dyn FeedSink>>,
    bell: Option<Bell>,
    seen: Vec<Seen>,
    /// What lanes had saved.
    healths: BTreeMap<HookId, Health>,
    news: Vec<(HookId, HookNews)>,
    settle_calls: usize,
    settle_fails: usize,
    takes: usize,
    /// Rows whose records are damaged.
    unreadable: BTreeSet<Sequence>,
    acquired: bool,
    /// What dies is brought back so often, before delivery hears that it is dead.
    revivals: usize,
    /// Leases that were given to somebody else since.
    revoked: u64,
    /// Happens after lanes were read and before delivery hears of them.
    meanwhile: Option<Meanwhile>,
    /// How long the store takes to say which lanes there are.
    acquire_takes: Duration,
}

pub(crate) struct World {
    state: Mutex<State>,
    catalog: Mutex<Arc<CatalogSnapshot>>,
    chain: Mutex<Chain>,
    receiver: Mutex<Receiver>,
    changed: watch::Sender<()>,
    start: Instant,
}

impl World {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            catalog: Mutex::default(),
            chain: Mutex::new(Arc::new(|_| Chained::Unchanged)),
            receiver: Mutex::new(answering(200)),
            changed: watch::Sender::new(()),
            start: Instant::now(),
        })
    }

    /// Starts delivery with the default bounds.
    pub(crate) fn deliver(self: &Arc<Self>) -> DeliveryHandle {
        self.deliver_with(DeliveryConfig::new(1))
    }

    pub(crate) fn deliver_with(self: &Arc<Self>, config: DeliveryConfig) -> DeliveryHandle {
        let ports = Ports {
            ledger: self.clone(),
            catalog: self.clone(),
            transform: self.clone(),
            transport: self.clone(),
            clock: self.clone(),
            background: None,
        };
        let grace = Duration::from_secs(30);
        Delivery::start(
            config,
            ports,
            TaskTracker::new(),
            CancellationToken::new(),
            grace,
        )
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap()
    }

    /// Waits until the world looks so, for 40 days of paused time at most.
    pub(crate) async fn until(&self, mut condition: impl FnMut(&Self) -> bool) {
        let mut changed = self.changed.subscribe();
        let days = Duration::from_secs(40 * 24 * 3600);
        let wait = tokio::time::timeout(days, changed.wait_for(|()| condition(self)));
        wait.await.expect("it never came to that").unwrap();
    }

    /// Waits for something that no change of the world announces.
    pub(crate) async fn until_quiet(&self, mut condition: impl FnMut() -> bool) {
        let mut looks = 0;
        while !condition() {
            looks += 1;
            assert!(looks < 1_000_000, "it never came to that");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Whether delivery has asked for all lanes that there were at its start.
    pub(crate) fn is_started(&self) -> bool {
        self.state().acquired
    }

    /// Waits until nothing is pending.
    pub(crate) async fn all_settled(&self) {
        self.until(|world| world.state().rows.values().all(|row| row.due().is_none()))
            .await;
    }

    pub(crate) fn put_hook(&self, hook: Hook) {
        let mut catalog = self.catalog.lock().unwrap();
        let mut next = CatalogSnapshot::clone(&catalog);
        let is_changed = next.hooks.contains_key(&hook.id);
        let id = hook.id;
        next.revision = Revision(next.revision.0 + 1);
        let revision = next.revision;
        next.hooks.insert(Hook {
            revision: revision.0,
            ..hook
        });
        *catalog = Arc::new(next);
        drop(catalog);
        self.tell(FeedItem::Catalog(revision));
        if is_changed {
            self.tell(FeedItem::Look(self.lease(id)));
        }
    }

    pub(crate) fn change_hook(&self, id: u64, change: impl FnOnce(&mut Hook)) {
        let mut hook = Hook::clone(&self.snapshot().hooks[&HookId(id)]);
        change(&mut hook);
        self.put_hook(hook);
    }

    pub(crate) fn delete_hook(&self, id: u64) {
        let mut catalog = self.catalog.lock().unwrap();
        let mut next = CatalogSnapshot::clone(&catalog);
        next.hooks.remove(&HookId(id));
        *catalog = Arc::new(next);
        drop(catalog);
        self.tell(FeedItem::Catalog(Revision(0)));
        self.tell(FeedItem::Recall(self.lease(HookId(id))));
    }

    pub(crate) fn set_chain(
        &self,
        chain: impl Fn(&TransformJob) -> Chained + Send + Sync + 'static,
    ) {
        *self.chain.lock().unwrap() = Arc::new(chain);
    }

    pub(crate) fn ring_plugins(&self) {
        let bell = self.state().bell.clone();
        bell.expect("nobody listens to plugins")();
    }

    pub(crate) fn set_receiver(&self, receiver: Receiver) {
        *self.receiver.lock().unwrap() = receiver;
    }

    /// The next so many calls of `settle` fail.
    pub(crate) fn fail_settles(&self, calls: usize) {
        self.state().settle_fails = calls;
    }

    fn tell(&self, item: FeedItem) {
        let sink = self.state().sink.clone();
        if let Some(sink) = sink {
            sink.push(item);
        }
    }

    /// Commits an event for one hook, and tells of it as the store's writer would.
    pub(crate) fn post(&self, hook: u64) -> Sequence {
        self.post_event(hook, PAYLOAD, "application/json")
    }

    pub(crate) fn post_event(
        &self,
        hook: u64,
        payload: &'static [u8],
        content_type: &str,
    ) -> Sequence {
        self.post_about(hook, None, payload, content_type)
    }

    /// An event about an object.
    pub(crate) fn post_of(&self, hook: u64, object: &str) -> Sequence {
        self.post_about(hook, Some(object), PAYLOAD, "application/json")
    }

    fn post_about(
        &self,
        hook: u64,
        object: Option<&str>,
        payload: &'static [u8],
        content_type: &str,
    ) -> Sequence {
        let mut state = self.state();
        let number = state.rows.len() as u64 + 1;
        let now = self.now();
        let event_type = EventType::parse("package.created").unwrap();
        let delivery = Row {
            sequence: Sequence(number),
            uuid: DeliveryUuid(Uuid::from_u128(number.into())),
            hook: HookId(hook),
            event: EventKey(number),
            event_type: event_type.clone(),
            created_at: now,
            modified_at: now,
            attempts: 0,
            state: DeliveryState::Pending {
                due: now,
                waiting_for: None,
            },
            last_status: None,
            revival: None,
        };
        let event = Event {
            key: EventKey(number),
            id: EventId::parse(&format!("e{number}")).unwrap(),
            event_type,
            occurred_at: now,
            accepted_at: now,
            object_id: object.map(str::to_owned),
            content_type: content_type.to_owned(),
            cloud: None,
            payload: Bytes::from_static(payload),
        };
        let ready = Ready {
            delivery,
            event: Arc::new(event),
            pin: None,
        };
        let stored = Stored {
            ready: ready.clone(),
            attempts: Vec::new(),
            settled: Vec::new(),
        };
        state.rows.insert(Sequence(number), stored);
        drop(state);
        self.tell(FeedItem::Fresh {
            lease: self.lease(HookId(hook)),
            ready,
        });
        Sequence(number)
    }

    pub(crate) fn stored(&self, sequence: Sequence) -> Stored {
        self.state().rows[&sequence].clone()
    }

    /// Hooks of which at least one attempt is settled.
    pub(crate) fn hooks_settled(&self) -> usize {
        let state = self.state();
        let tried = state.rows.values().filter(|row| !row.attempts.is_empty());
        let hooks: HashSet<HookId> = tried.map(|row| row.ready.delivery.hook).collect();
        hooks.len()
    }

    pub(crate) fn words(&self) -> Vec<&'static str> {
        self.state()
            .rows
            .values()
            .map(|row| row.state().word())
            .collect()
    }

    /// What receivers have seen, in order of arrival.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    pub(crate) fn seen_count(&self) -> usize {
        self.state().seen.len()
    }

    pub(crate) fn settle_calls(&self) -> usize {
        self.state().settle_calls
    }

    /// From now on its record cannot be read.
    pub(crate) fn damage(&self, sequence: Sequence) {
        self.state().unreadable.insert(sequence);
    }

    pub(crate) fn takes(&self) -> usize {
        self.state().takes
    }
}

/// A hook that retries every 10 s.
pub(crate) fn hook(id: u64) -> Hook {
    Hook {
        id: HookId(id),
        retry: RetryConfig::Fixed { seconds: 10 },
        created_at: START,
        modified_at: START,
        revision: 1,
        ..Hook::new(
            Owner::parse("tests").unwrap(),
            TargetUrl::parse(&format!("https://r{id}.example/hook")).unwrap(),
            EventPattern::All,
        )
    }
}

/// The body that was pinned, if one was.
pub(crate) fn pinned_body(stored: &Stored) -> Option<Bytes> {
    match stored.ready.pin.as_deref() {
        Some(Pin::Made { body, .. }) => Some(body.clone()),
        Some(Pin::Unchanged { .. }) | None => None,
    }
}
