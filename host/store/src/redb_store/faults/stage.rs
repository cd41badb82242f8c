//! A store over a disk of the tests, and short words for what is posted to it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redb::Builder;
use whisperer_domain::event::NewEvent;
use whisperer_domain::event_type::{EventPattern, EventType};
use whisperer_domain::hook::Hook;
use whisperer_domain::id::{EventId, Owner};
use whisperer_domain::port::{BoxFuture, Clock, StoreHealth};
use whisperer_domain::schedule::RetryConfig;
use whisperer_domain::target_url::TargetUrl;
use whisperer_domain::time::Timestamp;

use super::Medium;
use super::disk::Disk;
use crate::config::StoreConfig;
use crate::error::StoreError;
use crate::redb_store::opener::Opener;
use crate::redb_store::seal::Seal;
use crate::redb_store::{RedbStore, key, prepare};

/// A clock that goes when it is told to.
pub(in crate::redb_store) struct Hand(AtomicU64);

impl Hand {
    pub(in crate::redb_store) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(1_764_000_000_000)))
    }

    pub(super) fn advance(&self, by: Duration) {
        self.set(self.now().after(by));
    }

    pub(super) fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    fn sleep(&self, _wait: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// A database without content, as the first start leaves it, and its key.
struct Blank {
    image: Vec<u8>,
    keys: Seal,
}

static BLANK: LazyLock<Blank> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig::new(folder.path().join("db"), folder.path().join("key"));
    prepare(&config, &Opener::new(&config)).unwrap();
    Blank {
        image: std::fs::read(&config.path).unwrap(),
        keys: Seal::of(key::read(&config.key_file).unwrap().unwrap()).unwrap(),
    }
});

impl Disk {
    /// One with a database that has no content yet.
    pub(in crate::redb_store) fn blank() -> Arc<Self> {
        Self::with(BLANK.image.clone())
    }
}

/// The files that it names are not there: everything lies on the disk of the test.
pub(in crate::redb_store) fn config() -> StoreConfig {
    StoreConfig {
        cache_bytes: 1 << 20,
        ..StoreConfig::new("/nowhere/db", "/nowhere/key")
    }
}

pub(in crate::redb_store) fn open(
    disk: &Arc<Disk>,
    config: &StoreConfig,
    clock: Arc<dyn Clock>,
) -> Result<Arc<RedbStore>, StoreError> {
    let mut opener = Opener::new(config);
    opener.medium = Some(Arc::new(Arc::clone(disk)));
    RedbStore::start(config, clock, opener, BLANK.keys.clone())
}

/// What a start does before it has a file repaired quickly: every page is looked at, and whatever
/// is written meanwhile is forgotten.
pub(super) fn verify(image: &[u8]) -> Result<(), String> {
    let mut builder = Builder::new();
    builder.set_check_integrity_on_open(true);
    let disk = Disk::with(image.to_vec());
    let checked = catch_unwind(AssertUnwindSafe(|| disk.open(&builder).map(drop)));
    match checked {
        Ok(checked) => checked.map_err(|error| error.to_string()),
        Err(_panic) => Err("redb broke off over it".to_owned()),
    }
}

pub(in crate::redb_store) fn hook(target: &str, pattern: EventPattern) -> Hook {
    Hook {
        retry: RetryConfig::Fixed { seconds: 5 },
        max_age: Duration::from_secs(3600),
        ..Hook::new(
            Owner::parse("ann").unwrap(),
            TargetUrl::parse(target).unwrap(),
            pattern,
        )
    }
}

pub(in crate::redb_store) fn event(id: &str) -> NewEvent {
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

/// Asks as long as it takes: a store that never comes back hangs the test.
pub(in crate::redb_store) async fn ready(store: &RedbStore) {
    while store.shared.health() != StoreHealth::Ready {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}
