//! All hooks, and everything by which they are looked for: their subscriptions, their owners, and
//! what makes two of them the same.
//!
//! A hundred thousand of them may stand here, and each change of one makes a new snapshot on the
//! thread that all commits wait for. So the maps share what did not change: a copy costs some
//! counters, a change some nodes of each tree, whatever their number. The indexes are private and
//! follow `insert` and `remove` themselves: nobody can forget to bring them up to date.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Index;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use super::owners::Owners;
use super::subscribers::Subscribers;
use crate::event_type::EventType;
use crate::filter::Filter;
use crate::hook::Hook;
use crate::id::{HookId, Owner};

#[derive(Clone, Default, PartialEq)]
pub struct Hooks {
    by_id: OrdMap<HookId, Arc<Hook>>,
    subscribers: Subscribers,
    owners: Owners,
    /// By a hash of what no two hooks have in common. Two hooks may have the same hash, so what
    /// is found is compared: it is an index, not a judge.
    identities: OrdSet<(u64, HookId)>,
}

impl Hooks {
    #[must_use]
    pub fn get(&self, id: &HookId) -> Option<&Arc<Hook>> {
        self.by_id.get(id)
    }

    #[must_use]
    pub fn contains_key(&self, id: &HookId) -> bool {
        self.by_id.contains_key(id)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// In id order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&HookId, &Arc<Hook>)> {
        self.by_id.iter()
    }

    /// In id order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Arc<Hook>> {
        self.by_id.iter().map(|(_, hook)| hook)
    }

    /// Those with a lower id, newest first.
    pub fn below(&self, id: HookId) -> impl Iterator<Item = &Arc<Hook>> {
        self.by_id.range(..id).rev().map(|(_, hook)| hook)
    }

    /// An owner's hooks with a lower id, newest first. Others' are not looked at.
    pub fn of_owner_below<'a>(
        &'a self,
        owner: &Owner,
        id: HookId,
    ) -> impl Iterator<Item = &'a Arc<Hook>> {
        let ids = self.owners.ids(owner);
        ids.into_iter()
            .flat_map(move |ids| ids.range(..id).rev())
            .filter_map(|id| self.by_id.get(id))
    }

    /// What the texts in the hooks of this one's owner would come to in bytes with this one among
    /// them, in place of its earlier form.
    #[must_use]
    pub fn held_bytes_with(&self, hook: &Hook) -> usize {
        let earlier = self.by_id.get(&hook.id);
        let earlier = earlier.filter(|earlier| earlier.owner == hook.owner);
        self.owners.held_bytes_with(hook, earlier.map(|it| &**it))
    }

    /// Another hook of the same owner with the same target and subscription.
    #[must_use]
    pub fn twin_of(&self, hook: &Hook) -> Option<&Arc<Hook>> {
        let hash = identity(hook);
        self.identities
            .range((hash, HookId(0))..=(hash, HookId(u64::MAX)))
            .filter(|(_, id)| *id != hook.id)
            .filter_map(|(_, id)| self.by_id.get(id))
            .find(|other| {
                other.owner == hook.owner
                    && other.target == hook.target
                    && other.subscription == hook.subscription
            })
    }

    /// Puts a hook in the place of the one with the same id.
    pub fn insert(&mut self, mut hook: Hook) -> Arc<Hook> {
        self.remove(&hook.id);
        self.subscribers.add(&mut hook);
        self.owners.add(&mut hook);
        self.identities.insert((identity(&hook), hook.id));
        let hook = Arc::new(hook);
        self.by_id.insert(hook.id, Arc::clone(&hook));
        hook
    }

    pub fn remove(&mut self, id: &HookId) -> Option<Arc<Hook>> {
        let hook = self.by_id.remove(id)?;
        self.subscribers.remove(&hook);
        self.owners.remove(&hook);
        self.identities.remove(&(identity(&hook), *id));
        Some(hook)
    }

    /// Who gets new events of this type, in id order, each with its filter.
    pub(super) fn subscribed(&self, event_type: &EventType) -> Vec<(HookId, Option<&Arc<Filter>>)> {
        self.subscribers.to(event_type)
    }
}

/// The hash's keys are known. Whoever finds hooks of his own with the same hash makes his own
/// writes slower by a comparison each.
fn identity(hook: &Hook) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&hook.owner, &hook.target, &hook.subscription).hash(&mut hasher);
    hasher.finish()
}

impl Index<&HookId> for Hooks {
    type Output = Arc<Hook>;

    fn index(&self, id: &HookId) -> &Self::Output {
        &self.by_id[id]
    }
}

impl FromIterator<Hook> for Hooks {
    fn from_iter<I: IntoIterator<Item = Hook>>(all: I) -> Self {
        let mut hooks = Self::default();
        for hook in all {
            hooks.insert(hook);
        }
        hooks
    }
}

/// The hooks only: the indexes say nothing that they do not.
impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::hook;
    use super::{Hooks, identity};
    use crate::hook::Hook;
    use crate::id::HookId;

    #[test]
    fn hooks_that_have_their_hash_by_chance_are_no_twins() {
        let mut hooks = Hooks::default();
        let there = hooks.insert(hook(1, "ann", "https://a.example/", "*"));
        let asked = hook(2, "ann", "https://b.example/", "*");
        hooks.identities.insert((identity(&asked), there.id));
        assert_eq!(hooks.twin_of(&asked), None);

        let id = HookId(3);
        let twin = hooks.insert(Hook {
            id,
            ..asked.clone()
        });
        assert_eq!(
            hooks.twin_of(&asked),
            Some(&twin),
            "the false one is passed over"
        );
        assert_eq!(hooks.twin_of(&twin), None, "nobody is his own twin");
    }
}
