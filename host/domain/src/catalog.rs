//! What is set up, at one revision: hooks, event types, tokens, memberships. A snapshot never
//! changes; a change makes the next one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

use crate::access::{Right, Rights};
use crate::event_type::{EventPattern, EventType, EventTypeInfo};
use crate::filter::Filter;
use crate::hook::Hook;
use crate::id::{HookId, Owner};
use crate::json::Tree;
use crate::plugin::{Membership, PluginName};
use crate::time::Timestamp;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(pub u64);

#[derive(Clone, Debug, Default)]
pub struct CatalogSnapshot {
    pub revision: Revision,
    pub hooks: BTreeMap<HookId, Arc<Hook>>,
    pub event_types: BTreeMap<EventType, Arc<EventTypeInfo>>,
    /// By the SHA-256 of the token.
    pub tokens: HashMap<[u8; 32], Arc<Token>>,
    pub plugins: BTreeMap<PluginName, Arc<Membership>>,
    subscriptions: Subscriptions,
}

/// Hooks by what they subscribe to, so that finding an event's recipients does not read
/// every hook.
#[derive(Clone, Debug, Default)]
struct Subscriptions {
    all: Vec<HookId>,
    exact: HashMap<EventType, Vec<HookId>>,
    under: HashMap<String, Vec<HookId>>,
    /// Of the active hooks that have one.
    filters: HashMap<HookId, Arc<Filter>>,
}

impl CatalogSnapshot {
    /// Must follow every change to `hooks`.
    pub fn index(&mut self) {
        let mut subscriptions = Subscriptions::default();
        for (id, hook) in &self.hooks {
            if !hook.accepts() {
                continue;
            }
            if let Some(filter) = &hook.filter {
                subscriptions.filters.insert(*id, Arc::clone(filter));
            }
            match &hook.subscription {
                EventPattern::All => subscriptions.all.push(*id),
                EventPattern::Exact(name) => {
                    subscriptions
                        .exact
                        .entry(name.clone())
                        .or_default()
                        .push(*id);
                }
                EventPattern::Under(prefix) => {
                    subscriptions
                        .under
                        .entry(prefix.to_string())
                        .or_default()
                        .push(*id);
                }
            }
        }
        self.subscriptions = subscriptions;
    }

    /// The hooks that an operational event goes to: those that name it and are an admin's.
    #[must_use]
    pub fn listeners(&self, news: &EventType) -> Vec<HookId> {
        let is_admins = |id: &HookId| {
            let owner = self.hooks.get(id).map(|hook| &hook.owner);
            let mut tokens = self.tokens.values();
            tokens.any(|token| token.is_admin() && Some(&token.owner) == owner)
        };
        let mut ids = self.subscribed(news);
        ids.retain(is_admins);
        ids
    }

    /// The hooks that an event of this type goes to, in id order, paused ones included: those whose
    /// filter lets `payload` through, and with `config_filter` only those whose `config` has all
    /// its members with equal values. `payload` is none where it is not JSON, which no filter
    /// matches.
    #[must_use]
    pub fn recipients(
        &self,
        event_type: &EventType,
        payload: Option<&[u8]>,
        config_filter: Option<&serde_json::Map<String, Value>>,
    ) -> Vec<HookId> {
        let mut ids = self.subscribed(event_type);
        if let Some(filter) = config_filter {
            ids.retain(|id| {
                self.hooks
                    .get(id)
                    .is_some_and(|hook| config_has(&hook.config, filter))
            });
        }
        self.filtered(ids, payload)
    }

    fn subscribed(&self, event_type: &EventType) -> Vec<HookId> {
        let mut ids = if event_type.is_operational() {
            Vec::new()
        } else {
            self.subscriptions.all.clone()
        };
        ids.extend(
            self.subscriptions
                .exact
                .get(event_type)
                .into_iter()
                .flatten(),
        );
        for (dot, _) in event_type.as_str().match_indices('.') {
            let prefix = &event_type.as_str()[..dot];
            ids.extend(self.subscriptions.under.get(prefix).into_iter().flatten());
        }
        ids.sort_unstable();
        ids
    }

    /// The payload is laid out once for all filters, and only if there is one that asks.
    fn filtered(&self, mut ids: Vec<HookId>, payload: Option<&[u8]>) -> Vec<HookId> {
        let filters = &self.subscriptions.filters;
        if filters.is_empty() || !ids.iter().any(|id| filters.contains_key(id)) {
            return ids;
        }
        let payload = payload.and_then(Tree::of);
        ids.retain(|id| {
            filters.get(id).is_none_or(|filter| {
                let payload = payload.as_ref();
                payload.is_some_and(|payload| filter.matches(payload))
            })
        });
        ids
    }
}

fn config_has(config: &str, filter: &serde_json::Map<String, Value>) -> bool {
    let Ok(Value::Object(config)) = serde_json::from_str::<Value>(config) else {
        return filter.is_empty();
    };
    filter
        .iter()
        .all(|(name, wanted)| config.get(name) == Some(wanted))
}

/// An API token. Only the hash of its text is ever kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub hash: [u8; 32],
    pub owner: Owner,
    pub rights: Rights,
    pub created_at: Timestamp,
}

impl Token {
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.rights.has(Right::Admin)
    }
}

/// One change of the catalog. The store gives times, ids and revisions.
#[derive(Clone, Debug)]
pub enum CatalogChange {
    /// `id`, times and `revision` of the hook are the store's to set.
    CreateHook(Box<Hook>),
    /// `revision` of the hook is the one that this change was made from.
    ReplaceHook(Box<Hook>),
    /// Its pending deliveries are cancelled, its history stays.
    DeleteHook(HookId),
    PutEventType(EventType, EventTypeInfo),
    DeleteEventType(EventType),
    PutToken(Token),
    /// By the token's hash.
    DeleteToken([u8; 32]),
    /// Nothing of the catalog: something else was done, to this, and is to be remembered.
    Noted(String),
    PutPlugin(Membership),
    RemovePlugin(PluginName),
}

/// What a change came to.
#[derive(Clone, Debug)]
pub enum Changed {
    Hook(Arc<Hook>),
    Done,
}
