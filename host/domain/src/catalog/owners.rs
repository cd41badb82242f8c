//! Hooks by their owner, and how much an owner's hooks hold: the catalog is in memory whole, and
//! its owners decide what is in it, so that their share of it is asked at each write of a hook.

use imbl::{OrdMap, OrdSet};

use crate::hook::{Hook, PluginChoice};
use crate::id::{HookId, Owner};
use crate::secret::Secret;

/// An owner without hooks is not kept.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Owners(OrdMap<Owner, Owned>);

#[derive(Clone, Default, PartialEq)]
struct Owned {
    ids: OrdSet<HookId>,
    /// The sum of [`text_bytes`].
    bytes: usize,
}

impl Owners {
    pub(super) fn ids(&self, owner: &Owner) -> Option<&OrdSet<HookId>> {
        self.0.get(owner).map(|owned| &owned.ids)
    }

    /// With `earlier` gone, which is one of the owner's hooks.
    pub(super) fn held_bytes_with(&self, hook: &Hook, earlier: Option<&Hook>) -> usize {
        let all = self.0.get(&hook.owner).map_or(0, |owned| owned.bytes);
        all - earlier.map_or(0, text_bytes) + text_bytes(hook)
    }

    /// The hook gets its owner's name as the others have it: one text for all.
    pub(super) fn add(&mut self, hook: &mut Hook) {
        if let Some((known, _)) = self.0.get_key_value(&hook.owner) {
            hook.owner = known.clone();
        }
        let owned = self.0.entry(hook.owner.clone()).or_default();
        owned.ids.insert(hook.id);
        owned.bytes += text_bytes(hook);
    }

    /// `hook` as it was added.
    pub(super) fn remove(&mut self, hook: &Hook) {
        let Some(owned) = self.0.get_mut(&hook.owner) else {
            return;
        };
        owned.ids.remove(&hook.id);
        owned.bytes -= text_bytes(hook);
        if owned.ids.is_empty() {
            self.0.remove(&hook.owner);
        }
    }
}

/// The texts whose length is the owner's choice.
fn text_bytes(hook: &Hook) -> usize {
    let headers = hook.additional_headers.iter().flatten();
    let headers = headers.map(|(name, value)| name.len() + value.len());
    let plugins = match &hook.plugins {
        PluginChoice::ByPattern => &[][..],
        PluginChoice::Chain(links) => links,
    };
    let old_secrets = hook.old_secret_keys.iter();
    let old_secrets = old_secrets.map(|old| old.key.len());
    let pairs = hook.old_key_pairs.iter().map(|old| &old.key);
    let pairs = pairs.chain(&hook.key_pair);
    let pairs = pairs.map(|pair| pair.private().len());
    let plugins = plugins.iter().map(|link| link.config.len());
    hook.config.len()
        + hook.filter.as_ref().map_or(0, |filter| filter.text().len())
        + hook.target.as_str().len()
        + hook.secret_key.as_ref().map_or(0, Secret::len)
        + headers.sum::<usize>()
        + plugins.sum::<usize>()
        + old_secrets.sum::<usize>()
        + pairs.sum::<usize>()
}
