//! Told when the folder may have changed. An event means only "look again": which one it was,
//! and whether it was seen at all, must not matter.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::config::FolderTimes;

pub(crate) struct Watch {
    folder: PathBuf,
    bell: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Watches if it can; if not, the periodic rescan must do.
    pub(crate) fn on(folder: &Path) -> Self {
        let mut watch = Self {
            folder: folder.to_owned(),
            bell: Arc::new(Notify::new()),
            watcher: None,
        };
        if let Err(why) = watch.start() {
            tracing::warn!(
                folder = %folder.display(),
                reason = %why,
                "the plugin folder cannot be watched: changes are found by looking now and then"
            );
        }
        watch
    }

    fn start(&mut self) -> notify::Result<()> {
        let bell = Arc::clone(&self.bell);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<_>| {
            // An error may be an overflow of the queue: look again then too.
            if event.as_ref().map_or(true, may_change) {
                bell.notify_one();
            }
        })?;
        watcher.watch(&self.folder, RecursiveMode::NonRecursive)?;
        self.watcher = Some(watcher);
        Ok(())
    }

    /// Returns when something rang and the folder has been quiet since, or has been restless for
    /// too long.
    ///
    /// # Cancel safety
    /// Dropping the future may lose the ring: look into the folder then.
    pub(crate) async fn rung(&self, times: FolderTimes) {
        self.bell.notified().await;
        let latest = Instant::now() + times.quiet_max;
        loop {
            let quiet = (Instant::now() + times.quiet).min(latest);
            if timeout_at(quiet, self.bell.notified()).await.is_err() {
                return;
            }
        }
    }
}

/// Our own reading of the files must not ring.
fn may_change(event: &notify::Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}
