//! What an answer means: no `Ok` before the disk has it, one event for one key whatever failed, and
//! nobody harmed by what another asked in the same commit.

use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio::time::timeout;
use whisperer_domain::catalog::{CatalogChange, Changed};
use whisperer_domain::event::{IdempotencyKey, NewEvent};
use whisperer_domain::event_type::EventPattern;
use whisperer_domain::id::{EventId, HookId, Owner};
use whisperer_domain::port::{
    AcceptError, Accepted, Catalog, Clock, DeliveryQuery, Ledger, Scope, StoreDown,
};

use super::cross;
use super::disk::{Call, Disk, Failure, Ill};
use super::stage::{self, Hand, config, event, hook, ready};
use crate::redb_store::RedbStore;
use crate::redb_store::tables::EVENT_IDS;

struct Stage {
    store: Arc<RedbStore>,
    disk: Arc<Disk>,
    hook: HookId,
}

impl Stage {
    async fn new() -> Self {
        let disk = Disk::blank();
        let clock: Arc<dyn Clock> = Hand::new();
        let store = stage::open(&disk, &config(), clock).unwrap();
        let hook = hook("https://a.example/", EventPattern::All);
        let made = store.change(CatalogChange::CreateHook(Box::new(hook)));
        let Changed::Hook(hook) = made.await.unwrap() else {
            panic!("a created hook is shown");
        };
        Self {
            store,
            disk,
            hook: hook.id,
        }
    }

    async fn accept(&self, event: NewEvent) -> Result<Accepted, AcceptError> {
        let revision = self.store.snapshot().revision;
        self.store.accept(event, vec![self.hook], revision).await
    }

    fn ail(&self, ill: Ill) {
        self.disk.fail(Failure {
            call: Call::Commit,
            after: 0,
            errno: 5,
            ill,
            lasts: false,
        });
    }

    async fn deliveries(&self) -> usize {
        let query = DeliveryQuery::all(Scope::All, 5000);
        self.store.page(query).await.unwrap().items.len()
    }
}

fn keyed(id: &str, key: &str) -> NewEvent {
    NewEvent {
        idempotency: Some(IdempotencyKey {
            owner: Owner::parse("ann").unwrap(),
            key: key.to_owned(),
        }),
        ..event(id)
    }
}

