//! A check names what is wrong, whatever it is: each kind of record and of reference is damaged by
//! hand.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use redb::{Database, ReadableTable, TableDefinition, WriteTransaction};
use tempfile::TempDir;
use whisperer_domain::access::{Right, Rights};
use whisperer_domain::catalog::{CatalogChange, Token};
use whisperer_domain::delivery::Pin;
use whisperer_domain::envelope::Envelope;
use whisperer_domain::event::{IdempotencyKey, NewEvent};
use whisperer_domain::health::{Breaker, Health};
use whisperer_domain::hook::{Hook, Ordered};
use whisperer_domain::id::Owner;
use whisperer_domain::plugin::{Membership, PluginName};
use whisperer_domain::port::{Checked, Settlement, UpkeepError, Verdict};
use whisperer_domain::secret::Secret;
use whisperer_store::{StoreConfig, StoreError, check_file};

use crate::stage::{START, Stage, attempt, config, event, hook, settlement};

type Rows<K> = TableDefinition<'static, K, &'static [u8]>;
type Index<K> = TableDefinition<'static, K, ()>;

const EVENTS: Rows<u64> = TableDefinition::new("events");
const EVENT_IDS: Rows<&str> = TableDefinition::new("event_ids");
const IDEMPOTENCY: Rows<(&str, &str)> = TableDefinition::new("idempotency");
const IDEMPOTENCY_AGE: Index<(u64, &str, &str)> = TableDefinition::new("idempotency_age");
const DELIVERIES: Rows<u64> = TableDefinition::new("deliveries");
const PENDING: Index<(u64, u64, u64)> = TableDefinition::new("pending");
const HISTORY: Index<(u64, u64)> = TableDefinition::new("history");
const PINS: Rows<u64> = TableDefinition::new("pins");
const ATTEMPTS: Rows<(u64, u32)> = TableDefinition::new("attempts");
const HOOKS: Rows<u64> = TableDefinition::new("hooks");
const TOMBSTONES: Rows<u64> = TableDefinition::new("tombstones");
const REPLAYS: Index<(u64, u64)> = TableDefinition::new("replays");
const EVENT_FILTERS: Rows<u64> = TableDefinition::new("event_filters");
const DIRECTIVES: Rows<u64> = TableDefinition::new("directives");
const CANCELLATIONS: Rows<(u64, u64)> = TableDefinition::new("cancellations");
const LANES: Rows<u64> = TableDefinition::new("lanes");
const EVENT_TYPES: Rows<&str> = TableDefinition::new("event_types");
const TOKENS: Rows<&[u8]> = TableDefinition::new("tokens");
const PLUGINS: Rows<&str> = TableDefinition::new("plugins");
const AUDIT: Rows<u64> = TableDefinition::new("audit");
const META: Rows<&str> = TableDefinition::new("meta");

