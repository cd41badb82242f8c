//! Makes time pass for guests, while there are any.
//!
//! Each store that a guest can run in holds a [`Running`]; while there is none, the thread rests:
//! a server that runs no plugin is not woken a thousand times a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};

use wasmtime::Engine;

use super::TICK;
use crate::error::SandboxError;

/// Its clones are one; with the last of them the thread ends.
#[derive(Clone)]
pub(crate) struct Ticker(Arc<Handle>);

struct Handle {
    count: Arc<Count>,
    /// None: time passes by other means.
    thread: Option<Thread>,
}

#[derive(Default)]
struct Count {
    running: AtomicUsize,
    ended: AtomicBool,
}

/// A guest may run.
pub(crate) struct Running(Arc<Handle>);

impl Ticker {
    /// A thread of its own, because guests may be all that the runtime's threads are doing.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(crate) fn start(engine: &Engine) -> Result<Self, SandboxError> {
        let count = Arc::<Count>::default();
        let (engine, counted) = (engine.weak(), Arc::clone(&count));
        let tick = move || {
            while !counted.ended.load(Ordering::Acquire) {
                if counted.running.load(Ordering::Acquire) == 0 {
                    // Who begins to run wakes it, before it rests or after.
                    thread::park();
                    continue;
                }
                thread::sleep(TICK);
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
            }
        };
        let thread = thread::Builder::new()
            .name("plugin-epochs".to_owned())
            .spawn(tick)
            .map_err(SandboxError::Ticker)?;
        let thread = Some(thread.thread().clone());
        Ok(Self(Arc::new(Handle { count, thread })))
    }

    /// For a test that counts ticks: it makes them itself.
    #[cfg(test)]
    pub(crate) fn by_hand() -> Self {
        let count = Arc::default();
        let thread = None;
        Self(Arc::new(Handle { count, thread }))
    }

    pub(crate) fn run(&self) -> Running {
        let before = self.0.count.running.fetch_add(1, Ordering::AcqRel);
        if before == 0 {
            self.0.wake();
        }
        Running(Arc::clone(&self.0))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.count.running.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Handle {
    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.unpark();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.count.ended.store(true, Ordering::Release);
        self.wake();
    }
}
