//! What becomes of lanes as part of one transaction: what is saved of their receivers, a hook that
//! an attempt disables, and the order in which its deliveries stand.

use std::sync::Arc;

use redb::ReadableTable;
use whisperer_domain::access::Note;
use whisperer_domain::catalog::CatalogChange;
use whisperer_domain::delivery::CancelCause;
use whisperer_domain::health::Health;
use whisperer_domain::hook::Ordered;
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::{CatalogError, FeedItem, HookEffect};
use whisperer_domain::time::Timestamp;

use super::Batch;
use crate::catalog_edit::hook_object;
use crate::redb_store::fault::Fault;
use crate::redb_store::record::{self, HookRecord};
use crate::redb_store::{frame, rows};
use crate::{catalog_edit, follow, in_order};

/// The rows of a lane that is to stand otherwise.
pub(super) struct Moving {
    hook: HookId,
    to: Ordered,
    rows: Vec<(u64, Sequence)>,
}

impl Batch<'_, '_> {
    pub(super) fn is_ordered(&self, hook: HookId) -> bool {
        let hook = self.state.catalog.hooks.get(&hook);
        hook.is_some_and(|hook| hook.ordered != Ordered::No)
    }

    /// A clean one is not kept.
    pub(super) fn write_health(&mut self, hook: HookId, health: &Health) -> Result<(), Fault> {
        if health.is_default() {
            return self.forget_health(hook);
        }
        self.wrote = true;
        let record = record::encode_health(health);
        self.tables.lanes.insert(hook.0, &*record)?;
        Ok(())
    }

    pub(super) fn forget_health(&mut self, hook: HookId) -> Result<(), Fault> {
        if self.tables.lanes.remove(hook.0)?.is_some() {
            self.wrote = true;
        }
        Ok(())
    }

    /// Does to the hook what an attempt that began then asks for. Answers why it was disabled, if
    /// it was.
    pub(super) fn take_effect(
        &mut self,
        id: HookId,
        began_at: Option<Timestamp>,
        effect: &HookEffect,
    ) -> Result<Option<String>, Fault> {
        if !follow::may_disable(&self.state.catalog, id, began_at) {
            return Ok(None);
        }
        let (HookEffect::Gone { reason } | HookEffect::Disable { reason }) = effect;
        let reason = reason.clone();
        let old = match self.tables.hooks.get(id.0)? {
            Some(bytes) => HookRecord::decode("hooks", id, bytes.value()).ok(),
            None => None,
        };
        let catalog = Arc::make_mut(&mut self.state.catalog);
        let Some(hook) = catalog_edit::disable(catalog, id, reason.clone(), self.now) else {
            return Ok(None);
        };
        let revision = catalog.revision;
        self.catalog_changes();
        self.write_hook(&hook, old)?;
        self.forget_health(id)?;
        self.note(Some(Note::of_disabling(&reason)), hook_object(id))?;
        match effect {
            HookEffect::Gone { .. } => self.cancel_lane(id, CancelCause::Gone)?,
            HookEffect::Disable { .. } => {}
        }
        self.feed.push(FeedItem::Catalog(revision));
        Ok(Some(reason))
    }

    /// What a change means for the rows of its lane; refused if they are too many for one write.
    pub(super) fn moving(
        &self,
        change: &CatalogChange,
    ) -> Result<Result<Option<Moving>, CatalogError>, Fault> {
        let Some((hook, to)) = in_order::turn(&self.state.catalog, change) else {
            return Ok(Ok(None));
        };
        let lane = self
            .tables
            .pending
            .range((hook.0, 0, 0)..=(hook.0, u64::MAX, u64::MAX))?;
        let mut rows = Vec::new();
        for row in lane {
            if rows.len() == in_order::MOVED_MAX {
                let most = in_order::MOVED_MAX;
                return Ok(Err(CatalogError::TooManyPending { most }));
            }
            let (_, stands, sequence) = row?.0.value();
            rows.push((stands, Sequence(sequence)));
        }
        Ok(Ok(Some(Moving { hook, to, rows })))
    }

    /// All rows of a lane stand alike, those that a cancellation covers and those that cannot be
    /// read included: what cannot be read goes by its sequence, or by now.
    pub(super) fn put_in_order(&mut self, moving: Moving) -> Result<(), Fault> {
        let Moving { hook, to, rows } = moving;
        for (stood, sequence) in rows {
            let place = (to != Ordered::No).then_some(sequence.0);
            let mut stands = place.unwrap_or(self.now.0);
            match rows::delivery(&self.tables.deliveries, sequence) {
                Ok(Some(mut row)) => {
                    row.place = place;
                    stands = row.lane_key().map_or(stands, |(_, stands, _)| stands);
                    self.put_delivery(&row)?;
                }
                Ok(None) => {}
                Err(fault @ Fault::Damaged { .. }) => {
                    tracing::error!(%fault, "a delivery cannot be told how it stands");
                }
                Err(fault @ (Fault::Database(_) | Fault::Random(_) | Fault::Absent)) => {
                    return Err(fault);
                }
            }
            self.tables.pending.remove((hook.0, stood, sequence.0))?;
            self.tables
                .pending
                .insert((hook.0, stands, sequence.0), ())?;
        }
        self.begin_cancellations_anew(hook)
    }

    /// Their cursors name places that are no more.
    fn begin_cancellations_anew(&mut self, hook: HookId) -> Result<(), Fault> {
        let lane = (hook, Sequence(0))..=(hook, Sequence(u64::MAX));
        for ((_, below), cancellation) in self.state.cancellations.range_mut(lane) {
            cancellation.cursor = None;
            self.tables
                .cancellations
                .insert((hook.0, below.0), &*frame::encode(cancellation))?;
        }
        Ok(())
    }
}
