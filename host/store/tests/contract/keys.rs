//! Exchanging the key: everything goes over to the new one beside the load, whatever cuts it off the
//! next start goes on, and what does not belong together does not open.

use std::error::Error as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redb::{Database, ReadableTable, TableDefinition};
use tempfile::TempDir;
use tokio::task::JoinSet;
use whisperer_domain::delivery::Pin;
use whisperer_domain::header::HeaderOp;
use whisperer_domain::hook::Hook;
use whisperer_domain::id::HookId;
use whisperer_domain::port::{Catalog as _, KeyStanding, KeyUse, Settlement, Upkeep as _, Verdict};
use whisperer_domain::secret::Secret;
use whisperer_domain::target_url::TargetUrl;
use whisperer_store::{RedbStore, StoreError};

use crate::durability::{SECRETS, secretive};
use crate::stage::{Stage, TestClock, attempt, config, settlement};

/// More than three steps of either kind.
const HOOKS: u64 = 650;
const PLUGINS_OWN: &str = "a credential that a plugin made";

/// Cut off before it got its name.
const LEFTOVER: &str = "whisperer.key.0123456789abcdef.creating";

const HOOK_ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("hooks");
const PIN_ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("pins");
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

fn open(folder: &Path) -> Result<Arc<RedbStore>, StoreError> {
    RedbStore::open(config(folder), TestClock::new())
}

fn key_bytes(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("whisperer.key")).unwrap()
}

fn put_key(folder: &Path, bytes: &[u8]) {
    fs::write(folder.join("whisperer.key"), bytes).unwrap();
}

fn pin() -> Pin {
    Pin::Made {
        body: Bytes::from_static(b"what the chain made"),
        content_type: "text/plain".to_owned(),
        header_ops: vec![HeaderOp::Set {
            name: "x-token".to_owned(),
            value: Secret::new(PLUGINS_OWN.to_owned()),
        }],
        digests: Vec::new(),
    }
}

/// Many hooks with every kind of secret; a delivery of each, pinned.
async fn filled(hooks: u64) -> (TempDir, Arc<RedbStore>, Stage) {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let store = RedbStore::open(config(folder.path()), clock.clone()).unwrap();
    let stage = Stage::over(store.clone(), clock, None);
    for number in 0..hooks {
        let target = format!("https://h{number}.example/");
        let target = TargetUrl::parse(&target).unwrap();
        stage
            .create(Hook {
                target,
                ..secretive()
            })
            .await;
    }
    stage.post("e1").await;
    let retry = || Verdict::Retry {
        after: Duration::from_secs(5),
    };
    let mut settlements = Vec::new();
    for acquired in stage.ledger.acquire(None, 1000).await.unwrap() {
        let lease = acquired.lease;
        settlements.push(Settlement {
            attempt: Some(attempt(u32::try_from(lease.hook.0).unwrap(), 500)),
            pin: Some(pin()),
            ..settlement(lease, lease.hook.0, retry())
        });
    }
    stage.ledger.settle(settlements.into()).await.unwrap();
    (folder, store, stage)
}

fn check_hooks(store: &RedbStore, hooks: u64) {
    let snapshot = store.snapshot();
    assert_eq!(snapshot.hooks.values().count() as u64, hooks);
    for hook in snapshot.hooks.values() {
        assert!(!hook.secrets_unreadable, "{:?}", hook.id);
        assert_eq!(*hook.secret_key.as_ref().unwrap().expose(), *SECRETS[0]);
    }
}

fn only(keys: &[KeyUse]) -> &KeyUse {
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert_eq!(keys[0].standing, KeyStanding::Seals);
    &keys[0]
}

