//! Makes the registry equal to the folder. One task, one pass after another, each without input:
//! what the watcher saw or missed does not matter.
//!
//! The order of things in a pass is what keeps deliveries from leaving untransformed: a
//! membership is in the store before a generation goes live, and a removal is in the store
//! before the member is taken out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use whisperer_domain::catalog::CatalogChange;
use whisperer_domain::plugin::{Membership, PluginName};
use whisperer_domain::port::{Catalog, CatalogError};

use crate::config::SandboxConfig;
use crate::folder::{self, Likeness, Listing, Unit};
use crate::load::{Loader, NotLoaded};
use crate::metrics;
use crate::registry::{Generation, Member, Registry};
use crate::sandbox::Sandbox;
use crate::status::Refusal;
use crate::watch::Watch;

pub(crate) struct Reconciler {
    config: SandboxConfig,
    loader: Arc<Loader>,
    catalog: Arc<dyn Catalog>,
    sandbox: Arc<Sandbox>,
    /// What was last loaded or refused under each name.
    seen: BTreeMap<PluginName, Likeness>,
    /// What runs under each name.
    live: BTreeMap<PluginName, Likeness>,
    /// Since when a member's file is not there.
    gone: BTreeMap<PluginName, Instant>,
    folder_unreadable: bool,
}

impl Reconciler {
    pub(crate) fn new(
        config: SandboxConfig,
        loader: Arc<Loader>,
        catalog: Arc<dyn Catalog>,
        sandbox: Arc<Sandbox>,
    ) -> Self {
        Self {
            config,
            loader,
            catalog,
            sandbox,
            seen: BTreeMap::new(),
            live: BTreeMap::new(),
            gone: BTreeMap::new(),
            folder_unreadable: false,
        }
    }

    /// # Cancel safety
    /// Every await of a pass may be its last: the next process begins from the folder again.
    pub(crate) async fn run(mut self) {
        // Watched before it is read: what happens in between rings.
        let watch = Watch::on(&self.config.folder);
        loop {
            if self.pass().await {
                self.sandbox.mark_reconciled();
            }
            let next_look = self.next_look();
            tokio::select! {
                () = watch.rung(self.config.folder_times) => {}
                () = tokio::time::sleep(next_look) => {}
            }
        }
    }

    fn next_look(&self) -> Duration {
        let times = self.config.folder_times;
        if self.gone.is_empty() {
            times.rescan
        } else {
            times.removal_wait.min(times.rescan)
        }
    }

    /// True if the folder was read and every plugin in it is known to the store as a member: from
    /// then on none can be passed by.
    async fn pass(&mut self) -> bool {
        let folder = self.config.folder.clone();
        let listing = match blocking(move || folder::list(&folder)).await {
            Some(Ok(listing)) => listing,
            Some(Err(why)) => {
                self.cannot_read(&why);
                return false;
            }
            None => return false,
        };
        self.folder_unreadable = false;
        self.note_strays(&listing);
        let mut there = Vec::with_capacity(listing.plugins.len());
        for (name, path) in listing.plugins {
            if self.consider(&name, path).await {
                there.push(name);
            }
        }
        self.remove_all_but(&there).await;
        let registry = self.sandbox.registry.load();
        there.iter().all(|name| registry.members.contains_key(name))
    }

    /// A folder that cannot be read is not an empty folder: nobody is removed.
    fn cannot_read(&mut self, why: &std::io::Error) {
        if !self.folder_unreadable {
            tracing::error!(
                folder = %self.config.folder.display(),
                reason = %why,
                "the plugin folder cannot be read: plugins stay as they are"
            );
        }
        self.folder_unreadable = true;
    }

    fn note_strays(&self, listing: &Listing) {
        let registry = self.sandbox.registry.load_full();
        if registry.strays == listing.strays {
            return;
        }
        for stray in listing
            .strays
            .iter()
            .filter(|stray| !registry.strays.contains(stray))
        {
            tracing::warn!(
                file = %stray.file,
                reason = %stray.reason,
                "a file in the plugin folder belongs to no plugin"
            );
        }
        self.change(|registry| registry.strays.clone_from(&listing.strays));
    }

    /// False if the file is not there after all.
    async fn consider(&mut self, name: &PluginName, path: PathBuf) -> bool {
        let bytes_max = self.config.file_bytes_max;
        let Some(Some(unit)) = blocking(move || folder::read(&path, bytes_max)).await else {
            return false;
        };
        self.gone.remove(name);
        let likeness = unit.likeness();
        if self.seen.get(name) == Some(&likeness) {
            return true;
        }
        if self.live.get(name) == Some(&likeness) {
            // A bad file was replaced by what runs already.
            self.clear_refusal(name);
            self.seen.insert(name.clone(), likeness);
            return true;
        }
        let digest = unit.digest;
        let outcome = self.load(name, unit).await;
        let done = match outcome {
            Ok(generation) => {
                let live = self.install(name, generation).await;
                if live {
                    self.live.insert(name.clone(), likeness.clone());
                }
                live
            }
            Err(NotLoaded::Refused(reason)) => self.refuse(name, Refusal { digest, reason }).await,
            Err(NotLoaded::Later(reason)) => {
                self.refuse(name, Refusal { digest, reason }).await;
                false
            }
        };
        if done {
            self.seen.insert(name.clone(), likeness);
        }
        true
    }

