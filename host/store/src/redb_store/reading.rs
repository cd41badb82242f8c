//! Reading deliveries at one moment: a read transaction, the catalog that is no newer than it,
//! and the events that were read already (those with many hooks come many times).

mod events;
mod lane;
mod page;
mod take;
mod weigh;

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::Arc;

use whisperer_domain::access::AuditEntry;
use whisperer_domain::attempt::Attempt;
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::delivery::{Delivery, DeliveryState};
use whisperer_domain::event::Event;
use whisperer_domain::health::Health;
use whisperer_domain::hook::Hook;
use whisperer_domain::id::{EventKey, HookId, Sequence};
use whisperer_domain::port::{Attempted, DeliveryView, Scope};

use super::fault::Fault;
use super::record::{HookRecord, Row};
use super::seal::Seal;
use super::shared::Shared;
use super::tables::Views;
use super::{frame, rows};

pub(super) use events::made_with;
pub(super) use take::Asked;

/// The most attempts that one look at a delivery reads.
const ATTEMPTS_MAX: usize = 1000;

pub(super) struct Reading {
    views: Arc<Views>,
    catalog: Arc<CatalogSnapshot>,
    /// It opens whatever was sealed when the transaction began: keys are added before they seal, and
    /// none is forgotten while the store is open.
    seal: Arc<Seal>,
    events: HashMap<EventKey, Arc<Event>>,
    /// What `events` holds.
    event_bytes: usize,
    /// Hooks that are gone, as their tombstones show them.
    tombstones: HashMap<HookId, Option<Arc<Hook>>>,
}

impl Reading {
    pub(super) fn begin(shared: &Shared) -> Result<Self, Fault> {
        // In this order: a hook that the catalog misses has its tombstone in the transaction.
        let catalog = shared.catalog.load_full();
        Ok(Self {
            views: Arc::new(Views::open(&shared.begin_read()?)?),
            catalog,
            seal: shared.seal.load_full(),
            events: HashMap::new(),
            event_bytes: 0,
            tombstones: HashMap::new(),
        })
    }

    /// Hooks that exist and have something pending, or something saved, with what was saved.
    pub(super) fn lanes(
        &self,
        after: Option<HookId>,
        want: usize,
    ) -> Result<Vec<(HookId, Health)>, Fault> {
        let mut found = Vec::new();
        let mut after = after;
        // Lanes of deleted hooks are on their way out; there may be many at a time.
        while found.len() < want {
            let lacking = want - found.len();
            let mut lanes = lanes(&self.views, after, lacking)?;
            lanes.extend(self.saved(after, lacking)?);
            lanes.sort_unstable();
            lanes.dedup();
            // Beyond so many there may be lanes in between that one of the two did not come to.
            lanes.truncate(lacking);
            let Some(last) = lanes.last() else { break };
            after = Some(*last);
            for hook in lanes {
                if self.catalog.hooks.contains_key(&hook) {
                    found.push((hook, rows::health(&self.views.lanes, hook)?));
                }
            }
        }
        Ok(found)
    }

    fn saved(&self, after: Option<HookId>, want: usize) -> Result<Vec<HookId>, Fault> {
        let from = match after {
            Some(hook) => Bound::Excluded(hook.0),
            None => Bound::Unbounded,
        };
        let rows = self
            .views
            .lanes
            .range::<u64>((from, Bound::Unbounded))?
            .take(want);
        rows.map(|row| Ok(HookId(row?.0.value()))).collect()
    }