/// D-05. Whoever gave up waiting finds the event whole.
#[tokio::test]
async fn nothing_is_answered_before_the_disk_has_it_and_who_gives_up_leaves_nothing_half() {
    let stage = Arc::new(Stage::new().await);
    let (arrive, arrived) = sync_channel(1);
    let (go, may_go) = sync_channel::<()>(1);
    let may_go = Mutex::new(may_go);
    stage.disk.before_sync(move || {
        let _ = arrive.send(());
        let _ = may_go.lock().unwrap().recv();
    });
    let mut posting = JoinSet::new();
    posting.spawn({
        let stage = Arc::clone(&stage);
        async move { stage.accept(event("e1")).await }
    });
    let arrived = tokio::task::spawn_blocking(move || arrived.recv().map(|()| arrived));
    let _arrived = arrived.await.unwrap().unwrap();
    let id = EventId::parse("e1").unwrap();
    assert!(
        posting.try_join_next().is_none(),
        "answered before it was synced"
    );
    let found = stage.store.find_event(id.clone()).await.unwrap();
    assert!(found.is_none(), "shown before it was synced");

    posting.abort_all();
    drop(go);
    let found = timeout(Duration::from_secs(10), async {
        loop {
            if let Some(found) = stage.store.find_event(id.clone()).await.unwrap() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    assert_eq!(found.await.unwrap().event.id, id);
    assert_eq!(stage.deliveries().await, 1);
    assert_eq!(cross::check(&stage.store), Ok(()));
    assert!(stage.accept(event("e1")).await.unwrap().replayed);
}

/// D-06, and its siblings: the caller knows as little whether the disk did it.
#[tokio::test]
async fn a_commit_that_failed_may_be_repeated_and_makes_one_event() {
    for (ill, is_there) in [
        (Ill::DoneAllTheSame, true),
        (Ill::Forgotten, false),
        (Ill::Panic, true),
    ] {
        let stage = Stage::new().await;
        stage.ail(ill);
        let unknown = stage.accept(keyed("e1", "k1")).await;
        assert!(
            matches!(unknown, Err(AcceptError::Down(StoreDown::Unknown(_)))),
            "{ill:?}: {unknown:?}"
        );
        ready(&stage.store).await;
        // The id of a repetition may be another one: the key is what counts.
        let again = stage.accept(keyed("e1", "k1")).await.unwrap();
        assert_eq!(again.replayed, is_there, "{ill:?}");
        assert!(stage.accept(keyed("e1", "k1")).await.unwrap().replayed);
        assert_eq!(stage.store.status().events_accepted, 1, "{ill:?}");
        assert_eq!(stage.deliveries().await, 1, "{ill:?}");
        assert_eq!(cross::check(&stage.store), Ok(()), "{ill:?}");
    }
}

/// D-07. One meets a damaged record, one an id that is taken.
#[tokio::test]
async fn of_a_thousand_posts_together_the_bad_ones_fail_alone() {
    let stage = Stage::new().await;
    let other = NewEvent {
        fingerprint: [9; 32],
        ..event("e7")
    };
    stage.accept(other).await.unwrap();
    let txn = stage.store.shared.begin_write().unwrap();
    let mut ids = txn.open_table(EVENT_IDS).unwrap();
    ids.insert("e500", b"nonsense".as_slice()).unwrap();
    drop(ids);
    txn.commit().unwrap();
    let commits = stage.store.status().commits;
    let posts = (0..1000).map(|number| stage.accept(event(&format!("e{number}"))));
    for (number, answer) in join_all(posts).await.into_iter().enumerate() {
        let is_right = match number {
            7 => matches!(answer, Err(AcceptError::IdTaken)),
            500 => matches!(answer, Err(AcceptError::Down(StoreDown::Damaged(_)))),
            _ => answer.is_ok(),
        };
        assert!(is_right, "{number}: {answer:?}");
    }
    let commits = stage.store.status().commits - commits;
    assert!(commits < 100, "they share commits: {commits}");
    assert_eq!(stage.deliveries().await, 999);
}

/// D-09. Nobody hangs, and within a second the writer writes again.
#[tokio::test]
async fn a_writer_that_panics_is_replaced_and_nobody_hangs() {
    let stage = Stage::new().await;
    stage.accept(event("before")).await.unwrap();
    stage.ail(Ill::Panic);
    let posts = (0..50).map(|number| stage.accept(event(&format!("e{number}"))));
    let answers = timeout(Duration::from_secs(5), join_all(posts))
        .await
        .unwrap();
    assert!(
        answers.iter().any(|answer| matches!(
            answer,
            Err(AcceptError::Down(
                StoreDown::Unknown(_) | StoreDown::Reopening(_)
            ))
        )),
        "{answers:?}"
    );
    timeout(Duration::from_secs(1), ready(&stage.store))
        .await
        .unwrap();
    for (number, answer) in answers.into_iter().enumerate() {
        let again = stage.accept(event(&format!("e{number}"))).await.unwrap();
        assert!(again.replayed || answer.is_err(), "{number} was lost");
    }
    assert!(stage.accept(event("before")).await.unwrap().replayed);
    assert_eq!(stage.store.status().events_accepted, 51);
    assert_eq!(cross::check(&stage.store), Ok(()));
}

/// S-02, with a disk that says what the test wants.
#[tokio::test]
async fn on_a_disk_that_is_nearly_full_events_are_refused_and_all_else_goes_on() {
    let stage = Stage::new().await;
    stage.accept(event("e1")).await.unwrap();
    stage.disk.leave_free(255 << 20);
    let short = async |wanted: bool| {
        while stage.store.status().space.is_short != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(10), short(true)).await.unwrap();
    let refused = stage.accept(event("e2")).await;
    assert!(
        matches!(refused, Err(AcceptError::Down(StoreDown::Full))),
        "{refused:?}"
    );
    let hook = hook("https://b.example/", EventPattern::All);
    let change = CatalogChange::CreateHook(Box::new(hook));
    stage.store.change(change).await.unwrap();
    assert_eq!(stage.deliveries().await, 1, "reads go on");
    stage.disk.leave_free(321 << 20);
    timeout(Duration::from_secs(10), short(false))
        .await
        .unwrap();
    assert!(!stage.accept(event("e2")).await.unwrap().replayed);
}
