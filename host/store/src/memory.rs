//! The same promises in plain collections, under one lock: what the redb store is held against,
//! and what simulations run on.
//!
//! It differs where a store may: leases can be revoked, as several nodes would do it, takes can be
//! kept from seeing what came last, and cancellations and selections are done at once instead of
//! in steps. Given one clock and one order of calls it always does the same, uuids included.

mod direct;
mod lane;
mod ledger;
mod lists;
mod news;
mod ports;
mod sweep;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use whisperer_domain::access::{AuditEntry, Note};
use whisperer_domain::attempt::Attempt;
use whisperer_domain::catalog::{CatalogChange, CatalogSnapshot, Changed, Revision};
use whisperer_domain::delivery::{CancelCause, Delivery, Pin};
use whisperer_domain::event::Event;
use whisperer_domain::event_type::{EventType, EventTypeInfo, OMS_CATALOGUE};
use whisperer_domain::health::Health;
use whisperer_domain::hook::{BasicAuth, ChainLink, Hook, PluginChoice};
use whisperer_domain::id::{EventId, EventKey, HookId, Owner, Sequence};
use whisperer_domain::news::NEWS_TYPES;
use whisperer_domain::port::{CatalogError, Clock, FeedItem, FeedSink, Fence, Lease};
use whisperer_domain::secret::{MASK, Secret};
use whisperer_domain::sign::OldKeys;
use whisperer_domain::time::Timestamp;

use crate::catalog_edit::{self, Edit};
use crate::watches::Watches;

pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    catalog: ArcSwap<CatalogSnapshot>,
    model: Mutex<Model>,
    watches: Arc<Watches>,
}

/// Everything that is kept.
struct Model {
    catalog: CatalogSnapshot,
    tombstones: BTreeMap<HookId, Arc<Hook>>,
    events: BTreeMap<EventKey, Arc<Event>>,
    event_ids: HashMap<EventId, Used>,
    config_filters: HashMap<EventKey, String>,
    idempotency: HashMap<(Owner, String), Used>,
    deliveries: BTreeMap<Sequence, Kept>,
    /// Hook, due or place, sequence: as in the redb store.
    pending: BTreeSet<(HookId, u64, Sequence)>,
    health: BTreeMap<HookId, Health>,
    /// Deliveries from here on are not seen by takes.
    unseen_from: Option<Sequence>,
    /// Only those that were ever revoked.
    fences: HashMap<HookId, Fence>,
    sink: Option<Arc<dyn FeedSink>>,
    audit: Vec<AuditEntry>,
    /// Deliveries that the write under way wrote anew.
    rewritten: Vec<Sequence>,
    next_hook: u64,
    next_event: u64,
    next_sequence: u64,
    accepted_at: Timestamp,
    commits: u64,
    attempts_settled: u64,
    events_swept: u64,
    /// How far retention has come.
    swept_below: EventKey,
}

/// What a name was used for.
#[derive(Clone)]
struct Used {
    at: Timestamp,
    fingerprint: [u8; 32],
    id: EventId,
    deliveries: u64,
}

struct Kept {
    delivery: Delivery,
    /// Where it stands in its lane; none: where it is due, or nowhere, because it has ended.
    place: Option<u64>,
    attempts: Vec<Attempt>,
    pin: Option<Arc<Pin>>,
}

const FENCE_FIRST: Fence = Fence(1);