    /// What was remembered of changes, newest first.
    pub(super) fn audit(&self, below: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>, Fault> {
        let rows = self.views.audit.range(..below.unwrap_or(u64::MAX))?;
        let entry = |row: Result<_, redb::StorageError>| {
            let (number, bytes): (redb::AccessGuard<'_, u64>, redb::AccessGuard<'_, &[u8]>) = row?;
            frame::decode("audit", &number.value(), bytes.value())
        };
        rows.rev().take(limit).map(entry).collect()
    }

    pub(super) fn find(
        &mut self,
        sequence: Sequence,
        scope: &Scope,
    ) -> Result<Option<Attempted>, Fault> {
        let Some(row) = self.row(sequence)? else {
            return Ok(None);
        };
        if !self.is_visible(row.delivery.hook, scope)? {
            return Ok(None);
        }
        let view = self.view(row)?;
        // The newest, if there are that many: somebody may wait for what came last.
        let mut attempts = self
            .views
            .attempts
            .range((sequence.0, 0)..=(sequence.0, u32::MAX))?
            .rev()
            .take(ATTEMPTS_MAX)
            .map(|row| {
                let (key, bytes) = row?;
                rows::attempt(sequence, key.value().1, bytes.value())
            })
            .collect::<Result<Vec<_>, Fault>>()?;
        attempts.reverse();
        let pin = rows::pin(&self.views.pins, sequence, &self.seal)?.map(Arc::new);
        Ok(Some(Attempted {
            view,
            attempts,
            pin,
        }))
    }

    /// A delivery as it stands, cancellations that did not reach it yet included.
    fn row(&self, sequence: Sequence) -> Result<Option<Row>, Fault> {
        let row = rows::delivery(&self.views.deliveries, sequence)?;
        row.map(|row| self.overlaid(row)).transpose()
    }

    fn overlaid(&self, mut row: Row) -> Result<Row, Fault> {
        let delivery = &mut row.delivery;
        if delivery.state.due().is_some()
            && let Some(cancellation) =
                rows::cancellation(&self.views.cancellations, delivery.hook, delivery.sequence)?
        {
            delivery.state = DeliveryState::Cancelled(cancellation.cause);
            delivery.modified_at = cancellation.at.max(delivery.created_at);
        }
        Ok(row)
    }

    fn event(&mut self, key: EventKey) -> Result<Arc<Event>, Fault> {
        if let Some(event) = self.events.get(&key) {
            return Ok(Arc::clone(event));
        }
        let event = Arc::new(rows::event(&self.views.events, key)?);
        self.event_bytes += event.payload.len();
        self.events.insert(key, Arc::clone(&event));
        Ok(event)
    }

    fn view(&mut self, row: Row) -> Result<DeliveryView, Fault> {
        Ok(DeliveryView {
            event: self.event(row.delivery.event)?,
            last_attempt: self.last_attempt(&row.delivery)?,
            hook: self.tombstone(row.delivery.hook)?,
            attempted_at: row.attempted_at(),
            delivery: row.delivery,
        })
    }

    fn last_attempt(&self, delivery: &Delivery) -> Result<Option<Attempt>, Fault> {
        if delivery.attempts == 0 {
            return Ok(None);
        }
        self.newest_attempt(delivery.sequence)
    }

    fn newest_attempt(&self, sequence: Sequence) -> Result<Option<Attempt>, Fault> {
        let mut attempts = self
            .views
            .attempts
            .range((sequence.0, 0)..=(sequence.0, u32::MAX))?;
        match attempts.next_back().transpose()? {
            Some((key, bytes)) => rows::attempt(sequence, key.value().1, bytes.value()).map(Some),
            None => Ok(None),
        }
    }

    fn is_visible(&mut self, hook: HookId, scope: &Scope) -> Result<bool, Fault> {
        let owner = match scope {
            Scope::All => return Ok(true),
            Scope::Of(owner) => owner,
        };
        if let Some(hook) = self.catalog.hooks.get(&hook) {
            return Ok(hook.owner == *owner);
        }
        let tombstone = self.tombstone(hook)?;
        Ok(tombstone.is_some_and(|hook| hook.owner == *owner))
    }

    /// None for a hook that exists.
    fn tombstone(&mut self, id: HookId) -> Result<Option<Arc<Hook>>, Fault> {
        if self.catalog.hooks.contains_key(&id) {
            return Ok(None);
        }
        if let Some(hook) = self.tombstones.get(&id) {
            return Ok(hook.clone());
        }
        let hook = match self.views.tombstones.get(id.0)? {
            Some(bytes) => {
                let record = HookRecord::decode("tombstones", id, bytes.value())?;
                let hook = record.into_hook("tombstones", id, &self.seal)?;
                Some(Arc::new(hook))
            }
            None => None,
        };
        self.tombstones.insert(id, hook.clone());
        Ok(hook)
    }
}

/// One row that cannot be read must not hide the others: it is reported and passed over.
fn unless_damaged<T>(
    read: Result<Option<T>, Fault>,
    failed: &'static str,
) -> Result<Option<T>, Fault> {
    match read {
        Err(fault @ Fault::Damaged { .. }) => {
            tracing::error!(%fault, "{failed}");
            Ok(None)
        }
        Ok(_) | Err(Fault::Database(_) | Fault::Random(_) | Fault::Absent) => read,
    }
}

/// Hooks that have rows in the index of pending deliveries, in order: it skips from each to the
/// next, so that a long lane costs what a short one does.
pub(super) fn lanes(
    views: &Views,
    after: Option<HookId>,
    want: usize,
) -> Result<Vec<HookId>, Fault> {
    let mut lanes = Vec::new();
    let mut next = match after {
        Some(hook) => hook.0.checked_add(1),
        None => Some(0),
    };
    while let Some(from) = next
        && lanes.len() < want
    {
        let Some(row) = views.pending.range((from, 0, 0)..)?.next() else {
            break;
        };
        let (hook, _, _) = row?.0.value();
        lanes.push(HookId(hook));
        next = hook.checked_add(1);
    }
    Ok(lanes)
}
