//! The sandbox as others see it: started once, asked for transforms and for how things stand.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whisperer_domain::plugin::PluginName;
use whisperer_domain::port::{Bell, BoxFuture, Catalog, Transform, TransformJob, Transformed};

use crate::chain::{self, Purpose};
use crate::config::SandboxConfig;
use crate::engine::{self, Ticker};
use crate::error::SandboxError;
use crate::guest::Usage;
use crate::linker::linker;
use crate::load::Loader;
use crate::reconcile::Reconciler;
use crate::registry::{Generation, Member, Registry};
use crate::status::{PluginStatus, Stray};

pub struct Sandbox {
    pub(crate) registry: ArcSwap<Registry>,
    /// Calls of all plugins together.
    pub(crate) turns: Arc<Semaphore>,
    pub(crate) turn_wait: Duration,
    pub(crate) loader: Arc<Loader>,
    pub(crate) folder: PathBuf,
    pub(crate) file_bytes_max: u64,
    /// Writes into the folder on behalf of the API are one at a time: what was tried together is
    /// what lies there together, and they share the file that they write aside.
    pub(crate) writing: Arc<tokio::sync::Mutex<()>>,
    catalog: Arc<dyn Catalog>,
    bells: Mutex<Vec<Bell>>,
    reconciled: watch::Sender<bool>,
    /// Counts the changes of the registry.
    pub(crate) changes: watch::Sender<u64>,
}

/// What a dry run came to.
#[derive(Clone, Debug)]
pub struct Trial {
    pub transformed: Transformed,
    /// One for each of `transformed.runs`.
    pub usages: Vec<Usage>,
}

impl Sandbox {
    /// Starts with the memberships of the catalog, none of which can run yet, and begins to read
    /// the folder. The task ends when `shutdown` is cancelled; calls in flight go on.
    ///
    /// # Errors
    /// No engine, or no folder.
    pub fn start(
        config: SandboxConfig,
        catalog: Arc<dyn Catalog>,
        tasks: &TaskTracker,
        shutdown: CancellationToken,
    ) -> Result<Arc<Self>, SandboxError> {
        let unusable = |source| SandboxError::Folder {
            folder: config.folder.clone(),
            source,
        };
        std::fs::create_dir_all(&config.folder).map_err(unusable)?;
        std::fs::read_dir(&config.folder).map_err(unusable)?;
        let engine = engine::build(&config)?;
        let ticker = Ticker::start(&engine)?;
        let linker = linker(&engine)?;
        let compiler = config.compiler.clone().zip(config.cache.clone());
        let loader = Arc::new(Loader::new(engine, ticker, linker, config.limits, compiler));
        let sandbox = Arc::new(Self {
            registry: ArcSwap::from_pointee(remembered(&*catalog, &config)),
            turns: Arc::new(Semaphore::new(config.calls_max)),
            turn_wait: config.turn_wait,
            loader: Arc::clone(&loader),
            folder: config.folder.clone(),
            file_bytes_max: config.file_bytes_max,
            writing: Arc::default(),
            catalog: Arc::clone(&catalog),
            bells: Mutex::new(Vec::new()),
            reconciled: watch::Sender::new(false),
            changes: watch::Sender::new(0),
        });
        let reconciler = Reconciler::new(config, loader, catalog, Arc::clone(&sandbox));
        tasks.spawn(async move {
            shutdown.run_until_cancelled(reconciler.run()).await;
        });
        Ok(sandbox)
    }

    /// Resolves when the folder was read once, and everything in it was loaded or refused.
    pub async fn reconciled(&self) {
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self.reconciled.subscribe().wait_for(|done| *done).await;
    }

    /// Every member of the folder, in name order.
    #[must_use]
    pub fn plugins(&self) -> Vec<PluginStatus> {
        let catalog = self.catalog.snapshot();
        let registry = self.registry.load();
        let members = registry.members.values();
        members
            .map(|member| PluginStatus::of(member, &catalog))
            .collect()
    }

    /// One member of the folder.
    #[must_use]
    pub fn plugin(&self, name: &PluginName) -> Option<PluginStatus> {
        let registry = self.registry.load();
        let member = registry.members.get(name)?;
        Some(PluginStatus::of(member, &self.catalog.snapshot()))
    }

    /// A dry run: within the same limits as a delivery's, but it counts nowhere, and what is in
    /// quarantine runs too.
    ///
    /// # Cancel safety
    /// As that of [`Transform::run`].
    pub async fn try_out(&self, job: &TransformJob) -> Trial {
        self.reconciled().await;
        let ran = chain::run(self, job, Purpose::Try).await;
        Trial {
            transformed: ran.transformed,
            usages: ran.usages,
        }
    }

    /// Lets a plugin run again that was stopped because it kept breaking. False if there is no
    /// such plugin, or nothing was stopped.
    pub fn release(&self, name: &PluginName) -> bool {
        let registry = self.registry.load();
        let released = registry
            .members
            .get(name)
            .is_some_and(|member| member.quarantine.release());
        if released {
            tracing::info!(plugin = %name, "a plugin is released from quarantine by hand");
            self.ring();
        }
        released
    }

    /// What lies in the folder and belongs to no plugin.
    #[must_use]
    pub fn strays(&self) -> Vec<Stray> {
        self.registry.load().strays.clone()
    }

    /// What runs under a name.
    pub(crate) fn generation(&self, name: &PluginName) -> Option<Arc<Generation>> {
        let registry = self.registry.load();
        registry.members.get(name)?.generation.clone()
    }

    pub(crate) fn mark_reconciled(&self) {
        self.reconciled
            .send_if_modified(|done| !std::mem::replace(done, true));
    }

    pub(crate) fn ring(&self) {
        self.changes.send_modify(|count| *count += 1);
        // Copied out: a bell may ask for anything but this lock.
        let bells = self
            .bells
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for bell in bells {
            bell();
        }
    }
}

fn remembered(catalog: &dyn Catalog, config: &SandboxConfig) -> Registry {
    let snapshot = catalog.snapshot();
    let member = |membership: &Arc<_>| {
        Member::remembered(
            whisperer_domain::plugin::Membership::clone(membership),
            config,
        )
    };
    Registry {
        members: snapshot
            .plugins
            .iter()
            .map(|(name, it)| (name.clone(), member(it)))
            .collect(),
        strays: Vec::new(),
    }
}

impl Transform for Sandbox {
    fn run(&self, job: TransformJob) -> BoxFuture<'_, Transformed> {
        Box::pin(async move {
            // Before the folder was read, nobody knows which chain applies.
            self.reconciled().await;
            chain::run(self, &job, Purpose::Deliver).await.transformed
        })
    }

    fn on_change(&self, bell: Bell) {
        self.bells
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(bell);
    }
}
