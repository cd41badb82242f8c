//! What stays when the process does not: closing, dropping, and a copy of the file taken while
//! it is written, which is what a kill leaves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition};
use whisperer_domain::catalog::CatalogChange;
use whisperer_domain::cloud_event::CloudAttributes;
use whisperer_domain::delivery::{CancelCause, DeliveryState, Pin};
use whisperer_domain::envelope::Envelope;
use whisperer_domain::event::NewEvent;
use whisperer_domain::event_type::{EventType, EventTypeInfo, PayloadSchema};
use whisperer_domain::filter::Filter;
use whisperer_domain::hook::{BasicAuth, ChainLink, Hook, PluginChoice};
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::plugin::PluginName;
use whisperer_domain::port::{AcceptError, Ledger, Scope, Settlement, StoreDown, Verdict};
use whisperer_domain::secret::Secret;
use whisperer_store::{RedbStore, StoreError};

use crate::stage::{Stage, TestClock, attempt, config, event, everything, hook, settlement};

pub(crate) const SECRETS: [&str; 4] = [
    "whsec_first-secret-of-all",
    "second secret: a header's value",
    "third secret: a password",
    "{\"token\":\"fourth secret in a plugin's config\"}",
];

pub(crate) fn secretive() -> Hook {
    let [key, header, password, config] = SECRETS.map(|text| Secret::new(text.to_owned()));
    Hook {
        secret_key: Some(key),
        additional_headers: Some(vec![("x-token".to_owned(), header)]),
        auth: Some(BasicAuth {
            username: "ann".to_owned(),
            password,
        }),
        plugins: PluginChoice::Chain(vec![
            ChainLink {
                hidden: vec!["/token".to_owned(), "/logins/0".to_owned()],
                ..ChainLink::new(PluginName::parse("redact").unwrap(), config)
            },
            ChainLink::new(
                PluginName::parse("stamp").unwrap(),
                Secret::new("{}".to_owned()),
            ),
        ]),
        ..hook("ann", "https://a.example/", "*")
    }
}

/// A store with a bit of everything in it.
async fn full() -> Stage {
    let stage = Stage::redb();
    let first = stage.create(secretive()).await;
    let second = stage.hook("bob", "https://b.example/", "*").await;
    for post in 1..=3 {
        stage.post(&format!("e{post}")).await;
    }
    let lease = stage.lease(first.id).await;
    let failed = Settlement {
        attempt: Some(attempt(1, 500)),
        pin: Some(Pin::Unchanged {
            envelope: Envelope::Whisperer,
            digests: Vec::new(),
        }),
        ..settlement(
            lease,
            1,
            Verdict::Retry {
                after: Duration::from_secs(5),
            },
        )
    };
    stage.settle(failed).await;
    stage.delete(second.id).await;
    stage
}

/// Everything that can be read, as text.
async fn all_of(stage: &Stage) -> String {
    let mut text = String::new();
    let page = stage.ledger.page(everything()).await.unwrap();
    for item in page.items {
        let found = stage.find(item.delivery.sequence.0).await;
        text += &format!("{found:?}\n");
    }
    let snapshot = stage.catalog.snapshot();
    let status = stage.ledger.status();
    text + &format!(
        "{:?} {:?} {:?} {} {}",
        snapshot.revision,
        snapshot.hooks,
        snapshot.event_types.keys().collect::<Vec<_>>(),
        status.events_accepted,
        status.attempts_settled
    )
}

