//! What is in the folder and what of it can run: a value that is replaced, never changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use whisperer_domain::delivery::Waiting;
use whisperer_domain::event_type::{EventPattern, EventType};
use whisperer_domain::hook::{ChainLink, PluginChoice};
use whisperer_domain::id::Digest;
use whisperer_domain::plugin::{Membership, PluginName};

use crate::limits::Limits;
use crate::load::Code;
use crate::status::{About, PluginStatus, Refusal, Stray};

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
    /// Over all generations: a swap must not double what a plugin may take.
    pub(crate) turns: Arc<Semaphore>,
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
    pub(crate) config: String,
    pub(crate) limits: Limits,
}

/// One plugin of a chain that is about to run.
pub(crate) struct Link {
    pub(crate) name: PluginName,
    pub(crate) generation: Arc<Generation>,
    pub(crate) turns: Arc<Semaphore>,
    pub(crate) config: String,
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

    pub(crate) fn statuses(&self) -> Vec<PluginStatus> {
        self.members.values().map(Member::status).collect()
    }
}

impl Member {
    /// Of a plugin that was known before this process; nothing of it is loaded yet.
    pub(crate) fn remembered(membership: Membership, calls_max: usize) -> Self {
        Self {
            membership,
            generation: None,
            refusal: None,
            turns: Arc::new(Semaphore::new(calls_max)),
        }
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
        // An empty object says no more than nothing does: the operator's default applies.
        let given = asked.map(|link| link.config.expose().trim());
        let config = match given {
            None | Some("" | "null" | "{}") => generation.config.clone(),
            Some(text) => text.to_owned(),
        };
        Ok(Link {
            name: name.clone(),
            generation: Arc::clone(generation),
            turns: Arc::clone(&self.turns),
            config,
        })
    }

    fn status(&self) -> PluginStatus {
        let generation = self.generation.as_deref();
        let about = generation.map(|generation| generation.about.clone());
        PluginStatus {
            name: self.membership.name.clone(),
            enabled: self.membership.enabled,
            patterns: self.membership.patterns.clone(),
            digest: generation.map(|generation| generation.digest),
            generation: generation.map_or(0, |generation| generation.number),
            limits: generation.map(|generation| generation.limits),
            imports: generation
                .map(|it| it.code.imports.clone())
                .unwrap_or_default(),
            about: about.unwrap_or_default(),
            refusal: self.refusal.clone(),
        }
    }
}
