//! What is set up, at one revision: hooks, event types, tokens, memberships. A snapshot never
//! changes; a change makes the next one. All of its maps share what did not change with the
//! snapshot before, so that neither a copy nor a change costs more the more there is.

mod hooks;
mod owners;
mod subscribers;
#[cfg(test)]
mod tests;

use std::cell::LazyCell;
use std::sync::Arc;

use imbl::{HashMap, OrdMap};
use serde_json::Value;

pub use hooks::Hooks;

use crate::access::{Right, Rights};
use crate::event_type::{EventType, EventTypeInfo};
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
    pub hooks: Hooks,
    pub event_types: OrdMap<EventType, Arc<EventTypeInfo>>,
    /// By the SHA-256 of the token.
    pub tokens: HashMap<[u8; 32], Arc<Token>>,
    pub plugins: OrdMap<PluginName, Arc<Membership>>,
}

impl CatalogSnapshot {
    /// The hooks that operational events of this type may go to: those that name it and are an
    /// admin's. Of each event [`CatalogSnapshot::recipients`] has the last word.
    #[must_use]
    pub fn listeners(&self, news: &EventType) -> Vec<HookId> {
        let is_admins = |id: &HookId| {
            let owner = self.hooks.get(id).map(|hook| &hook.owner);
            let mut tokens = self.tokens.values();
            tokens.any(|token| token.is_admin() && Some(&token.owner) == owner)
        };
        let found = self.hooks.subscribed(news).into_iter();
        found.map(|(id, _)| id).filter(is_admins).collect()
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
        let mut found = self.hooks.subscribed(event_type);
        if let Some(filter) = config_filter {
            found.retain(|(id, _)| {
                self.hooks
                    .get(id)
                    .is_some_and(|hook| config_has(&hook.config, filter))
            });
        }
        filtered(found, payload)
    }
}

/// The payload is laid out once for all filters, and only if there is one that asks.
fn filtered(found: Vec<(HookId, Option<&Arc<Filter>>)>, payload: Option<&[u8]>) -> Vec<HookId> {
    let payload = LazyCell::new(|| payload.and_then(Tree::of));
    let lets_through = |filter: &Filter| {
        payload
            .as_ref()
            .is_some_and(|payload| filter.matches(payload))
    };
    found
        .into_iter()
        .filter(|(_, filter)| filter.is_none_or(|filter| lets_through(filter)))
        .map(|(id, _)| id)
        .collect()
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