/// What records did not have at first: filters, examples and schemas, CloudEvents' attributes.
#[tokio::test]
async fn what_came_later_into_records_is_kept_too() {
    let stage = Stage::redb();
    let filter = Filter::parse("{ \"path\": \"of\", \"eq\": \"e1\" }").unwrap();
    let hook = stage
        .create(Hook {
            filter: Some(Arc::new(filter)),
            ..secretive()
        })
        .await;
    let name = EventType::parse("package.created").unwrap();
    let info = EventTypeInfo {
        description: "told".to_owned(),
        example: Some("{ \"n\" : 1.0 }".into()),
        schema: Some(
            PayloadSchema::parse("{\"type\": \"object\"}")
                .unwrap()
                .into(),
        ),
    };
    let put = CatalogChange::PutEventType(name.clone(), info.clone());
    stage.catalog.change(put).await.unwrap();
    let cloud = CloudAttributes::stored("\"id\":\"1\",\"source\":\"/a\",\"n\":7").unwrap();
    let event = NewEvent {
        cloud: Some(cloud.clone()),
        ..event("e1", "package.created")
    };
    assert_eq!(stage.accept(event).await.unwrap().deliveries, 1);
    assert_eq!(
        stage.post("e2").await.deliveries,
        0,
        "the filter lets only e1 through"
    );

    let stage = reopened(stage);
    let snapshot = stage.catalog.snapshot();
    assert_eq!(snapshot.hooks[&hook.id].filter, hook.filter);
    assert_eq!(*snapshot.event_types[&name], info);
    assert_eq!(stage.find(1).await.view.event.cloud, Some(cloud));
    assert_eq!(stage.post("e3").await.deliveries, 0);
    stage.delete(hook.id).await;
    let stage = reopened(stage);
    let tombstone = stage.find(1).await.view.hook.unwrap();
    assert_eq!(tombstone.filter, hook.filter);
}

/// Lets the store go and opens what it left.
fn reopened(stage: Stage) -> Stage {
    let Stage {
        ledger,
        catalog,
        clock,
        folder,
    } = stage;
    drop((ledger, catalog));
    let folder = folder.unwrap();
    let store = RedbStore::open(config(folder.path()), clock.clone()).unwrap();
    Stage::over(store, clock, Some(folder))
}

#[tokio::test]
async fn a_store_that_was_dropped_has_everything_when_it_is_opened_again() {
    let stage = full().await;
    let before = all_of(&stage).await;
    let stage = reopened(stage);
    assert_eq!(all_of(&stage).await, before);

    let hook = stage.catalog.snapshot().hooks[&HookId(1)].clone();
    assert!(!hook.secrets_unreadable);
    assert_eq!(*hook.secret_key.as_ref().unwrap().expose(), *SECRETS[0]);
    let PluginChoice::Chain(links) = &hook.plugins else {
        panic!("it had a chain");
    };
    assert_eq!(*links[0].config.expose(), *SECRETS[3]);
    // Counters go on where they were.
    stage.post("e4").await;
    assert_eq!(stage.find(7).await.view.event.id.as_str(), "e4");
    assert_eq!(
        stage.hook("ann", "https://c.example/", "*").await.id,
        HookId(3)
    );
    assert!(stage.post("e1").await.replayed);
}

#[tokio::test]
async fn a_closed_store_refuses_and_its_file_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = RedbStore::open(config(folder.path()), clock.clone()).unwrap();
    let stage = Stage::over(store.clone(), clock.clone(), None);
    stage.post("e1").await;
    store.close().await.unwrap();
    let refused = stage.accept(event("e2", "package.created")).await;
    assert!(
        matches!(refused, Err(AcceptError::Down(StoreDown::Closed))),
        "{refused:?}"
    );
    let refused = store.find(Sequence(1), Scope::All).await;
    assert!(matches!(refused, Err(StoreDown::Closed)), "{refused:?}");
    assert!(matches!(store.close().await, Err(StoreError::Closed)));

    let store = RedbStore::open(config(folder.path()), clock.clone()).unwrap();
    let stage = Stage::over(store, clock, None);
    assert!(stage.post("e1").await.replayed);
}

