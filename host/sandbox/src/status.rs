//! What people may know of the plugins.

use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::event_type::EventPattern;
use whisperer_domain::hook::PluginChoice;
use whisperer_domain::id::{Digest, HookId};
use whisperer_domain::json_schema::Misfit;
use whisperer_domain::plugin::PluginName;

use crate::limits::Limits;
use crate::quarantine::Stopped;
use crate::registry::{Generation, Member};
use crate::tally::Totals;

/// So many hooks that no longer fit are named; the others show once these are mended.
const UNFIT_MAX: usize = 100;

/// A member of the folder as it stands.
#[derive(Clone, Debug)]
pub struct PluginStatus {
    pub name: PluginName,
    pub enabled: bool,
    /// What it runs on where a hook names no chain.
    pub patterns: Vec<EventPattern>,
    /// Of the generation that runs.
    pub digest: Option<Digest>,
    /// Counts the loads of this process; 0: none runs.
    pub generation: u64,
    pub limits: Option<Limits>,
    pub imports: Vec<String>,
    /// What the running generation says of itself.
    pub about: About,
    /// Why the newest file does not run.
    pub refusal: Option<Refusal>,
    /// What the operator's own default lacks: hooks that name no configuration wait.
    pub default_misfits: Vec<Misfit>,
    /// Hooks whose configuration the running generation does not take. Their deliveries wait.
    pub unfit: Vec<UnfitHook>,
    pub stopped: Stopped,
    pub totals: Totals,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfitHook {
    pub hook: HookId,
    pub misfits: Vec<Misfit>,
}

/// What a plugin says of itself; all empty if it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    pub version: String,
    pub summary: String,
    /// JSON Schema as the plugin gave it: a stranger's text.
    pub config_schema: Option<String>,
    pub config_example: Option<String>,
}

/// Why a file is not taken. An older generation may run meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// None: the file could not even be read.
    pub digest: Option<Digest>,
    /// The whole of it, causes included.
    pub reason: String,
}

/// Something in the folder that belongs to no plugin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stray {
    pub file: String,
    pub reason: String,
}

impl PluginStatus {
    pub(crate) fn of(member: &Member, catalog: &CatalogSnapshot) -> Self {
        let generation = member.generation.as_deref();
        let name = &member.membership.name;
        Self {
            name: name.clone(),
            enabled: member.membership.enabled,
            patterns: member.membership.patterns.clone(),
            digest: generation.map(|it| it.digest),
            generation: generation.map_or(0, |it| it.number),
            limits: generation.map(|it| it.limits),
            imports: generation
                .map(|it| it.code.imports.clone())
                .unwrap_or_default(),
            about: generation.map(|it| it.about.clone()).unwrap_or_default(),
            refusal: member.refusal.clone(),
            default_misfits: generation
                .map(|it| it.fit.misfits(&it.config))
                .unwrap_or_default(),
            unfit: generation
                .map(|it| unfit(name, it, catalog))
                .unwrap_or_default(),
            stopped: member.quarantine.stopped(),
            totals: member.tally.totals(),
        }
    }
}

fn unfit(name: &PluginName, generation: &Generation, catalog: &CatalogSnapshot) -> Vec<UnfitHook> {
    if generation.fit.schema().is_none() {
        return Vec::new();
    }
    let links = catalog.hooks.values().flat_map(|hook| {
        let links = match &hook.plugins {
            PluginChoice::ByPattern => &[],
            PluginChoice::Chain(links) => links.as_slice(),
        };
        links.iter().map(|link| (hook.id, link))
    });
    links
        .filter(|(_, link)| link.name == *name)
        .map(|(hook, link)| UnfitHook {
            hook,
            misfits: generation.fit.misfits(generation.config_for(Some(link))),
        })
        .filter(|unfit| !unfit.misfits.is_empty())
        .take(UNFIT_MAX)
        .collect()
}
