//! Copies of a store: made while it runs, whole or not at all, and put back; and its file made
//! small again.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redb::{Database, ReadableDatabase, TableHandle};
use whisperer_domain::port::{Onward, Retention, UpkeepError, Verdict};
use whisperer_store::{
    RedbStore, StoreConfig, StoreError, backup_file, check_file, compact_file, restore,
};

use crate::stage::{Heard, Stage, TestClock, config, event, settlement};

fn go_on() -> Onward {
    Arc::new(|_| true)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

async fn with_events(count: u64) -> Stage {
    let stage = Stage::redb();
    stage.hook("ann", "https://a.example/", "*").await;
    for number in 1..=count {
        stage.post(&format!("e{number}")).await;
    }
    stage
}

fn open(folder: &Path, clock: &Arc<TestClock>) -> Stage {
    let store = RedbStore::open(config(folder), clock.clone()).unwrap();
    Stage::over(store, clock.clone(), None)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_under_load_holds_all_that_was_acknowledged_before() {
    let stage = Arc::new(with_events(300).await);
    let elsewhere = tempfile::tempdir().unwrap();
    let to = elsewhere.path().join("copy.redb");
    let is_over = Arc::new(AtomicBool::new(false));
    let poster = {
        let (stage, is_over) = (Arc::clone(&stage), Arc::clone(&is_over));
        async move {
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                stage.post(&format!("late{number}")).await;
                number += 1;
            }
            number
        }
    };
    let copy = async {
        // Some have been posted before it ends, whatever the machine does.
        while stage.ledger.status().events_accepted < 310 {
            tokio::task::yield_now().await;
        }
        let copied = stage.ledger.backup(to.clone(), go_on()).await;
        is_over.store(true, Ordering::Relaxed);
        copied
    };
    let (copied, posted) = tokio::join!(copy, poster);
    let copied = copied.unwrap();
    assert!(posted >= 10 && copied.rows > 300 * 4, "{copied:?}");
    assert_eq!(copied.checked.found, 0, "{:#?}", copied.checked.findings);
    assert_eq!(fs::metadata(&to).unwrap().len(), copied.file_bytes);
    assert_eq!(names(elsewhere.path()), ["copy.redb"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&to).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    // Restored elsewhere, with the key: every event is there and can be delivered.
    let new = tempfile::tempdir().unwrap();
    let key = stage.folder.as_ref().unwrap().path().join("whisperer.key");
    fs::copy(key, new.path().join("whisperer.key")).unwrap();
    let (restored, placed) = restore(&to, &config(new.path()), false, &go_on()).unwrap();
    assert!(placed && restored.has_key && restored.checked.found == 0);
    let there = open(new.path(), &stage.clock);
    for number in 1..=300 {
        assert!(there.is_there(&format!("e{number}")).await, "e{number}");
    }
    assert!(there.post("e7").await.replayed);
    assert!(!there.post("of its own").await.replayed);
}

/// Whoever adds a table adds it to what is copied.
#[tokio::test]
async fn a_copy_has_every_table() {
    let stage = with_events(1).await;
    let folder = stage.folder.as_ref().unwrap().path().to_owned();
    let to = folder.join("copy");
    stage.ledger.backup(to.clone(), go_on()).await.unwrap();
    drop((stage.ledger, stage.catalog));
    let tables = |path: &Path| {
        let database = Database::open(path).unwrap();
        let txn = database.begin_read().unwrap();
        let tables = txn.list_tables().unwrap();
        let mut names: Vec<_> = tables.map(|table| table.name().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(tables(&to), tables(&folder.join("whisperer.redb")));
}

#[tokio::test]
async fn a_copy_never_takes_the_place_of_a_file_and_leaves_nothing_when_stopped() {
    let stage = with_events(300).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let to = elsewhere.path().join("copy");
    fs::write(&to, "precious").unwrap();
    let error = stage.ledger.backup(to.clone(), go_on()).await.unwrap_err();
    assert!(matches!(error, UpkeepError::Exists { .. }), "{error}");
    assert!(error.to_string().contains("copy"), "{error}");
    assert_eq!(fs::read(&to).unwrap(), b"precious");
    fs::remove_file(&to).unwrap();

    let stopped = stage.ledger.backup(to.clone(), Arc::new(|_| false)).await;
    assert!(matches!(stopped, Err(UpkeepError::Stopped)), "{stopped:?}");
    let taken = to.clone();
    // Somebody else's file comes while the copy is made.
    let meanwhile: Onward = Arc::new(move |_| {
        fs::write(&taken, "later").unwrap();
        true
    });
    let error = stage.ledger.backup(to.clone(), meanwhile).await;
    assert!(
        matches!(error, Err(UpkeepError::Exists { .. })),
        "{error:?}"
    );
    assert_eq!(fs::read(&to).unwrap(), b"later");
    assert_eq!(names(elsewhere.path()), ["copy"], "nothing else is left");

    let nowhere = elsewhere.path().join("none/copy");
    let error = stage.ledger.backup(nowhere, go_on()).await.unwrap_err();
    assert!(matches!(error, UpkeepError::Io { .. }), "{error}");
}

#[tokio::test]
async fn a_copy_is_put_back_only_where_nothing_is_and_with_its_own_key() {
    let stage = with_events(3).await;
    let whole = stage.folder.as_ref().unwrap().path();
    let copies = tempfile::tempdir().unwrap();
    let from = copies.path().join("copy");
    stage.ledger.backup(from.clone(), go_on()).await.unwrap();

    let error = restore(&from, &config(whole), false, &go_on()).unwrap_err();
    assert!(
        matches!(&error, StoreError::Upkeep(UpkeepError::Exists { path }) if path.starts_with(whole)),
        "{error}"
    );
    let new = tempfile::tempdir().unwrap();
    let key_file = new.path().join("whisperer.key");
    fs::write(&key_file, [9; 32]).unwrap();
    let error = restore(&from, &config(new.path()), false, &go_on()).unwrap_err();
    assert!(matches!(error, StoreError::KeyWrong { .. }), "{error}");
    assert!(error.to_string().contains("whisperer.key"), "{error}");
    fs::remove_file(&key_file).unwrap();
    fs::write(new.path().join("whisperer.redb"), "").unwrap();
    let (restored, placed) = restore(&from, &config(new.path()), false, &go_on()).unwrap();
    assert!(placed && !restored.has_key, "the key file can come later");
    assert_eq!(names(new.path()), ["whisperer.redb"]);
    let refused = RedbStore::open(config(new.path()), stage.clock.clone());
    assert!(matches!(refused, Err(StoreError::KeyMissing { .. })));

    for (bytes, words) in [
        (&b"SQLite format 3\0"[..], "not a database"),
        (b"", "no database"),
    ] {
        let other = copies.path().join("other");
        fs::write(&other, bytes).unwrap();
        let empty = tempfile::tempdir().unwrap();
        let error = restore(&other, &config(empty.path()), false, &go_on()).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(names(empty.path()).is_empty());
    }
}

#[tokio::test]
async fn a_damaged_copy_is_put_back_only_if_that_is_wanted() {
    let stage = with_events(3).await;
    let copies = tempfile::tempdir().unwrap();
    let from = copies.path().join("copy");
    stage.ledger.backup(from.clone(), go_on()).await.unwrap();
    {
        let history = redb::TableDefinition::<(u64, u64), ()>::new("history");
        let database = Database::open(&from).unwrap();
        let txn = database.begin_write().unwrap();
        txn.open_table(history).unwrap().remove((1, 2)).unwrap();
        txn.commit().unwrap();
    }
    let new = tempfile::tempdir().unwrap();
    let (found, placed) = restore(&from, &config(new.path()), false, &go_on()).unwrap();
    assert!(!placed && found.checked.found == 1, "{found:?}");
    assert!(names(new.path()).is_empty());
    let (_, placed) = restore(&from, &config(new.path()), true, &go_on()).unwrap();
    assert!(placed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compacting_gives_back_what_was_given_up_and_the_store_goes_on() {
    let stage = Stage::redb();
    let hook = stage.hook("ann", "https://a.example/", "*").await;
    for number in 1..=100 {
        let large = whisperer_domain::event::NewEvent {
            payload: vec![b'x'; 100_000].into(),
            ..event(&format!("e{number}"), "package.created")
        };
        stage.accept(large).await.unwrap();
    }
    let lease = stage.lease(hook.id).await;
    for number in 1..100 {
        stage
            .settle(settlement(lease, number, Verdict::Delivered))
            .await;
    }
    let all = Retention {
        age: None,
        bytes: Some(0),
    };
    assert_eq!(stage.sweep(all, 1000).await.events, 99);
    let heard = Arc::new(Heard::default());
    stage.ledger.feed(heard.clone());
    let compacted = stage.ledger.compact().await.unwrap();
    assert!(
        compacted.bytes_after < compacted.bytes_before / 4,
        "{compacted:?}"
    );
    assert_eq!(stage.ledger.stock().file_bytes, Some(compacted.bytes_after));
    // Lanes are sent to look: of what was told before nothing is sure.
    assert_eq!(heard.words(), ["catalog 2", "look at 1"]);
    assert_eq!(stage.due(lease).await, [100]);
    stage.post("after").await;
    let checked = stage.ledger.check(9, go_on()).await.unwrap();
    assert_eq!(checked.found, 0, "{:#?}", checked.findings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_compacted_under_a_copy() {
    let stage = with_events(400).await;
    let folder = tempfile::tempdir().unwrap();
    let (is_at_work, goes_on) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let gate: Onward = {
        let (is_at_work, goes_on) = (Arc::clone(&is_at_work), Arc::clone(&goes_on));
        Arc::new(move |_| {
            is_at_work.store(true, Ordering::SeqCst);
            while !goes_on.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            true
        })
    };
    let copy = stage.ledger.backup(folder.path().join("copy"), gate);
    let other = async {
        while !is_at_work.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        let refused = stage.ledger.compact().await;
        // Whatever it says, the copy must come to its end.
        goes_on.store(true, Ordering::SeqCst);
        refused
    };
    let (copied, refused) = tokio::join!(copy, other);
    assert!(matches!(refused, Err(UpkeepError::Busy(_))), "{refused:?}");
    copied.unwrap();
    stage.ledger.compact().await.unwrap();
}

#[tokio::test]
async fn a_closed_store_is_copied_and_compacted_as_well() {
    let stage = with_events(50).await;
    let (folder, clock) = (stage.folder.unwrap(), stage.clock);
    let config = config(folder.path());
    let busy = compact_file(&config).unwrap_err();
    assert!(matches!(busy, StoreError::Locked { .. }), "{busy}");
    let busy = check_file(&config, false, 9, &go_on()).unwrap_err();
    assert!(matches!(busy, StoreError::Locked { .. }), "{busy}");
    drop((stage.ledger, stage.catalog));
    let compacted = compact_file(&config).unwrap();
    assert!(compacted.bytes_after <= compacted.bytes_before);
    let to = folder.path().join("copy");
    assert_eq!(
        backup_file(&config, &to, &go_on()).unwrap().checked.found,
        0
    );
    let none = StoreConfig::new(folder.path().join("none"), folder.path().join("key"));
    let missing = compact_file(&none).unwrap_err();
    assert!(matches!(missing, StoreError::Missing { .. }), "{missing}");
    clock.advance(Duration::from_secs(1));
    assert!(open(folder.path(), &clock).post("e1").await.replayed);
}

/// As a kill leaves it: it must be repaired, and only a copy is.
#[tokio::test]
async fn a_file_that_was_not_closed_is_put_back_and_checked_after_repair() {
    let stage = with_events(20).await;
    let folder = stage.folder.as_ref().unwrap().path();
    let copies = tempfile::tempdir().unwrap();
    let from = copies.path().join("whisperer.redb");
    fs::copy(folder.join("whisperer.redb"), &from).unwrap();
    fs::copy(
        folder.join("whisperer.key"),
        copies.path().join("whisperer.key"),
    )
    .unwrap();
    let before = fs::read(&from).unwrap();
    let refused = check_file(&config(copies.path()), false, 9, &go_on()).unwrap_err();
    assert!(
        matches!(refused, StoreError::Unrepaired { .. }),
        "{refused}"
    );
    let new = tempfile::tempdir().unwrap();
    let (restored, placed) = restore(&from, &config(new.path()), false, &go_on()).unwrap();
    assert!(placed && restored.checked.found == 0, "{restored:?}");
    assert!(fs::read(&from).unwrap() == before, "it was left as it was");
    assert_eq!(
        check_file(&config(copies.path()), true, 9, &go_on())
            .unwrap()
            .found,
        0
    );
}
