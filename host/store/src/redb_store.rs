//! The embedded store: one redb file, one thread that writes, short reads on blocking threads.
//!
//! ```text
//! accept, settle, change, direct ─► bounded queue ─► writer: one transaction ─► commit ─► publish
//!                                                                        ├─► feed the lanes
//!                                                                        └─► answer everyone
//! acquire, take, find, page, … ─► a blocking thread ─► read transaction
//! ```
//!
//! Invariants: an `Ok` is on disk. A transaction holds commands whole or not at all, and sees its
//! own earlier ones. Snapshot, feed and answers come after the commit, in this order. No secret
//! is in the file in clear. A file that is not ours is never touched.

mod aside;
mod batch;
mod check;
mod command;
mod copy;
#[cfg(test)]
mod counts;
mod fault;
#[cfg(test)]
mod faults;
mod file;
mod frame;
mod key;
mod keys;
mod long_reads;
pub mod measured;
mod offline;
mod opener;
mod ports;
mod reading;
mod record;
#[cfg(test)]
mod reopening;
mod rows;
mod seal;
mod shared;
mod space;
mod spans;
mod state;
mod tables;
mod upkeep;
mod writer;

#[cfg(fuzzing)]
pub use record::record_codec;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use redb::{Database, ReadableDatabase};
use tokio::sync::{Semaphore, oneshot};
use whisperer_domain::access::Note;
use whisperer_domain::catalog::{CatalogChange, Changed};
use whisperer_domain::port::{CatalogError, Clock, StoreDown};

pub use self::offline::{Restored, backup_file, check_file, compact_file, restore};

use self::command::{Command, Queued, Reply, Write};
use self::fault::Fault;
use self::file::Found;
use self::opener::Opener;
use self::reading::Reading;
use self::seal::Seal;
use self::shared::Shared;
use self::space::Seen;
use self::state::State;
use self::writer::gather::Crowd;
use self::writer::sweeper::Sweeper;
use self::writer::{Limits, Writer};
use crate::config::StoreConfig;
use crate::error::StoreError;

/// Reads at a time. More wait: each holds a blocking thread.
const READERS_MAX: usize = 16;