#[tokio::test]
async fn a_key_is_exchanged_beside_the_load_twice_in_a_row() {
    let (folder, store, stage) = filled(HOOKS).await;
    let first = key_bytes(folder.path());
    let before = only(&store.keys().await.unwrap()).clone();
    assert_eq!((before.hooks, before.pins), (HOOKS, HOOKS));

    let mut rotation = JoinSet::new();
    rotation.spawn({
        let store = store.clone();
        async move { store.rotate_key().await }
    });
    let mut posts = 1;
    let rotated = loop {
        if let Some(ended) = rotation.try_join_next() {
            break ended.unwrap().unwrap();
        }
        posts += 1;
        stage.post(&format!("e{posts}")).await;
        let target = TargetUrl::parse(&format!("https://more{posts}.example/")).unwrap();
        stage
            .create(Hook {
                target,
                ..secretive()
            })
            .await;
    };
    assert!(posts > 2, "writes went on beside it");
    assert_eq!(rotated.left, 0);
    assert!(rotated.resealed >= 2 * HOOKS, "{rotated:?}");
    let hooks = HOOKS + posts - 1;
    let keys = store.keys().await.unwrap();
    let after = only(&keys);
    assert_eq!((after.hooks, after.pins), (hooks, HOOKS));
    assert!(after.key == rotated.key && after.key != before.key);
    let second = key_bytes(folder.path());
    assert_eq!(second.len(), 32, "the old key is gone");
    assert_ne!(second, first);

    let again = store.rotate_key().await.unwrap();
    assert_eq!((again.left, again.resealed), (0, hooks + HOOKS));
    let third = key_bytes(folder.path());
    store.close().await.unwrap();
    for old in [&first, &second] {
        put_key(folder.path(), old);
        let error = open(folder.path()).err().unwrap();
        assert!(matches!(error, StoreError::KeyWrong { .. }), "{error}");
        assert!(error.to_string().contains("whisperer.key"), "{error}");
    }
    put_key(folder.path(), &third);
    let store = open(folder.path()).unwrap();
    check_hooks(&store, hooks);
    let stage = Stage::over(store, TestClock::new(), None);
    let pinned = stage.find(1).await.pin.unwrap();
    assert_eq!(*pinned, pin());
}

/// A database whose first rows are those of another one, as a rotation leaves it half way.
fn mixed(old: &Path, new: &Path, into: &Path, rows: u64, names_new: bool) {
    fs::copy(old, into).unwrap();
    let source = Database::create(new).unwrap();
    let from = source.begin_write().unwrap();
    let database = Database::create(into).unwrap();
    let txn = database.begin_write().unwrap();
    for table in [HOOK_ROWS, PIN_ROWS] {
        // Pins come after all hooks.
        let rows = if table.to_string() == PIN_ROWS.to_string() {
            rows.saturating_sub(HOOKS)
        } else {
            rows
        };
        let from = from.open_table(table).unwrap();
        let mut into = txn.open_table(table).unwrap();
        for row in from.range(..=rows).unwrap() {
            let (key, bytes) = row.unwrap();
            into.insert(key.value(), bytes.value()).unwrap();
        }
    }
    if names_new {
        let from = from.open_table(META).unwrap();
        let id = from.get("key").unwrap().unwrap().value().to_vec();
        txn.open_table(META).unwrap().insert("key", &*id).unwrap();
    }
    txn.commit().unwrap();
}

/// Opens it, and waits until the exchange that was cut off is done.
async fn goes_on(folder: &Path, key: &[u8]) {
    let store = open(folder).unwrap();
    check_hooks(&store, HOOKS);
    while store.keys().await.unwrap().len() > 1 {}
    assert_eq!(key_bytes(folder), key);
    let keys = store.keys().await.unwrap();
    assert_eq!((only(&keys).hooks, only(&keys).pins), (HOOKS, HOOKS));
    store.close().await.unwrap();
    check_hooks(&open(folder).unwrap(), HOOKS);
}

#[tokio::test]
async fn whatever_an_exchange_was_cut_off_at_the_next_start_goes_on() {
    let (folder, store, _stage) = filled(HOOKS).await;
    let path = folder.path().join("whisperer.redb");
    let work = tempfile::tempdir().unwrap();
    let (old, new) = (work.path().join("old"), work.path().join("new"));
    let old_key = key_bytes(folder.path());
    fs::copy(&path, &old).unwrap();
    store.rotate_key().await.unwrap();
    let new_key = key_bytes(folder.path());
    store.close().await.unwrap();
    fs::copy(&path, &new).unwrap();

    let both = [&*new_key, &*old_key].concat();
    // Step 1 is done, and nothing else; then steps of two and three; all rows; step 4 is left.
    for (rows, names_new) in [
        (0, false),
        (200, true),
        (HOOKS, true),
        (HOOKS + 200, true),
        (2 * HOOKS, true),
    ] {
        let cut_off = tempfile::tempdir().unwrap();
        let path = cut_off.path().join("whisperer.redb");
        mixed(&old, &new, &path, rows, names_new);
        put_key(cut_off.path(), &both);
        goes_on(cut_off.path(), &new_key).await;
    }
    // Before step 1: what was to become the key file is thrown away.
    let cut_off = tempfile::tempdir().unwrap();
    fs::copy(&old, cut_off.path().join("whisperer.redb")).unwrap();
    put_key(cut_off.path(), &old_key);
    fs::write(cut_off.path().join(LEFTOVER), &both).unwrap();
    goes_on(cut_off.path(), &old_key).await;
    assert!(!cut_off.path().join(LEFTOVER).exists(), "keys lie in it");
    // Without the key that half of the rows need, it is refused and not served half.
    for lacking in [&old_key, &vec![0; 32]] {
        let cut_off = tempfile::tempdir().unwrap();
        mixed(
            &old,
            &new,
            &cut_off.path().join("whisperer.redb"),
            200,
            true,
        );
        put_key(cut_off.path(), lacking);
        let error = open(cut_off.path()).err().unwrap();
        assert!(matches!(error, StoreError::KeyWrong { .. }), "{error}");
    }
}

