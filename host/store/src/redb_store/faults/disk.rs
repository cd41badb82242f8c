//! A disk in memory. What is written lies in its cache until it is synced; a power cut keeps of the
//! cache what [`remains`](super::disk::Disk::remains) draws, and nothing answers after it.
//!
//! It knows two images: what a read sees, and what lies on the platter. A failed sync may drop
//! what it was to write while reads go on to see it, as Linux does: `evict` then makes reads see
//! the platter again.

mod remains;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use redb::{Builder, Database, DatabaseError, StorageBackend};

use super::Medium;
use crate::redb_store::space::Free;

pub(in crate::redb_store) use remains::Keep;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::redb_store) enum Call {
    Write,
    Sync,
    /// A sync that makes a new header durable: the end of a commit.
    Commit,
    SetLen,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::redb_store) enum Ill {
    /// It does nothing.
    Refused,
    /// What it was to sync is taken for clean, and never reaches the platter.
    Forgotten,
    /// It does all that it should, and says otherwise.
    DoneAllTheSame,
    /// redb has it end in a panic of the thread that called.
    Panic,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::redb_store) struct Failure {
    pub(in crate::redb_store) call: Call,
    /// So many calls of this kind go well first.
    pub(in crate::redb_store) after: u64,
    /// As the system numbers its errors.
    pub(in crate::redb_store) errno: i32,
    pub(in crate::redb_store) ill: Ill,
    /// It fails from then on until the disk is mended, and not just once.
    pub(in crate::redb_store) lasts: bool,
}

#[derive(Clone, Debug)]
enum Unsynced {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

impl Unsynced {
    fn is_header(&self) -> bool {
        matches!(self, Self::Write(0, _))
    }
}

#[derive(Default)]
struct State {
    seen: Vec<u8>,
    platter: Vec<u8>,
    cache: Vec<Unsynced>,
    calls: u64,
    cut_at: Option<u64>,
    is_cut: bool,
    /// A sync says that it was done and does nothing.
    lies: bool,
    failure: Option<Failure>,
    failed: u64,
    is_shut: bool,
    keeps_clean: bool,
    done: Done,
}

/// What was asked of a disk so far.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::redb_store) struct Done {
    pub(in crate::redb_store) syncs: u64,
    pub(in crate::redb_store) written_bytes: u64,
}

type Hook = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
pub(in crate::redb_store) struct Disk {
    state: Mutex<State>,
    before_sync: Mutex<Option<Hook>>,
    opened: AtomicU64,
    free_bytes: AtomicU64,
}

impl Disk {
    /// One on which these bytes lie, synced.
    pub(in crate::redb_store) fn with(image: Vec<u8>) -> Arc<Self> {
        let disk = Self::default();
        disk.state().seen = image.clone();
        disk.state().platter = image;
        disk.leave_free(1 << 40);
        Arc::new(disk)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Power goes at the so manieth write, sync or change of length from now.
    pub(super) fn cut_after(&self, calls: u64) {
        let mut state = self.state();
        state.cut_at = Some(state.calls + calls);
    }

    pub(super) fn lie(&self) {
        self.state().lies = true;
    }

    pub(in crate::redb_store) fn fail(&self, failure: Failure) {
        let mut state = self.state();
        state.failure = Some(failure);
        state.failed = 0;
    }

    /// Nothing fails any more.
    pub(super) fn mend(&self) {
        self.state().failure = None;
    }

    /// How often a failure showed since it was asked for.
    pub(super) fn failed(&self) -> u64 {
        self.state().failed
    }

    pub(super) fn is_cut(&self) -> bool {
        self.state().is_cut
    }

    pub(in crate::redb_store) fn done(&self) -> Done {
        self.state().done
    }

    /// How often it was opened, or was to be.
    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Ordering::SeqCst)
    }

    /// Whether opening fails.
    pub(in crate::redb_store) fn shut(&self, is_shut: bool) {
        self.state().is_shut = is_shut;
    }

    /// So much of a disk of a tebibyte is free, whatever is written.
    pub(super) fn leave_free(&self, bytes: u64) {
        self.free_bytes.store(bytes, Ordering::SeqCst);
    }

    /// Run by the thread that syncs, before it does: it may take its time.
    pub(super) fn before_sync(&self, hook: impl Fn() + Send + Sync + 'static) {
        *self.before_sync.lock().unwrap() = Some(Arc::new(hook));
    }

    /// What cannot be written stays in the cache as if it were: as a system without a way to drop it.
    pub(super) fn keep_what_is_clean(&self) {
        self.state().keeps_clean = true;
    }

    /// What is left after power went, drawn.
    pub(super) fn remains(&self, keep: Keep, random: &mut fastrand::Rng) -> Vec<u8> {
        let state = self.state();
        remains::of(&state.platter, &state.cache, keep, random)
    }
}

