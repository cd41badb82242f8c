//! Changing the catalog, as part of one transaction.

use std::sync::Arc;

use redb::ReadableTable;
use whisperer_domain::access::{AUDIT_ENTRIES_MAX, Note};
use whisperer_domain::catalog::{CatalogChange, Changed};
use whisperer_domain::delivery::CancelCause;
use whisperer_domain::hook::Hook;
use whisperer_domain::port::{CatalogError, FeedItem};

use super::lane::Moving;
use super::{Batch, lease};
use crate::catalog_edit::{self, Edit};
use crate::redb_store::fault::Fault;
use crate::redb_store::frame;
use crate::redb_store::record::{HookRecord, encode_event_type, encode_membership, encode_token};

impl Batch<'_, '_> {
    /// The outer error spoils the transaction unless it is damage, which was met before
    /// anything was written.
    pub(in crate::redb_store) fn change(
        &mut self,
        change: CatalogChange,
        note: Option<Note>,
    ) -> Result<Result<Changed, CatalogError>, Fault> {
        if let CatalogChange::Noted(object) = change {
            self.note(note, object)?;
            return Ok(Ok(Changed::Done));
        }
        let old = self.old_record(&change)?;
        let moving = match self.moving(&change)? {
            Ok(moving) => moving,
            Err(error) => return Ok(Err(error)),
        };
        let counters = &mut self.state.counters;
        let catalog = Arc::make_mut(&mut self.state.catalog);
        let edit = match catalog_edit::edit(catalog, change, self.now, &mut counters.hook) {
            Ok(edit) => edit,
            Err(error) => return Ok(Err(error)),
        };
        let revision = catalog.revision;
        self.catalog_changes();
        self.feed.push(FeedItem::Catalog(revision));
        self.note(note, edit.object())?;
        self.write_edit(edit, old, moving).map(Ok)
    }

    /// Remembers who changed this. The oldest entry makes room.
    pub(super) fn note(&mut self, note: Option<Note>, object: String) -> Result<(), Fault> {
        let Some(note) = note else { return Ok(()) };
        // What it is about may have come to nothing that is written, such as a replay to nobody.
        self.wrote = true;
        let audit = &mut self.tables.audit;
        let number = audit.last()?.map_or(0, |(number, _)| number.value()) + 1;
        let entry = catalog_edit::entry(note, object, number, self.now);
        audit.insert(number, &*frame::encode(&entry))?;
        if let Some(old) = number.checked_sub(AUDIT_ENTRIES_MAX) {
            audit.remove(old)?;
        }
        Ok(())
    }

    /// The record of a hook whose secrets are to be carried over unread.
    fn old_record(&self, change: &CatalogChange) -> Result<Option<HookRecord>, Fault> {
        match change {
            CatalogChange::ReplaceHook(hook) if hook.secrets_unreadable => {
                match self.tables.hooks.get(hook.id.0)? {
                    Some(bytes) => HookRecord::decode("hooks", hook.id, bytes.value()).map(Some),
                    None => Ok(None),
                }
            }
            CatalogChange::CreateHook(_)
            | CatalogChange::ReplaceHook(_)
            | CatalogChange::DeleteHook(_)
            | CatalogChange::PutEventType(..)
            | CatalogChange::DeleteEventType(_)
            | CatalogChange::PutToken(_)
            | CatalogChange::DeleteToken(_)
            | CatalogChange::Noted(_)
            | CatalogChange::PutPlugin(_)
            | CatalogChange::RemovePlugin(_) => Ok(None),
        }
    }

    fn write_edit(
        &mut self,
        edit: Edit,
        old: Option<HookRecord>,
        moving: Option<Moving>,
    ) -> Result<Changed, Fault> {
        let tables = &mut self.tables;
        match edit {
            Edit::HookCreated(hook) => {
                self.write_hook(&hook, None)?;
                return Ok(Changed::Hook(hook));
            }
            Edit::HookReplaced(hook) => {
                self.write_hook(&hook, old)?;
                self.forget_health(hook.id)?;
                let lease = lease(hook.id);
                let told = match moving {
                    Some(moving) => {
                        self.put_in_order(moving)?;
                        FeedItem::Recall(lease)
                    }
                    None => FeedItem::Look(lease),
                };
                self.feed.push(told);
                return Ok(Changed::Hook(hook));
            }
            Edit::HookDeleted(hook) => {
                tables.hooks.remove(hook.id.0)?;
                let tombstone = HookRecord::tombstone(&hook).encode();
                tables.tombstones.insert(hook.id.0, &*tombstone)?;
                self.forget_health(hook.id)?;
                self.cancel_lane(hook.id, CancelCause::HookDeleted)?;
                self.feed.push(FeedItem::Recall(lease(hook.id)));
            }
            Edit::TypePut(name, info) => {
                let record = encode_event_type(&info);
                tables.event_types.insert(name.as_str(), &*record)?;
            }
            Edit::TypeDeleted(name) => {
                tables.event_types.remove(name.as_str())?;
            }
            Edit::TokenPut(token) => {
                let record = encode_token(&token);
                tables.tokens.insert(&token.hash[..], &*record)?;
            }
            Edit::TokenDeleted(hash) => {
                tables.tokens.remove(&hash[..])?;
            }
            // Only the note was to be written.
            Edit::Noted(_) => {}
            Edit::PluginPut(membership) => {
                let record = encode_membership(&membership);
                tables.plugins.insert(membership.name.as_str(), &*record)?;
            }
            Edit::PluginRemoved(name) => {
                tables.plugins.remove(name.as_str())?;
            }
        }
        Ok(Changed::Done)
    }

    /// Seals the hook's secrets anew; those that could not be read are kept as they lie.
    pub(super) fn write_hook(&mut self, hook: &Hook, old: Option<HookRecord>) -> Result<(), Fault> {
        let carried = match old {
            Some(old) if hook.secrets_unreadable => HookRecord::carried(hook, old),
            Some(_) | None => None,
        };
        let record = match carried {
            Some(record) => record,
            None => HookRecord::sealed(hook, self.seal)?,
        };
        self.tables.hooks.insert(hook.id.0, &*record.encode())?;
        Ok(())
    }
}
