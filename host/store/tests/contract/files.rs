//! Files: which are opened, which are refused and left alone, and what damage does.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use redb::{Database, ReadableTable, TableDefinition};
use whisperer_domain::catalog::CatalogChange;
use whisperer_domain::event_type::{EventType, EventTypeInfo, OMS_CATALOGUE};
use whisperer_domain::hook::Ordered;
use whisperer_domain::id::Sequence;
use whisperer_domain::news::NEWS_TYPES;
use whisperer_domain::port::{Directive, Retention, Scope, Selection, StoreDown};
use whisperer_store::{RedbStore, StoreError};

use crate::stage::{Stage, TestClock, config, everything};

fn open(folder: &Path) -> Result<std::sync::Arc<RedbStore>, StoreError> {
    RedbStore::open(config(folder), TestClock::new())
}

fn error_of(folder: &Path) -> StoreError {
    match open(folder) {
        Ok(_) => panic!("it must be refused"),
        Err(error) => error,
    }
}

/// The file is refused, by a message that names it, and is as it was.
fn refused(folder: &Path) -> StoreError {
    let path = folder.join("whisperer.redb");
    let before = fs::read(&path).unwrap();
    let error = error_of(folder);
    assert!(error.to_string().contains("whisperer.redb"), "{error}");
    assert!(fs::read(&path).unwrap() == before, "{error}");
    error
}

fn change(path: &Path, table: TableDefinition<'_, &str, &[u8]>, key: &str, value: &[u8]) {
    let database = Database::create(path).unwrap();
    let txn = database.begin_write().unwrap();
    txn.open_table(table).unwrap().insert(key, value).unwrap();
    txn.commit().unwrap();
}

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

#[test]
fn an_empty_file_is_made_a_database_and_nothing_else_is_left() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("whisperer.redb"), "").unwrap();
    drop(open(folder.path()).unwrap());
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["whisperer.key", "whisperer.redb"]);
}

#[cfg(unix)]
#[test]
fn the_database_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let file = fs::metadata(folder.path().join("whisperer.redb")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_is_not_ours_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whisperer.redb");
    for bytes in [&b"#!/bin/sh"[..], &[0; 8192], b"r", b"SQLite format 3\0"] {
        fs::write(&path, bytes).unwrap();
        let error = refused(folder.path());
        assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    }
    fs::remove_file(&path).unwrap();
    change(&path, TableDefinition::new("other"), "k", b"v");
    let error = refused(folder.path());
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    change(&path, META, "what", b"v");
    let error = refused(folder.path());
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = error_of(folder.path());
    assert!(matches!(error, StoreError::Folder { .. }), "{error}");
}

#[tokio::test]
async fn a_truncated_file_is_refused_and_left_alone() {
    let stage = Stage::redb();
    for post in 0..50 {
        stage.post(&format!("e{post}")).await;
    }
    let Stage {
        ledger,
        catalog,
        folder,
        ..
    } = stage;
    drop((ledger, catalog));
    let folder = folder.unwrap();
    let path = folder.path().join("whisperer.redb");
    let whole = fs::read(&path).unwrap();
    for kept in [4, 9, 64, 511, 4096, 4097, 65_536, whole.len() - 4096] {
        fs::write(&path, &whole[..kept]).unwrap();
        refused(folder.path());
    }
    fs::write(&path, &whole).unwrap();
    open(folder.path()).unwrap();
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    set_schema(&folder.path().join("whisperer.redb"), 5);
    let error = refused(folder.path());
    assert!(
        matches!(error, StoreError::Newer { found: 5, .. }),
        "{error}"
    );
}

/// Version byte, checksum, and the number as postcard writes it.
fn set_schema(path: &Path, schema: u8) {
    let mut record = vec![1];
    record.extend_from_slice(&crc32fast::hash(&[schema]).to_le_bytes());
    record.push(schema);
    change(path, META, "schema", &record);
}

/// Takes from a file what the third format added.
fn without_the_third(path: &Path) {
    let database = Database::open(path).unwrap();
    let txn = database.begin_write().unwrap();
    let lanes = TableDefinition::<u64, &[u8]>::new("lanes");
    assert!(txn.delete_table(lanes).unwrap());
    let types = TableDefinition::<&str, &[u8]>::new("event_types");
    let mut types = txn.open_table(types).unwrap();
    for name in NEWS_TYPES {
        assert!(types.remove(name).unwrap().is_some());
    }
    drop(types);
    txn.commit().unwrap();
}

