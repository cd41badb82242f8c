//! What the writer and everybody else look at together.
//!
//! The open database stands behind a lock that is held only to begin a transaction, never
//! during one: so the writer can take it away to open it anew, and reads that are under way end
//! with an error instead of keeping the file locked.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use arc_swap::ArcSwap;
use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::port::{FeedItem, FeedSink, StoreDown, StoreHealth};
use whisperer_domain::time::Timestamp;

use super::fault::Fault;
use super::long_reads::LongReads;
use super::seal::{KeyId, Seal};
use super::space::Seen;
use super::state::State;
use crate::watches::Watches;

pub(super) struct Shared {
    database: RwLock<Option<Database>>,
    /// Every key that this process knows of. Exchanged by the writer alone.
    pub(super) seal: ArcSwap<Seal>,
    /// Those that stand in the key file.
    pub(super) keys: ArcSwap<Vec<KeyId>>,
    pub(super) catalog: ArcSwap<CatalogSnapshot>,
    health: ArcSwap<StoreHealth>,
    sink: Mutex<Option<Arc<dyn FeedSink>>>,
    pub(super) watches: Arc<Watches>,
    pub(super) space: Arc<Seen>,
    /// How often the database was opened: a fault seen in an earlier one says nothing now.
    pub(super) opening: AtomicU64,
    pub(super) queued: AtomicUsize,
    pub(super) queued_bytes: AtomicUsize,
    pub(super) commits: AtomicU64,
    pub(super) events_accepted: AtomicU64,
    pub(super) attempts_settled: AtomicU64,
    pub(super) live_bytes: AtomicU64,
    pub(super) events_swept: AtomicU64,
    /// [`NEVER`]: there is none.
    oldest_event_at: AtomicU64,
    pub(super) long_reads: LongReads,
}

const NEVER: u64 = u64::MAX;

impl Shared {
    pub(super) fn new(database: Database, seal: Seal, state: &State, space: Arc<Seen>) -> Self {
        let shared = Self {
            database: RwLock::new(Some(database)),
            keys: ArcSwap::from_pointee(seal.key_ids()),
            seal: ArcSwap::from_pointee(seal),
            catalog: ArcSwap::new(Arc::clone(&state.catalog)),
            health: ArcSwap::from_pointee(StoreHealth::Ready),
            sink: Mutex::new(None),
            watches: Arc::default(),
            space,
            opening: AtomicU64::new(1),
            queued: AtomicUsize::new(0),
            queued_bytes: AtomicUsize::new(0),
            commits: AtomicU64::new(0),
            events_accepted: AtomicU64::new(0),
            attempts_settled: AtomicU64::new(0),
            live_bytes: AtomicU64::new(0),
            events_swept: AtomicU64::new(0),
            oldest_event_at: AtomicU64::new(NEVER),
            long_reads: LongReads::default(),
        };
        shared.publish(state);
        shared
    }

    /// Shows what was committed.
    pub(super) fn publish(&self, state: &State) {
        self.catalog.store(Arc::clone(&state.catalog));
        let counters = &state.counters;
        self.events_accepted
            .store(counters.events_accepted, Ordering::Relaxed);
        self.attempts_settled
            .store(counters.attempts_settled, Ordering::Relaxed);
        let kept = &counters.kept;
        self.live_bytes.store(kept.live_bytes, Ordering::Relaxed);
        self.events_swept
            .store(kept.events_swept, Ordering::Relaxed);
        let oldest = state.oldest_event_at.map_or(NEVER, |at| at.0);
        self.oldest_event_at.store(oldest, Ordering::Relaxed);
    }

    pub(super) fn oldest_event_at(&self) -> Option<Timestamp> {
        let at = self.oldest_event_at.load(Ordering::Relaxed);
        (at != NEVER).then_some(Timestamp(at))
    }

    pub(super) fn begin_write(&self) -> Result<WriteTransaction, Fault> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        Ok(database.as_ref().ok_or(Fault::Absent)?.begin_write()?)
    }

    pub(super) fn begin_read(&self) -> Result<ReadTransaction, Fault> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        Ok(database.as_ref().ok_or(Fault::Absent)?.begin_read()?)
    }

    pub(super) fn take_database(&self) -> Option<Database> {
        let mut database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        database.take()
    }

    pub(super) fn put_database(&self, opened: Database) {
        let mut database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *database = Some(opened);
        self.opening.fetch_add(1, Ordering::Release);
    }

    pub(super) fn health(&self) -> StoreHealth {
        StoreHealth::clone(&self.health.load())
    }

    pub(super) fn set_health(&self, health: StoreHealth) {
        self.health.store(Arc::new(health));
    }

    /// Whether there is any point in asking the database.
    pub(super) fn ready(&self) -> Result<(), StoreDown> {
        match &**self.health.load() {
            StoreHealth::Ready => Ok(()),
            StoreHealth::Reopening(reason) => Err(StoreDown::Reopening(reason.clone())),
            StoreHealth::Compacting => Err(StoreDown::Compacting),
            StoreHealth::Closed => Err(StoreDown::Closed),
        }
    }

    pub(super) fn set_sink(&self, sink: Option<Arc<dyn FeedSink>>) {
        let old = {
            let mut place = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *place, sink)
        };
        // Outside the lock: what the sink holds may come back to us when it is dropped.
        drop(old);
    }

    /// Tells the sink. Its panics are its own: what is committed is committed.
    pub(super) fn feed(&self, items: Vec<FeedItem>) {
        let sink = self
            .sink
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let Some(sink) = sink else { return };
        let fed = catch_unwind(AssertUnwindSafe(|| {
            items.into_iter().for_each(|item| sink.push(item));
        }));
        if fed.is_err() {
            tracing::error!("the feed's sink panicked: its lanes may lag until they look again");
        }
    }
}