impl MemoryStore {
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let catalog = CatalogSnapshot {
            revision: Revision(1),
            event_types: OMS_CATALOGUE
                .iter()
                .chain(&NEWS_TYPES)
                // The domain tests that its catalogue is valid.
                .filter_map(|name| EventType::parse(name).ok())
                .map(|name| (name, Arc::new(EventTypeInfo::default())))
                .collect(),
            ..CatalogSnapshot::default()
        };
        Arc::new(Self {
            clock,
            watches: Arc::default(),
            catalog: ArcSwap::from_pointee(catalog.clone()),
            model: Mutex::new(Model {
                catalog,
                tombstones: BTreeMap::new(),
                events: BTreeMap::new(),
                event_ids: HashMap::new(),
                config_filters: HashMap::new(),
                idempotency: HashMap::new(),
                deliveries: BTreeMap::new(),
                pending: BTreeSet::new(),
                health: BTreeMap::new(),
                unseen_from: None,
                fences: HashMap::new(),
                sink: None,
                audit: Vec::new(),
                rewritten: Vec::new(),
                next_hook: 1,
                next_event: 1,
                next_sequence: 1,
                accepted_at: Timestamp(0),
                commits: 0,
                attempts_settled: 0,
                events_swept: 0,
                swept_below: EventKey(0),
            }),
        })
    }

    /// Gives the lane's lease to somebody else, as another node would take it: what is settled
    /// under older ones is fenced. Answers the new lease.
    pub fn revoke(&self, hook: HookId) -> Lease {
        let mut model = self.model();
        let fence = Fence(model.fence(hook).0 + 1);
        model.fences.insert(hook, fence);
        let lease = Lease { hook, fence };
        model.tell(FeedItem::Look(lease));
        lease
    }

    /// From now on takes do not see what is accepted, as one does not that began to read just
    /// before: lanes hear of it by the feed alone. Until [`Self::show_all`].
    pub fn hide_new(&self) {
        let mut model = self.model();
        model.unseen_from = Some(Sequence(model.next_sequence));
    }

    pub fn show_all(&self) {
        self.model().unseen_from = None;
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something under the lock, then shows the catalog as it is now.
    fn write<T>(&self, work: impl FnOnce(&mut Model, Timestamp) -> T) -> T {
        let now = self.clock.now();
        let mut model = self.model();
        let done = work(&mut model, now);
        model.commits += 1;
        self.publish(&model);
        let rewritten = std::mem::take(&mut model.rewritten);
        drop(model);
        self.watches.ring(&rewritten);
        done
    }

    fn publish(&self, model: &Model) {
        self.catalog.store(Arc::new(model.catalog.clone()));
    }

    fn make_change(
        &self,
        change: CatalogChange,
        note: Option<Note>,
    ) -> Result<Changed, CatalogError> {
        let now = self.clock.now();
        let mut guard = self.model();
        let model = &mut *guard;
        let moving = model.moving(&change)?;
        let edit = catalog_edit::edit(&mut model.catalog, change, now, &mut model.next_hook)?;
        model.commits += 1;
        model.note(note, edit.object(), now);
        // Before the feed: who is told of a revision finds it.
        self.publish(model);
        model.tell(FeedItem::Catalog(model.catalog.revision));
        let changed = match edit {
            Edit::HookCreated(hook) => Changed::Hook(hook),
            Edit::HookReplaced(hook) => {
                model.health.remove(&hook.id);
                let lease = model.lease(hook.id);
                if let Some(moving) = moving {
                    model.put_in_order(moving);
                    model.tell(FeedItem::Recall(lease));
                } else {
                    model.tell(FeedItem::Look(lease));
                }
                Changed::Hook(hook)
            }
            Edit::HookDeleted(hook) => {
                model.health.remove(&hook.id);
                model.cancel_lane(hook.id, &CancelCause::HookDeleted, now);
                model
                    .tombstones
                    .insert(hook.id, Arc::new(without_secrets(&hook)));
                model.tell(FeedItem::Recall(model.lease(hook.id)));
                Changed::Done
            }
            Edit::TypePut(..)
            | Edit::TypeDeleted(_)
            | Edit::TokenPut(_)
            | Edit::TokenDeleted(_)
            | Edit::Noted(_)
            | Edit::PluginPut(_)
            | Edit::PluginRemoved(_) => Changed::Done,
        };
        let rewritten = std::mem::take(&mut model.rewritten);
        drop(guard);
        self.watches.ring(&rewritten);
        Ok(changed)
    }
}

impl Model {
    /// Remembers who did this.
    fn note(&mut self, note: Option<Note>, object: String, now: Timestamp) {
        if let Some(note) = note {
            let number = self.audit.last().map_or(0, |entry| entry.number) + 1;
            let entry = catalog_edit::entry(note, object, number, now);
            self.audit.push(entry);
        }
    }

    fn fence(&self, hook: HookId) -> Fence {
        self.fences.get(&hook).copied().unwrap_or(FENCE_FIRST)
    }

    fn lease(&self, hook: HookId) -> Lease {
        Lease {
            hook,
            fence: self.fence(hook),
        }
    }

    fn tell(&self, item: FeedItem) {
        if let Some(sink) = &self.sink {
            sink.push(item);
        }
    }
}

/// What stays of a deleted hook.
fn without_secrets(hook: &Hook) -> Hook {
    let mask = || Secret::new(MASK.to_owned());
    Hook {
        secret_key: None,
        old_secret_keys: OldKeys::default(),
        key_pair: None,
        old_key_pairs: OldKeys::default(),
        additional_headers: hook.additional_headers.as_ref().map(|headers| {
            let masked = headers.iter().map(|(name, _)| (name.clone(), mask()));
            masked.collect()
        }),
        auth: hook.auth.as_ref().map(|auth| BasicAuth {
            username: auth.username.clone(),
            password: mask(),
        }),
        plugins: match &hook.plugins {
            PluginChoice::ByPattern => PluginChoice::ByPattern,
            PluginChoice::Chain(links) => {
                let bare = links
                    .iter()
                    .map(|link| ChainLink::new(link.name.clone(), Secret::new("{}".to_owned())));
                PluginChoice::Chain(bare.collect())
            }
        },
        ..hook.clone()
    }
}
