//! A store under test with a clock that the test owns, and short words for what tests do.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use whisperer_domain::attempt::{Attempt, Response, Timing};
use whisperer_domain::catalog::{CatalogChange, Changed};
use whisperer_domain::event::NewEvent;
use whisperer_domain::event_type::{EventPattern, EventType};
use whisperer_domain::hook::{Hook, Ordered};
use whisperer_domain::id::{AttemptId, EventId, HookId, Owner, Sequence};
use whisperer_domain::outcome::Outcome;
use whisperer_domain::port::{
    AcceptError, Accepted, Attempted, AuditedCatalog, BoxFuture, Budget, Clock, DeliveryQuery,
    DirectError, Directed, Directive, FeedItem, FeedSink, Lanes, Lease, Ledger, Retention, Run,
    Scope, Settled, Settlement, Swept, Taken, Upkeep, Verdict,
};
use whisperer_domain::schedule::RetryConfig;
use whisperer_domain::target_url::TargetUrl;
use whisperer_domain::time::Timestamp;
use whisperer_store::{MemoryStore, RedbStore, StoreConfig};

/// Runs each scenario over both stores.
macro_rules! over_both {
    ($($scenario:ident),+ $(,)?) => {
        mod over_redb {
            $(#[tokio::test]
            async fn $scenario() {
                super::$scenario(crate::stage::Stage::redb()).await;
            })+
        }
        mod over_memory {
            $(#[tokio::test]
            async fn $scenario() {
                super::$scenario(crate::stage::Stage::memory()).await;
            })+
        }
    };
}
pub(crate) use over_both;

pub(crate) const START: Timestamp = Timestamp(1_764_000_000_000);

pub(crate) const WIDE: Budget = Budget {
    rows: 1000,
    bytes: 1 << 30,
};

pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(START.0)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.set(self.now().after(by));
    }

    pub(crate) fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    fn sleep(&self, _wait: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// A store as posters and lanes see it.
pub(crate) trait Whole: Ledger + Lanes + Upkeep {}

impl<T: Ledger + Lanes + Upkeep> Whole for T {}

pub(crate) struct Stage {
    pub(crate) ledger: Arc<dyn Whole>,
    pub(crate) catalog: Arc<dyn AuditedCatalog>,
    pub(crate) clock: Arc<TestClock>,
    /// Kept for as long as the store that lives in it.
    pub(crate) folder: Option<TempDir>,
}

pub(crate) fn config(folder: &Path) -> StoreConfig {
    StoreConfig::new(folder.join("whisperer.redb"), folder.join("whisperer.key"))
}

impl Stage {
    pub(crate) fn redb() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = TestClock::new();
        let store = RedbStore::open(config(folder.path()), clock.clone()).unwrap();
        Self::over(store, clock, Some(folder))
    }

    pub(crate) fn memory() -> Self {
        let clock = TestClock::new();
        Self::over(MemoryStore::new(clock.clone()), clock, None)
    }

    pub(crate) fn over<S: Whole + AuditedCatalog + 'static>(
        store: Arc<S>,
        clock: Arc<TestClock>,
        folder: Option<TempDir>,
    ) -> Self {
        Self {
            ledger: store.clone(),
            catalog: store,
            clock,
            folder,
        }
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) async fn hook(&self, owner: &str, target: &str, pattern: &str) -> Arc<Hook> {
        self.create(hook(owner, target, pattern)).await
    }

    pub(crate) async fn create(&self, hook: Hook) -> Arc<Hook> {
        let change = CatalogChange::CreateHook(Box::new(hook));
        match self.catalog.change(change).await.unwrap() {
            Changed::Hook(hook) => hook,
            Changed::Done => panic!("a created hook is shown"),
        }
    }

    pub(crate) async fn replace(&self, hook: Hook) -> Arc<Hook> {
        let change = CatalogChange::ReplaceHook(Box::new(hook));
        match self.catalog.change(change).await.unwrap() {
            Changed::Hook(hook) => hook,
            Changed::Done => panic!("a replaced hook is shown"),
        }
    }

    pub(crate) async fn delete(&self, hook: HookId) {
        let change = CatalogChange::DeleteHook(hook);
        self.catalog.change(change).await.unwrap();
    }

    /// Accepts at the revision that is.
    pub(crate) async fn accept(&self, event: NewEvent) -> Result<Accepted, AcceptError> {
        let snapshot = self.catalog.snapshot();
        let recipients = snapshot.recipients(&event.event_type, Some(&event.payload), None);
        self.ledger
            .accept(event, recipients, snapshot.revision)
            .await
    }

    pub(crate) async fn post(&self, id: &str) -> Accepted {
        self.accept(event(id, "package.created")).await.unwrap()
    }

    pub(crate) async fn lease(&self, hook: HookId) -> Lease {
        let acquired = self.ledger.acquire(None, 1000).await.unwrap();
        let mut leases = acquired.iter().map(|acquired| acquired.lease);
        leases.find(|lease| lease.hook == hook).unwrap()
    }

    pub(crate) async fn take(&self, lease: Lease) -> Taken {
        self.take_in(lease, Ordered::No).await
    }

    pub(crate) async fn take_in(&self, lease: Lease, ordered: Ordered) -> Taken {
        self.ledger
            .take(lease, self.clock.now(), Vec::new(), WIDE, ordered)
            .await
            .unwrap()
    }

    /// The sequences of what is due in a lane.
    pub(crate) async fn due(&self, lease: Lease) -> Vec<u64> {
        sequences(&self.take(lease).await)
    }

    pub(crate) async fn settle(&self, settlement: Settlement) -> Settled {
        let mut settled = self.ledger.settle([settlement].into()).await.unwrap();
        assert_eq!(settled.len(), 1);
        settled.remove(0)
    }

    /// The states of these deliveries, as the API words them.
    pub(crate) async fn states(&self, sequences: impl IntoIterator<Item = u64>) -> Vec<&str> {
        let mut states = Vec::new();
        for sequence in sequences {
            states.push(self.find(sequence).await.state().word());
        }
        states
    }

    /// An event's deliveries, newest first, page by page.
    pub(crate) async fn deliveries_of(&self, event: &str) -> Vec<u64> {
        let mut query = DeliveryQuery {
            event: Some(EventId::parse(event).unwrap()),
            limit: 2,
            ..everything()
        };
        let mut found = Vec::new();
        loop {
            let page = self.ledger.page(query.clone()).await.unwrap();
            found.extend(page.items.iter().map(|item| item.delivery.sequence.0));
            match page.next {
                Some(next) => query.before = Some(next),
                None => return found,
            }
        }
    }

    /// To all hooks that want its type now.
    pub(crate) async fn replay(&self, event: &str) -> Directed {
        let snapshot = self.catalog.snapshot();
        let event = EventId::parse(event).unwrap();
        let found = self.ledger.find_event(event.clone()).await.unwrap();
        let found = found.unwrap().event;
        let recipients = snapshot.recipients(&found.event_type, Some(&found.payload), None);
        let replay = Directive::Replay {
            event,
            recipients,
            revision: snapshot.revision,
        };
        self.direct(replay).await.unwrap()
    }

    pub(crate) async fn direct(&self, directive: Directive) -> Result<Directed, DirectError> {
        self.ledger
            .direct(directive, Scope::All, Run::Real(None))
            .await
    }

    /// Steps of this many rows until a pass is through; answers what went in all.
    pub(crate) async fn sweep(&self, retention: Retention, rows: usize) -> Swept {
        let mut all = Swept::default();
        for _ in 0..10_000 {
            let budget = Budget { rows, ..WIDE };
            let step = self.ledger.sweep(retention, budget).await.unwrap();
            all.events += step.events;
            all.bytes += step.bytes;
            all.passed += step.passed;
            if !step.more {
                return all;
            }
        }
        panic!("the pass does not end");
    }

    pub(crate) async fn is_there(&self, event: &str) -> bool {
        let event = EventId::parse(event).unwrap();
        self.ledger.find_event(event).await.unwrap().is_some()
    }

    pub(crate) async fn find(&self, sequence: u64) -> Attempted {
        let found = self.ledger.find(Sequence(sequence), Scope::All).await;
        found.unwrap().unwrap()
    }
}