/// Takes from a file what the second format added: tables, and the tails that tie an event to its
/// deliveries.
fn without_the_second(path: &Path) {
    let database = Database::open(path).unwrap();
    let txn = database.begin_write().unwrap();
    for name in ["event_filters", "directives"] {
        let table = TableDefinition::<u64, &[u8]>::new(name);
        assert!(txn.delete_table(table).unwrap());
    }
    let replays = TableDefinition::<(u64, u64), ()>::new("replays");
    assert!(txn.delete_table(replays).unwrap());
    let mut names = txn
        .open_table(TableDefinition::<&str, &[u8]>::new("event_ids"))
        .unwrap();
    for id in ["e1", "e2", "e3"] {
        let whole = names.get(id).unwrap().unwrap().value().to_vec();
        let body = &whole[5..whole.len() - 8];
        let mut record = vec![1];
        record.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
        record.extend_from_slice(body);
        names.insert(id, &*record).unwrap();
    }
    drop(names);
    txn.commit().unwrap();
}

#[tokio::test]
async fn an_older_file_is_brought_up_to_date_and_finds_what_it_holds() {
    for schema in [1, 2, 3] {
        let stage = Stage::redb();
        stage.hook("ann", "https://a.example/", "*").await;
        stage.hook("ann", "https://b.example/", "*").await;
        for id in ["e1", "e2", "e3"] {
            stage.post(id).await;
        }
        // Somebody's own, by chance of a name that is built in now.
        let [failing, ..] = NEWS_TYPES.map(|name| EventType::parse(name).unwrap());
        let info = EventTypeInfo {
            description: "their own".to_owned(),
            ..EventTypeInfo::default()
        };
        let own = CatalogChange::PutEventType(failing.clone(), info.clone());
        let Stage {
            ledger,
            catalog,
            clock,
            folder,
        } = stage;
        drop((ledger, catalog));
        let folder = folder.unwrap();
        let path = folder.path().join("whisperer.redb");
        if schema < 3 {
            without_the_third(&path);
        }
        if schema == 1 {
            without_the_second(&path);
        }
        set_schema(&path, schema);
        let open = || {
            let store = RedbStore::open(config(folder.path()), clock.clone()).unwrap();
            Stage::over(store, clock.clone(), None)
        };
        let stage = open();
        let types = stage.catalog.snapshot().event_types.clone();
        assert_eq!(types.len(), OMS_CATALOGUE.len() + NEWS_TYPES.len());
        assert_eq!(stage.deliveries_of("e2").await, [4, 3]);
        assert!(stage.post("e1").await.replayed, "its id is known");
        stage.replay("e2").await;
        assert_eq!(stage.deliveries_of("e2").await, [8, 7, 4, 3]);
        goes_with_all_it_has(&stage).await;

        stage.catalog.change(own).await.unwrap();
        drop(stage);
        set_schema(&path, 2);
        let kept = open().catalog.snapshot().event_types[&failing].clone();
        assert_eq!(*kept, info, "it is not written over");
    }
}

/// It is whole, what lies in it was counted, and retention finds what belongs to each event.
async fn goes_with_all_it_has(stage: &Stage) {
    let checked = stage.ledger.check(9, Arc::new(|_| true)).await.unwrap();
    assert_eq!(checked.found, 0, "{:#?}", checked.findings);
    let cancel = Directive::Cancel(Selection::default());
    stage.direct(cancel).await.unwrap();
    stage.clock.advance(Duration::from_secs(2));
    let retention = Retention {
        age: Some(Duration::from_secs(1)),
        bytes: None,
    };
    assert_eq!(stage.sweep(retention, 1000).await.events, 3);
    assert!(
        stage
            .ledger
            .page(everything())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert_eq!(stage.ledger.stock().live_bytes, 0, "nothing is left behind");
}

#[test]
fn a_database_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let error = error_of(folder.path());
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    drop(store);
    open(folder.path()).unwrap();
}