pub struct RedbStore {
    path: PathBuf,
    shared: Arc<Shared>,
    /// None only while it is dropped.
    inbox: Option<SyncSender<Queued>>,
    queue_bytes_max: usize,
    readers: Arc<Semaphore>,
    /// Ends the looks at the disk when it is dropped.
    _space: SyncSender<()>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl RedbStore {
    /// Opens the database; makes it, and its key file, if there is none. Blocks: after a crash
    /// the file is repaired first, which can take seconds.
    ///
    /// # Errors
    /// What is wrong with the file, the key file or the folder, and the way out. An existing
    /// file is never made anew.
    pub fn open(config: StoreConfig, clock: Arc<dyn Clock>) -> Result<Arc<Self>, StoreError> {
        let opener = Opener::new(&config);
        let keys = prepare(&config, &opener)?;
        Self::start(&config, clock, opener, keys)
    }

    fn start(
        config: &StoreConfig,
        clock: Arc<dyn Clock>,
        opener: Opener,
        keys: Seal,
    ) -> Result<Arc<Self>, StoreError> {
        let database = opener.open(&keys)?;
        key::sweep(opener.key_file());
        let path = opener.path();
        file::guarded(path, || file::bring_up_to_date(&database))?
            .map_err(|fault| opener.failed("bring up to date", fault))?;
        let state = file::guarded(path, || load(&database, &keys))?
            .map_err(|fault| opener.failed("load", fault))?;
        let space = Arc::new(Seen::new(config.free_bytes_min, opener.free()));
        let watch = space::watch(Arc::clone(&space))?;
        let shared = Arc::new(Shared::new(database, keys.clone(), &state, space));
        let accepted_at = state.counters.accepted_at;
        let sweeper = Sweeper::new(config.retention, Instant::now(), accepted_at);
        let (sender, inbox) = sync_channel(config.queue_max.max(1));
        let writer = Writer {
            shared: Arc::clone(&shared),
            inbox,
            state,
            opener,
            clock,
            limits: Limits {
                rows_max: config.commit_rows_max.max(1),
                bytes_max: config.commit_bytes_max.max(1),
            },
            quick_repair: config.quick_repair,
            sweeper,
            keys,
            rotating: Vec::new(),
            in_vain: 0,
            put_off: Vec::new(),
            crowd: Crowd::default(),
        };
        let writer = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(StoreError::Thread)?;
        Ok(Arc::new(Self {
            path: config.path.clone(),
            shared,
            inbox: Some(sender),
            queue_bytes_max: config.queue_bytes_max,
            readers: Arc::new(Semaphore::new(READERS_MAX)),
            _space: watch,
            writer: Mutex::new(Some(writer)),
        }))
    }

    /// Writes what is queued, then closes the file. Calls that come later are refused.
    ///
    /// # Errors
    /// The file could not be closed in order; what was acknowledged is on disk all the same.
    ///
    /// # Cancel safety
    /// Once polled the store closes even if the future is dropped.
    pub async fn close(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        let order = Queued::order(Command::Close(reply), &self.shared);
        let inbox = self.inbox.clone();
        // The queue may be full, and this must not be refused: it waits, so not here.
        let sent = tokio::task::spawn_blocking(move || {
            inbox.is_some_and(|inbox| inbox.send(order).is_ok())
        });
        if !sent.await.unwrap_or(false) {
            return Err(StoreError::Closed);
        }
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Has the writer do something, and waits for the commit.
    async fn ask<T>(&self, write: impl FnOnce(Reply<T>) -> Write) -> Result<T, StoreDown> {
        self.shared.ready()?;
        let (reply, answer) = oneshot::channel();
        let queued = Queued::write(write(reply), self.queue_bytes_max, &self.shared)
            .ok_or(StoreDown::Lagging)?;
        let inbox = self.inbox.as_ref().ok_or(StoreDown::Closed)?;
        match inbox.try_send(queued) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(StoreDown::Lagging),
            Err(TrySendError::Disconnected(_)) => return Err(StoreDown::Closed),
        }
        answer
            .await
            .map_err(|_| StoreDown::Unknown("the writer broke off".to_owned()))
    }

    async fn make(
        &self,
        change: CatalogChange,
        note: Option<Note>,
    ) -> Result<Changed, CatalogError> {
        self.ask(|reply| Write::Change {
            change,
            note,
            reply,
        })
        .await
        .unwrap_or_else(|down| Err(CatalogError::Down(down)))
    }

    /// Reads on a blocking thread.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Reading) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreDown> {
        // Before the wait too: while the store is down, nobody is to stand in a queue.
        self.shared.ready()?;
        let permit = Arc::clone(&self.readers).acquire_owned().await;
        let permit = permit.map_err(|_| StoreDown::Closed)?;
        self.shared.ready()?;
        let shared = Arc::clone(&self.shared);
        let opening = shared.opening.load(Ordering::Acquire);
        let read = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            Reading::begin(&shared).and_then(|mut reading| work(&mut reading))
        });
        match read.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(fault)) => {
                self.suspect(&fault, opening);
                Err(fault.to_down())
            }
            Err(_) => Err(StoreDown::Damaged(
                "redb broke off over what it read".to_owned(),
            )),
        }
    }

    /// Tells the writer, who alone can open the database anew.
    fn suspect(&self, fault: &Fault, opening: u64) {
        match fault {
            Fault::Database(_) => {}
            Fault::Damaged { .. } | Fault::Random(_) | Fault::Absent => return,
        }
        let order = Queued::order(Command::Suspect { opening }, &self.shared);
        if let Some(inbox) = &self.inbox {
            // A full queue holds writes, and they meet the fault themselves.
            drop(inbox.try_send(order));
        }
    }
}

/// Settles which keys there are and that there is a database of ours at the path.
fn prepare(config: &StoreConfig, opener: &Opener) -> Result<Seal, StoreError> {
    let found = file::look(&config.path)?;
    let keys = key::read(&config.key_file)?.and_then(Seal::of);
    match (found, keys) {
        // It was a database once: a new one in its place would look as if nothing had happened.
        (Found::Empty, Some(_)) => Err(StoreError::Empty {
            path: config.path.clone(),
            key_file: config.key_file.clone(),
        }),
        (Found::Nothing | Found::Empty, keys) => {
            let keys = match keys {
                Some(keys) => keys,
                None => Seal::new(key::create(&config.key_file)?),
            };
            file::create(&config.path, &opener.builder(), &keys)?;
            Ok(keys)
        }
        (Found::Database, None) => {
            // What is wrong with the database itself matters more.
            file::inspect(&config.path, &opener.builder())?;
            Err(StoreError::KeyMissing {
                key_file: config.key_file.clone(),
                path: config.path.clone(),
            })
        }
        (Found::Database, Some(keys)) => {
            let key_id = file::inspect(&config.path, &opener.builder())?;
            if key_id.is_some_and(|key_id| !keys.knows(key_id)) {
                return Err(opener.wrong_key());
            }
            // One that must be repaired is checked by that, unless that is to be quick: over a file
            // that says what is free and is wrong in it, redb may end the process.
            if key_id.is_some() || config.quick_repair {
                file::verify(&config.path, opener.builder(), config.check_bytes_max)?;
            }
            if key_id.is_some() {
                file::try_to_load(&config.path, &opener.builder(), &keys)?;
            }
            Ok(keys)
        }
    }
}

fn load(database: &Database, keys: &Seal) -> Result<State, Fault> {
    State::load(&database.begin_read()?, keys)
}

impl Drop for RedbStore {
    /// Waits for the last commit, so that the file is free when this returns.
    fn drop(&mut self) {
        self.inbox = None;
        let writer = self
            .writer
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = writer
            && writer.thread().id() != thread::current().id()
        {
            let _ = writer.join();
        }
    }
}
