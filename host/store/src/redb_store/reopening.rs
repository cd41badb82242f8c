//! What an I/O error, a slow disk and a sink that panics do to callers: told the truth at once,
//! and nothing acknowledged lost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use tokio::task::JoinSet;
use whisperer_domain::catalog::{CatalogChange, Changed};
use whisperer_domain::event_type::EventPattern;
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::{
    AcceptError, Accepted, Catalog, FeedItem, FeedSink, Lanes, Ledger, Scope, StoreDown,
    StoreHealth,
};

use super::RedbStore;
use super::faults::stage::{Hand, config, event, hook, open, ready};
use super::faults::{Call, Disk, Failure, Ill};
use crate::config::StoreConfig;

/// A store with one hook, on a disk that fails when told to.
struct Stage {
    store: Arc<RedbStore>,
    disk: Arc<Disk>,
    hook: HookId,
}

impl Stage {
    async fn with_queue(queue_max: usize) -> Self {
        let config = StoreConfig {
            queue_max,
            ..config()
        };
        let disk = Disk::blank();
        let store = open(&disk, &config, Hand::new()).unwrap();
        let change =
            CatalogChange::CreateHook(Box::new(hook("https://a.example/", EventPattern::All)));
        let Changed::Hook(hook) = store.change(change).await.unwrap() else {
            panic!("a created hook is shown");
        };
        Self {
            store,
            disk,
            hook: hook.id,
        }
    }

    async fn post(&self, id: &str) -> Result<Accepted, AcceptError> {
        let revision = self.store.snapshot().revision;
        self.store
            .accept(event(id), vec![self.hook], revision)
            .await
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

    stage.disk.shut(true);
    stage.disk.fail(Failure {
        call: Call::Sync,
        after: 0,
        errno: 5,
        ill: Ill::Refused,
        lasts: false,
    });
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

    stage.disk.shut(false);
    ready(&stage.store).await;
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