pub(crate) fn sequences(taken: &Taken) -> Vec<u64> {
    let ready = taken.ready.iter();
    ready.map(|ready| ready.delivery.sequence.0).collect()
}

pub(crate) fn hook(owner: &str, target: &str, pattern: &str) -> Hook {
    Hook {
        retry: RetryConfig::Fixed { seconds: 5 },
        max_age: Duration::from_secs(3600),
        signatures: vec![whisperer_domain::sign::SignatureForm::Whisperer],
        ..Hook::new(
            Owner::parse(owner).unwrap(),
            TargetUrl::parse(target).unwrap(),
            EventPattern::parse(pattern).unwrap(),
        )
    }
}

pub(crate) fn event(id: &str, event_type: &str) -> NewEvent {
    NewEvent {
        id: EventId::parse(id).unwrap(),
        event_type: EventType::parse(event_type).unwrap(),
        occurred_at: None,
        object_id: None,
        content_type: "application/json".to_owned(),
        cloud: None,
        payload: format!("{{ \"of\" : \"{id}\" }}").into(),
        fingerprint: [7; 32],
        idempotency: None,
        config_filter: None,
    }
}

pub(crate) fn settlement(lease: Lease, sequence: u64, verdict: Verdict) -> Settlement {
    Settlement {
        lease,
        sequence: Sequence(sequence),
        attempt: None,
        verdict,
        pin: None,
        effect: None,
        health: None,
        news: None,
    }
}

pub(crate) fn attempt(number: u32, status: u16) -> Attempt {
    let chance = (u128::from(number) << 64) | u128::from(status) | (NEXT.next() << 32);
    Attempt {
        id: AttemptId(uuid::Uuid::from_u128(chance)),
        number,
        started_at: START.after(Duration::from_millis(u64::from(number))),
        outcome: Outcome::Refused {
            status,
            retry_after_secs: None,
        },
        timing: Timing::default(),
        response: Some(Response {
            status,
            headers: vec![("server".to_owned(), "test".to_owned())],
            body: "no".into(),
            truncated: false,
        }),
        chain: Vec::new(),
        pinned: false,
    }
}

static NEXT: Counter = Counter(AtomicU64::new(1));

struct Counter(AtomicU64);

impl Counter {
    fn next(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed) & 0xffff_ffff)
    }
}

pub(crate) fn everything() -> DeliveryQuery {
    DeliveryQuery::all(Scope::All, 100)
}

/// A sink that remembers.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Vec<FeedItem>>);

impl FeedSink for Heard {
    fn push(&self, item: FeedItem) {
        self.0.lock().unwrap().push(item);
    }
}

impl Heard {
    /// What was told since last asked, in short words.
    pub(crate) fn words(&self) -> Vec<String> {
        let items = std::mem::take(&mut *self.0.lock().unwrap());
        items
            .iter()
            .map(|item| match item {
                FeedItem::Fresh { lease, ready } => {
                    format!("fresh {} for {}", ready.delivery.sequence.0, lease.hook.0)
                }
                FeedItem::Urgent { lease, ready } => {
                    format!("urgent {} for {}", ready.delivery.sequence.0, lease.hook.0)
                }
                FeedItem::Look(lease) => format!("look at {}", lease.hook.0),
                FeedItem::Recall(lease) => format!("recall {}", lease.hook.0),
                FeedItem::Catalog(revision) => format!("catalog {}", revision.0),
            })
            .collect()
    }
}
