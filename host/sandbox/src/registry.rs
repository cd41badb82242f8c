//! What is in the folder and what of it can run: a value that is replaced, never changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use whisperer_domain::delivery::Waiting;
use whisperer_domain::event_type::{EventPattern, EventType};
use whisperer_domain::hook::{ChainLink, PluginChoice};
use whisperer_domain::id::Digest;
use whisperer_domain::plugin::{Membership, PluginName};
use whisperer_domain::secret::Secret;

use crate::config::SandboxConfig;
use crate::fit::Fit;
use crate::limits::Limits;
use crate::load::Code;
use crate::quarantine::Quarantine;
use crate::status::{About, Refusal, Stray};
use crate::tally::Tally;

#[derive(Clone, Default)]
pub(crate) struct Registry {
    pub(crate) members: BTreeMap<PluginName, Member>,
    pub(crate) strays: Vec<Stray>,
}

/// A plugin's place in the folder.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) membership: Membership,
    pub(crate) generation: Option<Arc<Generation>>,
    /// Why the newest file does not run.
    pub(crate) refusal: Option<Refusal>,
    /// These are over all generations: a swap must not double what a plugin may take, nor lose
    /// what is known of it.
    pub(crate) turns: Turns,
    pub(crate) tally: Arc<Tally>,
    pub(crate) quarantine: Arc<Quarantine>,
}

/// How many calls of one plugin may run.
#[derive(Clone)]
pub(crate) struct Turns {
    calls_max: usize,
    permits: Arc<Semaphore>,
}

impl Turns {
    fn new(calls_max: usize) -> Self {
        Self {
            calls_max,
            permits: Arc::new(Semaphore::new(calls_max)),
        }
    }
}

/// One load of a plugin's file, with the settings beside it.
pub(crate) struct Generation {
    pub(crate) number: u64,
    pub(crate) digest: Digest,
    pub(crate) code: Arc<Code>,
    pub(crate) about: About,
    pub(crate) enabled: bool,
    pub(crate) patterns: Vec<EventPattern>,
    /// JSON text for hooks that give no configuration.
    pub(crate) config: Secret,
    pub(crate) fit: Fit,
    /// The text of the TOML file beside it.
    pub(crate) settings: Option<Secret>,
    pub(crate) limits: Limits,
}

/// One plugin of a chain that is about to run.
pub(crate) struct Link {
    pub(crate) name: PluginName,
    pub(crate) generation: Arc<Generation>,
    pub(crate) turns: Arc<Semaphore>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) quarantine: Arc<Quarantine>,
    /// Opened only for the call.
    pub(crate) config: Secret,
}

impl Registry {
    /// The chain for an event, complete or not at all.
    ///
    /// # Errors
    /// What it has to wait for.
    pub(crate) fn chain(
        &self,
        choice: &PluginChoice,
        event_type: &EventType,
    ) -> Result<Vec<Link>, Waiting> {
        match choice {
            PluginChoice::ByPattern => self
                .members
                .iter()
                .filter(|(_, member)| member.applies_to(event_type))
                .map(|(name, member)| member.link(name, None))
                .collect(),
            PluginChoice::Chain(links) => links
                .iter()
                .map(|link| {
                    let member = self.members.get(&link.name);
                    let missing = || Waiting::PluginMissing(link.name.clone());
                    member.ok_or_else(missing)?.link(&link.name, Some(link))
                })
                .collect(),
        }
    }
}

impl Member {
    /// Of a plugin that was known before this process; nothing of it is loaded yet.
    pub(crate) fn remembered(membership: Membership, config: &SandboxConfig) -> Self {
        Self {
            tally: Arc::new(Tally::of(&membership.name)),
            membership,
            generation: None,
            refusal: None,
            turns: Turns::new(config.limits.calls_max),
            quarantine: Arc::new(Quarantine::new(config.probe_every)),
        }
    }

    /// Makes this generation the one that runs.
    pub(crate) fn install(&mut self, membership: Membership, generation: Arc<Generation>) {
        let calls_max = generation.limits.calls_max;
        if calls_max != self.turns.calls_max {
            self.turns = Turns::new(calls_max);
        }
        self.membership = membership;
        self.generation = Some(generation);
        self.refusal = None;
    }

    fn applies_to(&self, event_type: &EventType) -> bool {
        self.membership.enabled
            && self
                .membership
                .patterns
                .iter()
                .any(|pattern| pattern.matches(event_type))
    }

    fn link(&self, name: &PluginName, asked: Option<&ChainLink>) -> Result<Link, Waiting> {
        let Some(generation) = &self.generation else {
            return Err(Waiting::PluginNotReady(name.clone()));
        };
        let config = generation.config_for(asked);
        if !generation.fit.fits(config) {
            return Err(Waiting::PluginConfigUnfit(name.clone()));
        }
        Ok(Link {
            name: name.clone(),
            generation: Arc::clone(generation),
            turns: Arc::clone(&self.turns.permits),
            tally: Arc::clone(&self.tally),
            quarantine: Arc::clone(&self.quarantine),
            config: config.clone(),
        })
    }
}

impl Generation {
    /// The configuration that a hook's link runs with.
    pub(crate) fn config_for<'a>(&'a self, asked: Option<&'a ChainLink>) -> &'a Secret {
        // An empty object says no more than nothing does: the operator's default applies.
        let says_something =
            |link: &&ChainLink| !matches!(link.config.expose().trim(), "" | "null" | "{}");
        match asked.filter(says_something) {
            None => &self.config,
            Some(link) => &link.config,
        }
    }
}
