//! A sandbox over a folder of its own, with a catalog in memory, and the ways to look at it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use whisperer_domain::catalog::{CatalogChange, CatalogSnapshot, Changed};
use whisperer_domain::event::Event;
use whisperer_domain::event_type::EventType;
use whisperer_domain::hook::{ChainLink, PluginChoice};
use whisperer_domain::id::{EventId, EventKey, HookId};
use whisperer_domain::plugin::PluginName;
use whisperer_domain::port::{
    BoxFuture, Catalog, CatalogError, Chained, StoreDown, Transform, TransformJob, Transformed,
};
use whisperer_domain::secret::Secret;
use whisperer_domain::time::Timestamp;
use whisperer_sandbox::{FolderTimes, PluginStatus, Sandbox, SandboxConfig};

/// Nothing here waits for this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) catalog: Arc<Shelf>,
    changed: Arc<Notify>,
    _shutdown: DropGuard,
}

/// A catalog that holds memberships and nothing else.
#[derive(Default)]
pub(crate) struct Shelf {
    snapshot: Mutex<Arc<CatalogSnapshot>>,
    pub(crate) down: AtomicBool,
    /// A change was asked for while it was down.
    pub(crate) refused: Notify,
}

impl Catalog for Shelf {
    fn snapshot(&self) -> Arc<CatalogSnapshot> {
        Arc::clone(&self.snapshot.lock().unwrap())
    }

    fn change(&self, change: CatalogChange) -> BoxFuture<'_, Result<Changed, CatalogError>> {
        Box::pin(async move {
            if self.down.load(Ordering::SeqCst) {
                self.refused.notify_one();
                return Err(CatalogError::Down(StoreDown::Lagging));
            }
            let mut snapshot = self.snapshot.lock().unwrap();
            let mut next = CatalogSnapshot::clone(&snapshot);
            match change {
                CatalogChange::PutPlugin(membership) => {
                    next.plugins
                        .insert(membership.name.clone(), Arc::new(membership));
                }
                CatalogChange::RemovePlugin(name) => {
                    next.plugins.remove(&name);
                }
                other => panic!("the sandbox has no business with {other:?}"),
            }
            *snapshot = Arc::new(next);
            Ok(Changed::Done)
        })
    }
}

/// Times for tests: the watcher alone must find what changes, as no rescan comes.
pub(crate) fn config(folder: &TempDir) -> SandboxConfig {
    SandboxConfig {
        folder_times: FolderTimes {
            quiet: Duration::from_millis(10),
            quiet_max: Duration::from_millis(100),
            removal_wait: Duration::from_millis(50),
            rescan: Duration::from_secs(3600),
        },
        ..SandboxConfig::new(folder.path())
    }
}

impl Bench {
    pub(crate) async fn with(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let config = config(&folder);
        Self::start(folder, config, Arc::default()).await
    }

    pub(crate) async fn start(folder: TempDir, config: SandboxConfig, catalog: Arc<Shelf>) -> Self {
        let bench = Self::begin(folder, config, catalog);
        bench.reconciled().await;
        bench
    }

    pub(crate) async fn reconciled(&self) {
        let reconciled = self.sandbox.reconciled();
        tokio::time::timeout(PATIENCE, reconciled)
            .await
            .expect("the folder is read in time");
    }

    /// Does not wait until the folder was read.
    pub(crate) fn begin(folder: TempDir, config: SandboxConfig, catalog: Arc<Shelf>) -> Self {
        let shutdown = CancellationToken::new();
        let tasks = TaskTracker::new();
        let shelf = Arc::clone(&catalog);
        let sandbox = Sandbox::start(config, shelf, &tasks, shutdown.clone()).unwrap();
        let changed = Arc::new(Notify::new());
        let bell = Arc::clone(&changed);
        sandbox.on_change(Arc::new(move || bell.notify_one()));
        Self {
            folder,
            sandbox,
            catalog,
            changed,
            _shutdown: shutdown.drop_guard(),
        }
    }

    /// As a careful operator does it: written aside, renamed into place.
    pub(crate) fn drop_in(&self, name: &str, bytes: &[u8]) {
        let aside = self.folder.path().join(format!(".{name}.part"));
        std::fs::write(&aside, bytes).unwrap();
        std::fs::rename(&aside, self.folder.path().join(name)).unwrap();
    }

    /// Waits for the bell until this is so of the plugins.
    pub(crate) async fn until(&self, what: &str, so: impl Fn(&[PluginStatus]) -> bool) {
        let wait = async {
            while !so(&self.sandbox.plugins()) {
                self.changed.notified().await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            panic!("not in time: {what}; {:#?}", self.sandbox.plugins());
        }
    }

    pub(crate) fn status(&self, name: &str) -> PluginStatus {
        let mut all = self.sandbox.plugins().into_iter();
        all.find(|status| status.name.as_str() == name)
            .expect("a member of this name")
    }

    pub(crate) async fn run(&self, choice: PluginChoice, event: Event) -> Transformed {
        let job = TransformJob {
            choice,
            event: Arc::new(event),
            hook: HookId(7),
            origin: "https://example.com".to_owned(),
        };
        tokio::time::timeout(PATIENCE, self.sandbox.run(job))
            .await
            .expect("a run is bounded")
    }

    /// Runs the hostile guest with one act.
    pub(crate) async fn act(&self, act: &str) -> Transformed {
        self.run(acts(&[act]), event("package.created", "{}")).await
    }

    /// What an act that answers with a JSON string answers.
    pub(crate) async fn told(&self, act: &str, event: Event) -> String {
        let made = self.run(acts(&[act]), event).await;
        serde_json::from_slice(&payload(&made)).unwrap()
    }
}

pub(crate) fn acts(acts: &[&str]) -> PluginChoice {
    let configs: Vec<_> = acts
        .iter()
        .map(|act| format!(r#"{{"act": "{act}"}}"#))
        .collect();
    let links: Vec<_> = configs
        .iter()
        .map(|config| ("hostile", config.as_str()))
        .collect();
    chain(&links)
}

pub(crate) fn chain(links: &[(&str, &str)]) -> PluginChoice {
    let link = |(name, config): &(&str, &str)| {
        let config = Secret::new((*config).to_owned());
        ChainLink::new(PluginName::parse(name).unwrap(), config)
    };
    PluginChoice::Chain(links.iter().map(link).collect())
}

pub(crate) fn event(event_type: &str, payload: &str) -> Event {
    Event {
        key: EventKey(1),
        id: EventId::parse("evt-1").unwrap(),
        event_type: EventType::parse(event_type).unwrap(),
        occurred_at: Timestamp(1_700_000_000_123),
        accepted_at: Timestamp(1_800_000_000_000),
        object_id: None,
        content_type: "application/json".to_owned(),
        cloud: None,
        payload: Bytes::copy_from_slice(payload.as_bytes()),
    }
}

/// The payload that a chain made.
pub(crate) fn payload(transformed: &Transformed) -> Bytes {
    match &transformed.result {
        Chained::Made(made) => made.payload.clone().expect("a new payload"),
        other => panic!("nothing was made: {other:?}"),
    }
}