impl State {
    /// Counts a call; an error is what it comes to.
    fn begin(&mut self, call: Call) -> Result<Option<Failure>, io::Error> {
        if self.is_cut {
            return Err(io::Error::other("the power is out"));
        }
        self.calls += 1;
        if self.cut_at.is_some_and(|at| self.calls >= at) {
            self.is_cut = true;
            return Ok(None);
        }
        let is_commit = call == Call::Sync && self.cache.iter().any(Unsynced::is_header);
        let meant = |failure: &&mut Failure| {
            failure.call == call || (failure.call == Call::Commit && is_commit)
        };
        let Some(failure) = self.failure.as_mut().filter(meant) else {
            return Ok(None);
        };
        if failure.after > 0 {
            failure.after -= 1;
            return Ok(None);
        }
        let failure = *failure;
        self.failed += 1;
        if !failure.lasts {
            self.failure = None;
        }
        Ok(Some(failure))
    }

    /// What a call comes to that did what it should, unless power went amid it.
    fn end(&self, failure: Option<Failure>) -> Result<(), io::Error> {
        if self.is_cut {
            return Err(io::Error::other("the power goes out"));
        }
        match failure {
            None => Ok(()),
            Some(failure) => Err(io::Error::from_raw_os_error(failure.errno)),
        }
    }

    fn sync(&mut self, ill: Option<Ill>) {
        if self.is_cut || self.lies || ill == Some(Ill::Refused) {
            return;
        }
        for unsynced in std::mem::take(&mut self.cache) {
            match unsynced {
                Unsynced::SetLen(len) => self.platter.resize(len, 0),
                Unsynced::Write(..) if ill == Some(Ill::Forgotten) => {}
                Unsynced::Write(offset, data) => {
                    self.platter[offset..offset + data.len()].copy_from_slice(&data);
                }
            }
        }
    }

    /// What is clean in the cache is read from the platter from now on.
    fn evict(&mut self) {
        self.seen.clone_from(&self.platter);
        for unsynced in &self.cache {
            match unsynced {
                Unsynced::SetLen(len) => self.seen.resize(*len, 0),
                Unsynced::Write(offset, data) => {
                    self.seen[*offset..offset + data.len()].copy_from_slice(data);
                }
            }
        }
    }
}

impl Medium for Arc<Disk> {
    fn open(&self, builder: &Builder) -> Result<Database, DatabaseError> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        if self.state().is_shut {
            return Err(io::Error::other("the test keeps it shut").into());
        }
        builder.create_with_backend(Plugged(Arc::clone(self)))
    }

    fn evict(&self) {
        let mut state = self.state();
        if !state.keeps_clean {
            state.evict();
        }
    }

    fn free(&self) -> io::Result<Free> {
        Ok(Free {
            free_bytes: self.free_bytes.load(Ordering::SeqCst),
            total_bytes: 1 << 40,
        })
    }
}

/// Locks are left out: they are the real file's business, and tested there.
struct Plugged(Arc<Disk>);

impl std::fmt::Debug for Plugged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Disk")
    }
}

impl StorageBackend for Plugged {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.0.state().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let state = self.0.state();
        if state.is_cut {
            return Err(io::Error::other("the power is out"));
        }
        let offset = offset as usize;
        let bytes = state.seen.get(offset..offset + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        let mut state = self.0.state();
        let failure = state.begin(Call::SetLen)?;
        if failure.is_none() {
            state.seen.resize(len as usize, 0);
            state.cache.push(Unsynced::SetLen(len as usize));
        }
        state.end(failure)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let hook = self.0.before_sync.lock().unwrap().clone();
        if let Some(hook) = hook {
            hook();
        }
        let mut state = self.0.state();
        state.done.syncs += 1;
        let failure = state.begin(Call::Sync)?;
        state.sync(failure.map(|failure| failure.ill));
        if failure.is_some_and(|failure| failure.ill == Ill::Panic) {
            drop(state);
            panic!("the test has the disk panic");
        }
        state.end(failure)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut state = self.0.state();
        state.done.written_bytes += data.len() as u64;
        let failure = state.begin(Call::Write)?;
        // Power goes amid the write: some of it may be kept.
        if failure.is_none() {
            let offset = offset as usize;
            state.seen[offset..offset + data.len()].copy_from_slice(data);
            state.cache.push(Unsynced::Write(offset, data.to_vec()));
        }
        state.end(failure)
    }
}
