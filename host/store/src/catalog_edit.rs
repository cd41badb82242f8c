//! What a change of the catalog comes to: pure, so that every store decides alike.
//!
//! Nothing is touched unless the whole change holds. The catalog's revision moves exactly with
//! what decides about recipients, hooks and event types: a new token or a plugin's coming must
//! not send posters back to compute their recipients again.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use whisperer_domain::access::{AuditEntry, Note, token_id};
use whisperer_domain::catalog::{CatalogChange, CatalogSnapshot, Token};
use whisperer_domain::event_type::{EventType, EventTypeInfo};
use whisperer_domain::hook::{Hook, HookStatus};
use whisperer_domain::id::HookId;
use whisperer_domain::plugin::{Membership, PluginName};
use whisperer_domain::port::CatalogError;
use whisperer_domain::time::Timestamp;

/// What was changed, for the store to write.
pub(crate) enum Edit {
    HookCreated(Arc<Hook>),
    HookReplaced(Arc<Hook>),
    HookDeleted(Arc<Hook>),
    TypePut(EventType, Arc<EventTypeInfo>),
    TypeDeleted(EventType),
    TokenPut(Arc<Token>),
    TokenDeleted([u8; 32]),
    Noted(String),
    PluginPut(Arc<Membership>),
    PluginRemoved(PluginName),
}

impl Edit {
    /// What was changed, as the audit names it.
    pub(crate) fn object(&self) -> String {
        match self {
            Self::HookCreated(hook) | Self::HookReplaced(hook) | Self::HookDeleted(hook) => {
                hook_object(hook.id)
            }
            Self::TypePut(name, _) | Self::TypeDeleted(name) => format!("event-types/{name}"),
            Self::TokenPut(token) => format!("tokens/{}", token_id(&token.hash)),
            Self::TokenDeleted(hash) => format!("tokens/{}", token_id(hash)),
            Self::PluginPut(membership) => format!("plugins/{}", membership.name),
            Self::PluginRemoved(name) => format!("plugins/{name}"),
            Self::Noted(object) => object.clone(),
        }
    }
}

/// A hook, as the audit names it.
pub(crate) fn hook_object(id: HookId) -> String {
    format!("hooks/{}", id.0)
}

/// The entry that a note becomes, once its change is made.
pub(crate) fn entry(note: Note, object: String, number: u64, at: Timestamp) -> AuditEntry {
    AuditEntry {
        number,
        at,
        actor: note.actor,
        action: note.action.to_owned(),
        object,
        before: note.before,
        after: note.after,
    }
}

/// Makes one change. `next_hook` is the number that the next new hook gets.
pub(crate) fn edit(
    catalog: &mut CatalogSnapshot,
    change: CatalogChange,
    now: Timestamp,
    next_hook: &mut u64,
) -> Result<Edit, CatalogError> {
    match change {
        CatalogChange::CreateHook(hook) => create(catalog, *hook, now, next_hook),
        CatalogChange::ReplaceHook(hook) => replace(catalog, *hook, now),
        CatalogChange::DeleteHook(id) => {
            let hook = catalog.hooks.remove(&id).ok_or(CatalogError::NotFound)?;
            catalog.revision.0 += 1;
            Ok(Edit::HookDeleted(hook))
        }
        CatalogChange::PutEventType(name, info) => {
            let info = Arc::new(info);
            catalog.event_types.insert(name.clone(), Arc::clone(&info));
            catalog.revision.0 += 1;
            Ok(Edit::TypePut(name, info))
        }
        CatalogChange::DeleteEventType(name) => {
            catalog
                .event_types
                .remove(&name)
                .ok_or(CatalogError::NotFound)?;
            catalog.revision.0 += 1;
            Ok(Edit::TypeDeleted(name))
        }
        CatalogChange::PutToken(token) => {
            let known = catalog.tokens.get(&token.hash);
            let created_at = known.map_or(now, |token| token.created_at);
            let token = Arc::new(Token {
                created_at,
                ..token
            });
            catalog.tokens.insert(token.hash, Arc::clone(&token));
            Ok(Edit::TokenPut(token))
        }
        CatalogChange::DeleteToken(hash) => {
            catalog.tokens.remove(&hash).ok_or(CatalogError::NotFound)?;
            Ok(Edit::TokenDeleted(hash))
        }
        CatalogChange::Noted(object) => Ok(Edit::Noted(object)),
        CatalogChange::PutPlugin(membership) => {
            let membership = Arc::new(membership);
            catalog
                .plugins
                .insert(membership.name.clone(), Arc::clone(&membership));
            Ok(Edit::PluginPut(membership))
        }
        CatalogChange::RemovePlugin(name) => {
            catalog
                .plugins
                .remove(&name)
                .ok_or(CatalogError::NotFound)?;
            Ok(Edit::PluginRemoved(name))
        }
    }
}

/// Disables a hook because its receiver said 410. None if it was deleted meanwhile.
pub(crate) fn disable(
    catalog: &mut CatalogSnapshot,
    id: HookId,
    reason: String,
    now: Timestamp,
) -> Option<Arc<Hook>> {
    let mut hook = Hook::clone(catalog.hooks.get(&id)?);
    hook.status = HookStatus::Disabled { reason, since: now };
    hook.drop_expired_keys(now);
    hook.modified_at = now.max(hook.created_at);
    hook.revision += 1;
    let hook = catalog.hooks.insert(hook);
    catalog.revision.0 += 1;
    Some(hook)
}

fn create(
    catalog: &mut CatalogSnapshot,
    hook: Hook,
    now: Timestamp,
    next_hook: &mut u64,
) -> Result<Edit, CatalogError> {
    let hook = Hook {
        id: HookId(*next_hook),
        created_at: now,
        modified_at: now,
        revision: 1,
        secrets_unreadable: false,
        ..hook
    };
    if catalog.hooks.twin_of(&hook).is_some() {
        return Err(CatalogError::Duplicate);
    }
    *next_hook += 1;
    let hook = catalog.hooks.insert(hook);
    catalog.revision.0 += 1;
    Ok(Edit::HookCreated(hook))
}

fn replace(
    catalog: &mut CatalogSnapshot,
    hook: Hook,
    now: Timestamp,
) -> Result<Edit, CatalogError> {
    let old = catalog.hooks.get(&hook.id).ok_or(CatalogError::NotFound)?;
    if old.revision != hook.revision {
        return Err(CatalogError::Stale);
    }
    if catalog.hooks.twin_of(&hook).is_some() {
        return Err(CatalogError::Duplicate);
    }
    let mut hook = Hook {
        created_at: old.created_at,
        modified_at: now.max(old.created_at),
        revision: old.revision + 1,
        ..hook
    };
    hook.drop_expired_keys(now);
    let hook = catalog.hooks.insert(hook);
    catalog.revision.0 += 1;
    Ok(Edit::HookReplaced(hook))
}