/// A hundred times; the clock of a busy machine may stop in some of them.
#[tokio::test]
async fn after_an_orderly_end_the_file_needs_no_repair_and_opens_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let mut took = Vec::new();
    for time in 0..100 {
        let start = Instant::now();
        let store = RedbStore::open(config(folder.path()), clock.clone()).unwrap();
        took.push(start.elapsed());
        let stage = Stage::over(store.clone(), clock.clone(), None);
        stage.post(&format!("e{time}")).await;
        store.close().await.unwrap();
        // One that must be repaired is refused by this.
        let path = folder.path().join("whisperer.redb");
        redb::ReadOnlyDatabase::open(path).unwrap();
    }
    took.sort_unstable();
    assert!(took[50] < Duration::from_millis(50), "{took:?}");
}

#[tokio::test]
async fn a_kill_loses_nothing_that_was_acknowledged() {
    let stage = full().await;
    let folder = stage.folder.as_ref().unwrap().path();
    let copies = tempfile::tempdir().unwrap();
    for kill in 0..10 {
        stage.post(&format!("acknowledged {kill}")).await;
        let before = all_of(&stage).await;
        let copy = copies.path().join(kill.to_string());
        std::fs::create_dir(&copy).unwrap();
        for file in ["whisperer.redb", "whisperer.key"] {
            std::fs::copy(folder.join(file), copy.join(file)).unwrap();
        }
        let store = RedbStore::open(config(&copy), stage.clock.clone()).unwrap();
        let killed = Stage::over(store, stage.clock.clone(), None);
        assert_eq!(all_of(&killed).await, before);
    }
}

#[tokio::test]
async fn no_secret_lies_in_the_file_in_clear() {
    let stage = full().await;
    let path = stage.folder.as_ref().unwrap().path().join("whisperer.redb");
    let bytes = std::fs::read(path).unwrap();
    let holds = |text: &str| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(holds("https://a.example/"), "the look itself works");
    for secret in SECRETS {
        assert!(!holds(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_long_cancellation_is_seen_at_once_and_finished_after_a_kill() {
    const POSTS: u64 = 2500;
    let stage = Stage::redb();
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    let mut posts = tokio::task::JoinSet::new();
    let revision = stage.catalog.snapshot().revision;
    for post in 0..POSTS {
        let event = event(&format!("e{post}"), "package.created");
        let ledger = Arc::clone(&stage.ledger);
        let hook = hook.id;
        posts.spawn(async move { ledger.accept(event, vec![hook], revision).await });
    }
    assert!(posts.join_all().await.iter().all(Result::is_ok));
    stage.delete(hook.id).await;
    let lanes = stage.ledger.lanes(vec![hook.id], 10_000).await.unwrap();
    assert_eq!((lanes[0].pending, lanes[0].more_pending), (0, false));
    // The copy is most likely taken amid the steps; the promise holds wherever it was.
    let folder = stage.folder.as_ref().unwrap().path();
    let copy = tempfile::tempdir().unwrap();
    for file in ["whisperer.redb", "whisperer.key"] {
        std::fs::copy(folder.join(file), copy.path().join(file)).unwrap();
    }
    let last = stage.find(POSTS).await;
    let cancelled = DeliveryState::Cancelled(CancelCause::HookDeleted);
    assert_eq!(*last.state(), cancelled);

    let store = RedbStore::open(config(copy.path()), stage.clock.clone()).unwrap();
    // A cancellation gives way to nobody: what is asked now is answered after its next step, so
    // a few writes wait for all of it, wherever it was.
    let killed = Stage::over(store.clone(), stage.clock.clone(), None);
    for step in 0..=POSTS / 1000 {
        killed.post(&format!("after {step}")).await;
    }
    for sequence in [1, 1000, 1001, POSTS] {
        assert_eq!(*killed.find(sequence).await.state(), cancelled);
    }
    store.close().await.unwrap();
    let pending = TableDefinition::<(u64, u64, u64), ()>::new("pending");
    let database = Database::open(copy.path().join("whisperer.redb")).unwrap();
    let txn = database.begin_read().unwrap();
    assert_eq!(txn.open_table(pending).unwrap().len().unwrap(), 0);
}
