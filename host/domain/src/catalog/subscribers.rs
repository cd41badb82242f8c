//! Hooks by what they subscribe to, so that finding an event's recipients reads those alone.
//!
//! Holds exactly the hooks that get new events ([`Hook::accepts`]), each under its pattern, with
//! its filter: a hundred thousand recipients are not looked up once more to ask who has one. A
//! pattern that nobody has is not kept.

use std::sync::Arc;

use imbl::OrdMap;

use crate::event_type::{EventPattern, EventType};
use crate::filter::Filter;
use crate::hook::Hook;
use crate::id::HookId;

#[derive(Clone, Default, PartialEq)]
pub(super) struct Subscribers {
    all: ByHook,
    exact: OrdMap<EventType, ByHook>,
    /// By what stands before the `.*`.
    under: OrdMap<Arc<str>, ByHook>,
}

type ByHook = OrdMap<HookId, Option<Arc<Filter>>>;

impl Subscribers {
    /// The hook gets the pattern's text as the others have it: one for all, and not one for each,
    /// as they come from the API or a file.
    pub(super) fn add(&mut self, hook: &mut Hook) {
        if !hook.accepts() {
            return;
        }
        let hooks = match &mut hook.subscription {
            EventPattern::All => &mut self.all,
            EventPattern::Exact(name) => shared(&mut self.exact, name),
            EventPattern::Under(prefix) => shared(&mut self.under, prefix),
        };
        hooks.insert(hook.id, hook.filter.clone());
    }

    /// `hook` as it was added.
    pub(super) fn remove(&mut self, hook: &Hook) {
        if !hook.accepts() {
            return;
        }
        match &hook.subscription {
            EventPattern::All => drop(self.all.remove(&hook.id)),
            EventPattern::Exact(name) => remove_from(&mut self.exact, name, hook.id),
            EventPattern::Under(prefix) => remove_from(&mut self.under, prefix, hook.id),
        }
    }

    /// Who gets events of this type, in id order.
    pub(super) fn to(&self, event_type: &EventType) -> Vec<(HookId, Option<&Arc<Filter>>)> {
        let name = event_type.as_str();
        let prefixes = name.match_indices('.').map(|(dot, _)| &name[..dot]);
        // What we tell of ourselves is for those who name it.
        let all = Some(&self.all).filter(|_| !event_type.is_operational());
        let patterns = [all, self.exact.get(event_type)]
            .into_iter()
            .chain(prefixes.map(|prefix| self.under.get(prefix)))
            .flatten();
        let mut found = Vec::new();
        for hooks in patterns {
            found.reserve(hooks.len());
            found.extend(hooks.iter().map(|(id, filter)| (*id, filter.as_ref())));
        }
        // The stable sort, because it merges the runs that these are; no hook is there twice.
        found.sort_by_key(|(id, _)| *id);
        found
    }
}

fn shared<'a, K: Ord + Clone>(
    patterns: &'a mut OrdMap<K, ByHook>,
    pattern: &mut K,
) -> &'a mut ByHook {
    if let Some((known, _)) = patterns.get_key_value(pattern) {
        *pattern = known.clone();
    }
    patterns.entry(pattern.clone()).or_default()
}

fn remove_from<K: Ord + Clone>(patterns: &mut OrdMap<K, ByHook>, pattern: &K, id: HookId) {
    let Some(hooks) = patterns.get_mut(pattern) else {
        return;
    };
    hooks.remove(&id);
    if hooks.is_empty() {
        patterns.remove(pattern);
    }
}