#[test]
fn the_key_file_is_private_and_must_be_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let key_file = folder.path().join("whisperer.key");
    let key = fs::read(&key_file).unwrap();
    assert_eq!(key.len(), 32);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&key_file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    fs::write(&key_file, [0; 32]).unwrap();
    let error = refused(folder.path());
    assert!(matches!(error, StoreError::KeyWrong { .. }), "{error}");
    assert!(error.to_string().contains("whisperer.key"), "{error}");
    fs::write(&key_file, &key[..31]).unwrap();
    let error = error_of(folder.path());
    assert!(
        matches!(error, StoreError::KeyMalformed { bytes: 31, .. }),
        "{error}"
    );
    fs::remove_file(&key_file).unwrap();
    let error = refused(folder.path());
    assert!(matches!(error, StoreError::KeyMissing { .. }), "{error}");
    assert!(!key_file.exists(), "and none was made");

    fs::write(&key_file, &key).unwrap();
    open(folder.path()).unwrap();
}

#[tokio::test]
async fn a_damaged_record_is_named_and_stops_nobody_else() {
    let stage = Stage::redb();
    let first = stage.hook("ann", "https://a.example/", "*").await;
    let second = stage.hook("ann", "https://b.example/", "package.*").await;
    stage.post("e1").await;
    stage.post("e2").await;
    let Stage {
        ledger,
        catalog,
        clock,
        folder,
    } = stage;
    drop((ledger, catalog));
    let folder = folder.unwrap();
    {
        let deliveries = TableDefinition::<u64, &[u8]>::new("deliveries");
        let database = Database::open(folder.path().join("whisperer.redb")).unwrap();
        let txn = database.begin_write().unwrap();
        let mut table = txn.open_table(deliveries).unwrap();
        let mut record = table.get(1).unwrap().unwrap().value().to_vec();
        *record.last_mut().unwrap() ^= 0x10;
        table.insert(1, &*record).unwrap();
        drop(table);
        txn.commit().unwrap();
    }
    let store = RedbStore::open(config(folder.path()), clock.clone()).unwrap();
    let stage = Stage::over(store, clock, Some(folder));

    let damaged = stage.ledger.find(Sequence(1), Scope::All).await;
    let text = format!("{damaged:?}");
    assert!(matches!(damaged, Err(StoreDown::Damaged(_))), "{text}");
    assert!(text.contains("deliveries[1]"), "{text}");
    let lane = stage.lease(second.id).await;
    assert_eq!(stage.due(lane).await, [2, 4]);
    let lane = stage.lease(first.id).await;
    assert_eq!(stage.due(lane).await, [3], "its own lane goes on too");
    let alone = stage
        .ledger
        .take(
            lane,
            stage.clock_now(),
            vec![Sequence(3)],
            crate::stage::WIDE,
            Ordered::No,
        )
        .await;
    assert!(matches!(alone, Err(StoreDown::Damaged(_))), "{alone:?}");
    let page = stage.ledger.page(everything()).await.unwrap();
    assert_eq!(page.items.len(), 3);
}

#[tokio::test]
async fn damaged_health_is_taken_for_none_and_stops_no_lane() {
    let folder = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let open = || {
        let store = RedbStore::open(config(folder.path()), clock.clone()).unwrap();
        Stage::over(store, clock.clone(), None)
    };
    let stage = open();
    let hook = stage.hook("ann", "https://a.example/", "*").await.id;
    drop(stage);
    {
        let lanes = TableDefinition::<u64, &[u8]>::new("lanes");
        let database = Database::open(folder.path().join("whisperer.redb")).unwrap();
        let txn = database.begin_write().unwrap();
        let mut table = txn.open_table(lanes).unwrap();
        table.insert(hook.0, b"\x01nonsense".as_slice()).unwrap();
        drop(table);
        txn.commit().unwrap();
    }
    let stage = open();
    let acquired = stage.ledger.acquire(None, 9).await.unwrap();
    assert_eq!(acquired.len(), 1);
    assert!(acquired[0].health.is_default());
    let lanes = stage.ledger.lanes(vec![hook], 9).await.unwrap();
    assert!(lanes[0].health.is_default());
}

#[test]
fn a_damaged_directive_does_not_keep_the_store_shut() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    {
        let directives = TableDefinition::<u64, &[u8]>::new("directives");
        let database = Database::open(folder.path().join("whisperer.redb")).unwrap();
        let txn = database.begin_write().unwrap();
        let mut table = txn.open_table(directives).unwrap();
        table.insert(0, b"\x01nonsense".as_slice()).unwrap();
        drop(table);
        txn.commit().unwrap();
    }
    open(folder.path()).unwrap();
}
