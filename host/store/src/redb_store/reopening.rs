//! What an I/O error, a slow disk and a sink that panics do to callers: told the truth at once,
//! and nothing acknowledged lost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinSet;
use whisperer_domain::catalog::{CatalogChange, Changed};
use whisperer_domain::event::NewEvent;
use whisperer_domain::event_type::{EventPattern, EventType};
use whisperer_domain::hook::Hook;
use whisperer_domain::id::{EventId, HookId, Owner, Sequence};
use whisperer_domain::port::{
    AcceptError, Accepted, BoxFuture, Catalog, Clock, FeedItem, FeedSink, Lanes, Ledger, Scope,
    StoreDown, StoreHealth,
};
use whisperer_domain::schedule::RetryConfig;
use whisperer_domain::target_url::TargetUrl;
use whisperer_domain::time::Timestamp;

use super::faulty_medium::Faults;
use super::opener::Opener;
use super::{RedbStore, prepare};
use crate::config::StoreConfig;

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(1_764_000_000_000)
    }

    fn sleep(&self, _wait: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// A store with one hook, on a medium that fails when told to.
struct Stage {
    store: Arc<RedbStore>,
    faults: Faults,
    hook: HookId,
    _folder: TempDir,
}

impl Stage {
    async fn with_queue(queue_max: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig {
            queue_max,
            ..StoreConfig::new(folder.path().join("db"), folder.path().join("key"))
        };
        let mut opener = Opener::new(&config);
        let seal = prepare(&config, &opener).unwrap();
        let faults = Faults::default();
        opener.medium = Some(faults.clone());
        let store = RedbStore::start(&config, Arc::new(Still), opener, seal).unwrap();
        let change = CatalogChange::CreateHook(Box::new(hook()));
        let Changed::Hook(hook) = store.change(change).await.unwrap() else {
            panic!("a created hook is shown");
        };
        Self {
            store,
            faults,
            hook: hook.id,
            _folder: folder,
        }
    }

    async fn post(&self, id: &str) -> Result<Accepted, AcceptError> {
        let revision = self.store.snapshot().revision;
        self.store
            .accept(event(id), vec![self.hook], revision)
            .await
    }

    /// Reads as well as writes ask for it, so a condition that never comes hangs the test.
    async fn ready(&self) {
        while self.store.status().health != StoreHealth::Ready {
            tokio::task::yield_now().await;
        }
    }
}

fn hook() -> Hook {
    Hook {
        retry: RetryConfig::Fixed { seconds: 5 },
        max_age: Duration::from_secs(3600),
        signatures: Vec::new(),
        ..Hook::new(
            Owner::parse("ann").unwrap(),
            TargetUrl::parse("https://a.example/").unwrap(),
            EventPattern::All,
        )
    }
}

fn event(id: &str) -> NewEvent {
    NewEvent {
        id: EventId::parse(id).unwrap(),
        event_type: EventType::parse("package.created").unwrap(),
        occurred_at: None,
        object_id: None,
        content_type: "application/json".to_owned(),
        cloud: None,
        payload: "{}".into(),
        fingerprint: [7; 32],
        idempotency: None,
        config_filter: None,
    }
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl FeedSink for Heard {
    fn push(&self, item: FeedItem) {
        let word = match item {
            FeedItem::Fresh { .. } => "fresh",
            FeedItem::Look(_) => "look",
            FeedItem::Catalog(_) => "catalog",
            FeedItem::Urgent { .. } => "urgent",
            FeedItem::Recall(_) => "recall",
        };
        self.0.lock().unwrap().push(word.to_owned());
    }
}

#[tokio::test]
async fn after_an_io_error_the_store_is_reopened_and_nothing_acknowledged_is_lost() {
    let stage = Stage::with_queue(64).await;
    stage.post("before").await.unwrap();
    let heard = Arc::new(Heard::default());
    stage.store.feed(heard.clone());

    stage.faults.opening.store(true, Ordering::SeqCst);
    stage.faults.next_sync.store(true, Ordering::SeqCst);
    let unknown = stage.post("amid").await;
    assert!(
        matches!(unknown, Err(AcceptError::Down(StoreDown::Unknown(_)))),
        "{unknown:?}"
    );
    // It cannot be opened yet: whoever comes is sent away at once.
    while stage.store.status().health == StoreHealth::Ready {
        tokio::task::yield_now().await;
    }
    let refused = stage.post("meanwhile").await;
    assert!(
        matches!(refused, Err(AcceptError::Down(StoreDown::Reopening(_)))),
        "{refused:?}"
    );
    let refused = stage.store.find(Sequence(1), Scope::All).await;
    assert!(matches!(refused, Err(StoreDown::Reopening(_))));

    stage.faults.opening.store(false, Ordering::SeqCst);
    stage.ready().await;
    assert!(stage.post("before").await.unwrap().replayed);
    assert!(!stage.post("meanwhile").await.unwrap().replayed);
    // Repeating what is unknown is what the caller was told to do; it makes one event of it.
    stage.post("amid").await.unwrap();
    assert!(stage.post("amid").await.unwrap().replayed);
    assert_eq!(stage.store.status().events_accepted, 3);
    let words = heard.0.lock().unwrap().clone();
    assert_eq!(words[..2], ["catalog", "look"], "lanes were sent to look");
}

/// Holds the writer fast at each item until it is let go.
struct Gate {
    arrived: SyncSender<()>,
    go: Mutex<Receiver<()>>,
}

impl FeedSink for Gate {
    fn push(&self, _item: FeedItem) {
        let _ = self.arrived.send(());
        let _ = self.go.lock().unwrap().recv();
    }
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_rides_in_one_commit() {
    let stage = Arc::new(Stage::with_queue(3).await);
    let (arrived, has_arrived) = sync_channel(1);
    let (go, may_go) = sync_channel(8);
    stage.store.feed(Arc::new(Gate {
        arrived,
        go: Mutex::new(may_go),
    }));
    let mut posts = JoinSet::new();
    let mut post = |id: &'static str| {
        let stage = Arc::clone(&stage);
        posts.spawn(async move { stage.post(id).await });
    };
    post("held");
    let writer_is_held = tokio::task::spawn_blocking(move || {
        has_arrived.recv().unwrap();
        has_arrived
    });
    let has_arrived = writer_is_held.await.unwrap();
    let commits = stage.store.status().commits;
    ["a", "b", "c"].into_iter().for_each(&mut post);
    while stage.store.status().queued < 3 {
        tokio::task::yield_now().await;
    }
    let refused = stage.post("too many").await;
    assert!(
        matches!(refused, Err(AcceptError::Down(StoreDown::Lagging))),
        "{refused:?}"
    );
    drop(go);
    drop(has_arrived);
    let answers = posts.join_all().await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(stage.store.status().commits, commits + 1);
    assert_eq!(stage.store.status().queued, 0);
}

struct Panics(AtomicU64);

impl FeedSink for Panics {
    fn push(&self, _item: FeedItem) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("the test's sink panics");
    }
}

#[tokio::test]
async fn a_sink_that_panics_harms_nobody() {
    let stage = Stage::with_queue(64).await;
    let sink = Arc::new(Panics(AtomicU64::new(0)));
    stage.store.feed(sink.clone());
    stage.post("one").await.unwrap();
    stage.post("two").await.unwrap();
    assert_eq!(sink.0.load(Ordering::SeqCst), 2);
    assert_eq!(stage.store.status().health, StoreHealth::Ready);
}