#[tokio::test]
async fn rows_that_were_swapped_do_not_open_and_keep_their_key() {
    let (folder, store, _stage) = filled(3).await;
    store.close().await.unwrap();
    let swap = || {
        let database = Database::create(folder.path().join("whisperer.redb")).unwrap();
        let txn = database.begin_write().unwrap();
        for table in [HOOK_ROWS, PIN_ROWS] {
            let mut table = txn.open_table(table).unwrap();
            let [one, two] = [1, 2].map(|id| table.get(id).unwrap().unwrap().value().to_vec());
            table.insert(1, &*two).unwrap();
            table.insert(2, &*one).unwrap();
        }
        txn.commit().unwrap();
    };
    let unreadable = |store: &RedbStore| {
        let snapshot = store.snapshot();
        let hooks = snapshot.hooks.values();
        let ids = hooks.filter(|hook| hook.secrets_unreadable);
        ids.map(|hook| hook.id).collect::<Vec<_>>()
    };
    swap();
    let store = open(folder.path()).unwrap();
    assert_eq!(unreadable(&store), [HookId(1), HookId(2)]);
    let third = store.snapshot().hooks[&HookId(3)].clone();
    assert_eq!(*third.secret_key.as_ref().unwrap().expose(), *SECRETS[0]);

    // What does not open is not lost by an exchange either.
    let rotated = store.rotate_key().await.unwrap();
    assert_eq!((rotated.resealed, rotated.left), (2, 4));
    assert_eq!(key_bytes(folder.path()).len(), 64);
    store.close().await.unwrap();
    swap();
    let store = open(folder.path()).unwrap();
    assert!(unreadable(&store).is_empty());
    while store.keys().await.unwrap().len() > 1 {}
    let keys = store.keys().await.unwrap();
    assert_eq!((only(&keys).hooks, only(&keys).pins), (3, 3));
}

#[tokio::test]
async fn a_key_file_that_cannot_be_written_changes_nothing() {
    let (folder, store, stage) = filled(3).await;
    let key = key_bytes(folder.path());
    // A folder in the way of the rename: root may write anywhere, but not this.
    let key_file = folder.path().join("whisperer.key");
    fs::remove_file(&key_file).unwrap();
    fs::create_dir_all(key_file.join("in the way")).unwrap();
    let refused = store.rotate_key().await.unwrap_err();
    let why = refused.source().unwrap().to_string();
    assert!(why.contains("whisperer.key"), "{why}");
    stage.post("e2").await;
    store.close().await.unwrap();
    fs::remove_dir_all(&key_file).unwrap();
    put_key(folder.path(), &key);
    check_hooks(&open(folder.path()).unwrap(), 3);
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 2, "no temporary file is left");
}

#[tokio::test]
async fn no_plugins_credential_lies_in_the_file_in_clear() {
    let (folder, store, _stage) = filled(3).await;
    store.close().await.unwrap();
    let bytes = fs::read(folder.path().join("whisperer.redb")).unwrap();
    let holds = |text: &str| {
        let mut parts = bytes.windows(text.len());
        parts.any(|part| part == text.as_bytes())
    };
    assert!(holds("https://h1.example/"), "the look itself works");
    assert!(!holds(PLUGINS_OWN) && !holds("what the chain made"));
}