    async fn load(&self, name: &PluginName, unit: Unit) -> Result<Generation, NotLoaded> {
        let running = self.sandbox.generation(name);
        self.loader.load(unit, running.as_deref()).await
    }

    /// False if the membership could not be written: the next pass loads it again.
    async fn install(&self, name: &PluginName, generation: Generation) -> bool {
        let membership = Membership {
            name: name.clone(),
            enabled: generation.enabled,
            patterns: generation.patterns.clone(),
            digest: Some(generation.digest),
            config_schema: generation.fit.schema().map(|it| Arc::clone(it.text())),
        };
        if !self.remember(&membership).await {
            return false;
        }
        tracing::info!(
            plugin = %name,
            digest = %generation.digest,
            generation = generation.number,
            version = %generation.about.version,
            "a plugin is live"
        );
        metrics::generation(name).set(generation.number as f64);
        metrics::refused(name).set(0.0);
        let generation = Arc::new(generation);
        self.change(|registry| {
            self.member(registry, &membership)
                .install(membership.clone(), Arc::clone(&generation));
        });
        self.sandbox.ring();
        true
    }

    /// The old generation, if there is one, goes on.
    async fn refuse(&self, name: &PluginName, refusal: Refusal) -> bool {
        let known = self.sandbox.registry.load().members.get(name).cloned();
        if known
            .as_ref()
            .is_some_and(|member| member.refusal.as_ref() == Some(&refusal))
        {
            return true;
        }
        let membership = known.map_or_else(
            || Membership {
                name: name.clone(),
                enabled: true,
                patterns: Vec::new(),
                digest: None,
                config_schema: None,
            },
            |member| member.membership,
        );
        if !self.remember(&membership).await {
            return false;
        }
        tracing::warn!(plugin = %name, reason = %refusal.reason, "a plugin's file is refused");
        metrics::refused(name).set(1.0);
        self.change(|registry| {
            self.member(registry, &membership).refusal = Some(refusal.clone());
        });
        // Nothing more can run, but a delivery that waits says for what.
        self.sandbox.ring();
        true
    }

    fn clear_refusal(&self, name: &PluginName) {
        metrics::refused(name).set(0.0);
        self.change(|registry| {
            if let Some(member) = registry.members.get_mut(name) {
                member.refusal = None;
            }
        });
        self.sandbox.ring();
    }

    fn member<'a>(&self, registry: &'a mut Registry, membership: &Membership) -> &'a mut Member {
        let new = || Member::remembered(membership.clone(), &self.config);
        registry
            .members
            .entry(membership.name.clone())
            .or_insert_with(new)
    }

    async fn remove_all_but(&mut self, there: &[PluginName]) {
        let registry = self.sandbox.registry.load_full();
        let missing = registry
            .members
            .keys()
            .filter(|name| there.binary_search(name).is_err());
        for name in missing {
            let since = *self.gone.entry(name.clone()).or_insert_with(Instant::now);
            if since.elapsed() < self.config.folder_times.removal_wait {
                continue;
            }
            let removal = CatalogChange::RemovePlugin(name.clone());
            match self.catalog.change(removal).await {
                Ok(_) | Err(CatalogError::NotFound) => {}
                Err(why) => {
                    warn_unwritten(name, &why);
                    continue;
                }
            }
            tracing::info!(plugin = %name, "a plugin was removed");
            metrics::generation(name).set(0.0);
            metrics::refused(name).set(0.0);
            self.change(|registry| {
                registry.members.remove(name);
            });
            self.gone.remove(name);
            self.seen.remove(name);
            self.live.remove(name);
            self.sandbox.ring();
        }
    }

    /// Writes a membership if the catalog does not hold it as it is.
    async fn remember(&self, membership: &Membership) -> bool {
        let known = self.catalog.snapshot();
        if known
            .plugins
            .get(&membership.name)
            .is_some_and(|known| **known == *membership)
        {
            return true;
        }
        match self
            .catalog
            .change(CatalogChange::PutPlugin(membership.clone()))
            .await
        {
            Ok(_) => true,
            Err(why) => {
                warn_unwritten(&membership.name, &why);
                false
            }
        }
    }

    /// This task alone changes the registry, so nothing is lost between load and store.
    fn change(&self, edit: impl FnOnce(&mut Registry)) {
        let mut registry = Registry::clone(&self.sandbox.registry.load());
        edit(&mut registry);
        self.sandbox.registry.store(Arc::new(registry));
    }
}

fn warn_unwritten(name: &PluginName, why: &CatalogError) {
    tracing::warn!(
        plugin = %name,
        reason = %why,
        "a change of a plugin's membership cannot be written: it will be tried again"
    );
}

/// None if the work panicked, or the runtime is ending.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Some(done),
        Err(why) => {
            tracing::error!(reason = %why, "reading the plugin folder was broken off");
            None
        }
    }
}