/// A closed store with a bit of everything. Deliveries 1, 3 and 5 are of hook 1, which is ordered;
/// 2 and 4 of hook 2, which is gone; 6 is a replay of `e1`.
async fn full() -> TempDir {
    let stage = Stage::redb();
    let first = Hook {
        ordered: Ordered::Hook,
        secret_key: Some(Secret::new("secret".to_owned())),
        ..hook("ann", "https://a.example/", "*")
    };
    let first = stage.create(first).await;
    let second = stage.hook("bob", "https://b.example/", "*").await;
    let plugin = Membership {
        name: PluginName::parse("redact").unwrap(),
        enabled: true,
        patterns: Vec::new(),
        digest: None,
        config_schema: None,
    };
    let token = Token {
        hash: [1; 32],
        owner: Owner::parse("ann").unwrap(),
        rights: Rights::from_iter([Right::Admin]),
        created_at: START,
    };
    let note = whisperer_domain::access::Note::of_disabling("for the audit");
    stage
        .catalog
        .change(CatalogChange::PutPlugin(plugin))
        .await
        .unwrap();
    let noted = stage
        .catalog
        .change_noted(CatalogChange::PutToken(token), note);
    noted.await.unwrap();
    let posted = NewEvent {
        config_filter: Some("{}".to_owned()),
        idempotency: Some(IdempotencyKey {
            owner: Owner::parse("ann").unwrap(),
            key: "k".to_owned(),
        }),
        ..event("e1", "package.created")
    };
    stage.accept(posted).await.unwrap();
    stage.clock.advance(Duration::from_millis(5));
    stage.post("e2").await;
    let lease = stage.lease(first.id).await;
    let breaker = Breaker::Closed {
        strikes: 2,
        last: None,
    };
    let failed = Settlement {
        attempt: Some(attempt(1, 500)),
        pin: Some(Pin::Unchanged {
            envelope: Envelope::Whisperer,
            digests: Vec::new(),
        }),
        health: Some(Health {
            breaker,
            ..Health::default()
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
    stage.post("e3").await;
    stage.replay("e1").await;
    stage.folder.unwrap()
}

fn checked(folder: &Path, deep: bool) -> Result<Checked, StoreError> {
    check_file(&config(folder), deep, 50, &(Arc::new(|_| true) as _))
}

/// A copy of the whole store with something done to it.
fn damaged(whole: &Path, damage: impl FnOnce(&WriteTransaction)) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["whisperer.redb", "whisperer.key"] {
        std::fs::copy(whole.join(name), folder.path().join(name)).unwrap();
    }
    let database = Database::open(folder.path().join("whisperer.redb")).unwrap();
    let txn = database.begin_write().unwrap();
    damage(&txn);
    txn.commit().unwrap();
    database.close().unwrap();
    folder
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut record = vec![1];
    record.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
    record.extend_from_slice(body);
    record
}

/// Damages the value under a key by one bit.
macro_rules! flip {
    ($table:expr, $key:expr) => {
        Box::new(move |txn: &WriteTransaction| {
            let mut table = txn.open_table($table).unwrap();
            let found = table.get($key).unwrap().expect("it is there");
            let mut record = found.value().to_vec();
            drop(found);
            *record.last_mut().unwrap() ^= 0x10;
            table.insert($key, &*record).unwrap();
        })
    };
}
macro_rules! take {
    ($table:expr, $key:expr) => {
        Box::new(move |txn: &WriteTransaction| {
            let mut table = txn.open_table($table).unwrap();
            assert!(table.remove($key).unwrap().is_some(), "it is there");
        })
    };
}
macro_rules! put {
    ($table:expr, $key:expr, $value:expr) => {
        Box::new(move |txn: &WriteTransaction| {
            let mut table = txn.open_table($table).unwrap();
            table.insert($key, $value).unwrap();
        })
    };
}
/// Puts the record of one key under another one.
macro_rules! again {
    ($table:expr, $from:expr, $to:expr) => {
        Box::new(move |txn: &WriteTransaction| {
            let mut table = txn.open_table($table).unwrap();
            let found = table.get($from).unwrap().expect("it is there");
            let record = found.value().to_vec();
            drop(found);
            table.insert($to, &*record).unwrap();
        })
    };
}

type Damage = Box<dyn FnOnce(&WriteTransaction)>;

/// What is done, and how the lines that tell of it begin: table, key, and what.
fn cases() -> Vec<(Damage, &'static [&'static str])> {
    let later = START.0 + 5;
    vec![
        (flip!(EVENTS, 1), &["events[1] does not match its checksum"]),
        (flip!(EVENT_IDS, "e1"), &["event_ids[e1] does not match"]),
        (
            flip!(EVENT_FILTERS, 1),
            &["event_filters[1] does not match"],
        ),
        (
            flip!(IDEMPOTENCY, ("ann", "k")),
            &["idempotency[ann, k] does not match"],
        ),
        (flip!(DELIVERIES, 1), &["deliveries[1] does not match"]),
        (flip!(ATTEMPTS, (1, 1)), &["attempts[1, 1] does not match"]),
        (flip!(PINS, 1), &["pins[1] does not match"]),
        (flip!(HOOKS, 1), &["hooks[1] does not match"]),
        (flip!(TOMBSTONES, 2), &["tombstones[2] does not match"]),
        (flip!(LANES, 1), &["lanes[1] does not match"]),
        (
            flip!(EVENT_TYPES, "package.created"),
            &["event_types[package.created] does not"],
        ),
        (
            flip!(TOKENS, &[1_u8; 32][..]),
            &["tokens[?] does not match"],
        ),
        (
            flip!(PLUGINS, "redact"),
            &["plugins[redact] does not match"],
        ),
        (flip!(AUDIT, 1), &["audit[1] does not match"]),
        (flip!(META, "counters"), &["meta[counters] does not match"]),
        (
            put!(DIRECTIVES, 0, &b"\x01nonsense"[..]),
            &["directives[0] does not match"],
        ),
        (
            put!(CANCELLATIONS, (1, 1), &b"\x01non"[..]),
            &["cancellations[1, 1] is too short"],
        ),
        (
            take!(EVENTS, 2),
            &[
                "events[*] 2 are there and 0 were given up, of 3",
                "event_ids[e2] leads to no event",
                "deliveries[3] belongs to event 2, which is not there",
                "meta[counters] says",
            ],
        ),
        (
            take!(EVENT_IDS, "e2"),
            &["events[2] is not what its id e2 leads to"],
        ),
        (
            again!(EVENT_IDS, "e1", "e2"),
            &["events[2] is not what its id e2 leads to"],
        ),
        (
            again!(EVENT_IDS, "e1", "e9"),
            &["event_ids[e9] leads to no event of this id"],
        ),
        (
            again!(EVENTS, 1, 9),
            &["events[9] has a number that was never given"],
        ),
        (
            again!(EVENTS, 2, 1),
            &["events[1] is not what its id e2 leads to"],
        ),
        (
            again!(EVENT_FILTERS, 1, 9),
            &["event_filters[9] belongs to no event"],
        ),
        (take!(IDEMPOTENCY, ("ann", "k")), &["idempotency_age["]),
        (
            take!(IDEMPOTENCY_AGE, (START.0, "ann", "k")),
            &["idempotency[ann, k] will never be"],
        ),
        (
            take!(DELIVERIES, 1),
            &[
                "pending[1, 1, 1] is not where a delivery stands",
                "history[1, 1] names no delivery",
                "attempts[1] belong to no delivery",
                "pins[1] belongs to no delivery",
            ],
        ),
        (
            again!(DELIVERIES, 3, 9),
            &["deliveries[9] has a number that was never given"],
        ),
        (
            again!(DELIVERIES, 2, 1),
            &["deliveries[1] is not in the history of hook 2"],
        ),
        (
            take!(PENDING, (1, 3, 3)),
            &["deliveries[3] is pending, but not in the lane of hook 1"],
        ),
        (
            put!(PENDING, (1, later, 3), ()),
            &["pending[1, 1764000000005, 3] is not where"],
        ),
        (
            put!(PENDING, (1, 4, 4), ()),
            &["pending[1, 4, 4] is not where a delivery stands"],
        ),
        (
            take!(HISTORY, (1, 1)),
            &["deliveries[1] is not in the history of hook 1"],
        ),
        (
            put!(HISTORY, (1, 4), ()),
            &["history[1, 4] names no delivery of this hook"],
        ),
        (
            take!(ATTEMPTS, (1, 1)),
            &["deliveries[1] lacks the last of its 1 attempts"],
        ),
        (
            again!(ATTEMPTS, (1, 1), (1, 2)),
            &["attempts[1] 2 are there, the delivery says 1"],
        ),
        (
            again!(ATTEMPTS, (1, 1), (9, 1)),
            &["attempts[9] belong to no delivery"],
        ),
        (again!(PINS, 1, 9), &["pins[9] belongs to no delivery"]),
        (
            take!(REPLAYS, (1, 6)),
            &["deliveries[6] is not among the deliveries of its event 1"],
        ),
        (
            put!(REPLAYS, (2, 6), ()),
            &["replays[2, 6] names no delivery of this event"],
        ),
        (
            take!(TOMBSTONES, 2),
            &["deliveries[2] is for hook 2, of which nothing is left"],
        ),
        (
            again!(TOMBSTONES, 2, 1),
            &["tombstones[1] is of a hook that is there"],
        ),
        (
            again!(HOOKS, 1, 9),
            &["hooks[9] has a number that was never given"],
        ),
        (
            again!(HOOKS, 1, 2),
            &["hooks[2] has secrets that do not open"],
        ),
        (again!(LANES, 1, 9), &["lanes[9] belongs to no hook"]),
        (put!(EVENT_TYPES, "Ä", &*framed(b"")), &["event_types[Ä]"]),
        (
            put!(TOKENS, &b"short"[..], &*framed(b"")),
            &["tokens[?] has a key of another length"],
        ),
        (
            put!(EVENT_IDS, "", &*framed(b"")),
            &["event_ids[] is no id"],
        ),
    ]
}

#[tokio::test]
async fn each_kind_of_damage_is_named_with_its_place_and_the_way_out() {
    let whole = full().await;
    let sound = checked(whole.path(), false).unwrap();
    assert_eq!(sound.found, 0, "{:#?}", sound.findings);
    assert!(sound.rows >= 50 && sound.bytes > 1000, "{sound:?}");
    for (number, (damage, expected)) in cases().into_iter().enumerate() {
        let folder = damaged(whole.path(), damage);
        let found = checked(folder.path(), false).unwrap();
        assert!(found.found > 0, "case {number} is not seen");
        assert_eq!(found.found, found.findings.len() as u64);
        let lines: Vec<String> = found.findings.iter().map(ToString::to_string).collect();
        for begin in expected {
            let is_told = lines.iter().any(|line| line.starts_with(begin));
            assert!(is_told, "case {number}, {begin}: {lines:#?}");
        }
        // One line each, with a meaning.
        for line in &lines {
            assert!(!line.contains('\n') && line.contains(": "), "{line}");
        }
    }
}

#[tokio::test]
async fn findings_are_counted_beyond_what_is_listed() {
    let whole = full().await;
    let folder = damaged(whole.path(), |txn| {
        txn.delete_table(HISTORY).unwrap();
    });
    let few = check_file(&config(folder.path()), false, 2, &(Arc::new(|_| true) as _)).unwrap();
    assert_eq!((few.findings.len(), few.found), (2, 6));
}

#[tokio::test]
async fn a_look_changes_nothing_and_can_be_stopped() {
    let whole = full().await;
    let path = whole.path().join("whisperer.redb");
    let before = std::fs::read(&path).unwrap();
    checked(whole.path(), false).unwrap();
    assert!(std::fs::read(&path).unwrap() == before);
    // redb's own check sees a page that nothing of ours reads.
    assert_eq!(checked(whole.path(), true).unwrap().found, 0);

    // Without the key, all but whether secrets open.
    std::fs::remove_file(whole.path().join("whisperer.key")).unwrap();
    assert_eq!(checked(whole.path(), false).unwrap().found, 0);
    let nothing = StoreConfig::new(whole.path().join("none"), whole.path().join("key"));
    let error = check_file(&nothing, false, 9, &(Arc::new(|_| true) as _)).unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
}

#[tokio::test]
async fn a_check_of_a_running_store_can_be_stopped() {
    let stage = Stage::redb();
    stage.hook("ann", "https://a.example/", "*").await;
    for number in 0..400 {
        stage.post(&format!("e{number}")).await;
    }
    let stopped = stage.ledger.check(9, Arc::new(|_| false)).await;
    assert!(matches!(stopped, Err(UpkeepError::Stopped)), "{stopped:?}");
    let checked = stage.ledger.check(9, Arc::new(|_| true)).await.unwrap();
    assert_eq!(checked.found, 0, "{:#?}", checked.findings);
}
