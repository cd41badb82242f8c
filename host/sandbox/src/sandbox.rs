//! The sandbox as others see it: started once, asked for transforms and for how things stand.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whisperer_domain::port::{Bell, BoxFuture, Catalog, Transform, TransformJob, Transformed};

use crate::chain;
use crate::config::SandboxConfig;
use crate::engine;
use crate::error::SandboxError;
use crate::linker::linker;
use crate::load::Loader;
use crate::reconcile::Reconciler;
use crate::registry::{Member, Registry};
use crate::status::{PluginStatus, Stray};

pub struct Sandbox {
    pub(crate) registry: ArcSwap<Registry>,
    /// Calls of all plugins together.
    pub(crate) turns: Arc<Semaphore>,
    pub(crate) turn_wait: Duration,
    bells: Mutex<Vec<Bell>>,
    reconciled: watch::Sender<bool>,
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
        let loader = Loader {
            linker: Arc::new(linker(&engine)?),
            engine,
            limits: config.limits,
        };
        engine::start_ticking(&loader.engine)?;
        let sandbox = Arc::new(Self {
            registry: ArcSwap::from_pointee(remembered(&*catalog, &config)),
            turns: Arc::new(Semaphore::new(config.calls_max)),
            turn_wait: config.turn_wait,
            bells: Mutex::new(Vec::new()),
            reconciled: watch::Sender::new(false),
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
        self.registry.load().statuses()
    }

    /// What lies in the folder and belongs to no plugin.
    #[must_use]
    pub fn strays(&self) -> Vec<Stray> {
        self.registry.load().strays.clone()
    }

    pub(crate) fn mark_reconciled(&self) {
        self.reconciled
            .send_if_modified(|done| !std::mem::replace(done, true));
    }

    pub(crate) fn ring(&self) {
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
            config.calls_per_plugin_max,
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
            chain::run(self, &job).await
        })
    }

    fn on_change(&self, bell: Bell) {
        self.bells
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(bell);
    }
}
