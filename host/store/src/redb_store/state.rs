//! What the writer knows between transactions: counters, catalog, cancellations and
//! directives at work. It is
//! read from the file at each opening; a transaction works on a copy, which takes its place
//! once the commit is on disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable};
use whisperer_domain::catalog::{CatalogSnapshot, Revision};
use whisperer_domain::event_type::EventType;
use whisperer_domain::id::{EventKey, HookId, Sequence};
use whisperer_domain::plugin::PluginName;
use whisperer_domain::time::Timestamp;

use super::batch::Cursor;
use super::batch::Rekeying;
use super::fault::Fault;
use super::file::UNSEALED_KEY;
use super::record::{
    Cancellation, Counters, HookRecord, Order, OrderRecord, decode_event_head, decode_event_type,
    decode_membership, decode_token,
};
use super::seal::Seal;
use super::tables::{
    Bytes, CANCELLATIONS, DIRECTIVES, EVENT_TYPES, EVENTS, HOOKS, META, PLUGINS, TOKENS,
};
use super::{frame, rows};

/// Events that cannot be read, before the oldest that can.
const DAMAGED_MAX: usize = 16;

#[derive(Clone)]
pub(super) struct State {
    pub(super) counters: Counters,
    pub(super) catalog: Arc<CatalogSnapshot>,
    /// By hook and the sequence below which they cancel.
    pub(super) cancellations: BTreeMap<(HookId, Sequence), Cancellation>,
    /// In the order in which they came.
    pub(super) orders: BTreeMap<u64, Order>,
    /// How far retention has come. In memory only.
    pub(super) cursor: Cursor,
    pub(super) oldest_event_at: Option<Timestamp>,
    /// What is sealed under an older key, or not at all, is sealed anew.
    pub(super) rekeying: Option<Rekeying>,
}

impl State {
    /// `keys` as they stand in the key file.
    pub(super) fn load(txn: &ReadTransaction, keys: &Seal) -> Result<Self, Fault> {
        let meta = txn.open_table(META)?;
        let counters = rows::counters(&meta)?;
        let rekeying = keys.has_others() || meta.get(UNSEALED_KEY)?.is_some();
        let mut catalog = CatalogSnapshot {
            revision: Revision(counters.revision),
            ..CatalogSnapshot::default()
        };
        load_hooks(txn, keys, &mut catalog)?;
        load_entries(txn, &mut catalog)?;
        let mut cancellations = BTreeMap::new();
        for row in txn.open_table(CANCELLATIONS)?.iter()? {
            let (key, bytes) = row?;
            let (hook, below) = key.value();
            let place = format_args!("{hook}, {below}");
            let cancellation = frame::decode("cancellations", &place, bytes.value())?;
            cancellations.insert((HookId(hook), Sequence(below)), cancellation);
        }
        let orders = load_orders(txn)?;
        Ok(Self {
            counters,
            catalog: Arc::new(catalog),
            cancellations,
            orders,
            cursor: Cursor::default(),
            oldest_event_at: oldest_event_at(&txn.open_table(EVENTS)?)?,
            rekeying: rekeying.then(Rekeying::default),
        })
    }

    /// Whether there is nothing to do that nobody asks for.
    pub(super) fn is_at_rest(&self) -> bool {
        self.cancellations.is_empty() && self.orders.is_empty() && self.rekeying.is_none()
    }

    /// Whether a cancellation is at work in a lane.
    pub(super) fn cancels(&self, hook: HookId) -> bool {
        let lane = (hook, Sequence(0))..=(hook, Sequence(u64::MAX));
        self.cancellations.range(lane).next().is_some()
    }

    /// The earliest cancellation at work that covers a delivery.
    pub(super) fn cancellation(&self, hook: HookId, sequence: Sequence) -> Option<&Cancellation> {
        let above = (hook, Sequence(sequence.0.saturating_add(1)));
        self.cancellations
            .range(above..=(hook, Sequence(u64::MAX)))
            .next()
            .map(|(_, cancellation)| cancellation)
    }
}

/// When the oldest event was accepted that can be read; a few that cannot are passed over.
pub(super) fn oldest_event_at(
    events: &impl ReadableTable<u64, Bytes>,
) -> Result<Option<Timestamp>, Fault> {
    for row in events.iter()?.take(DAMAGED_MAX) {
        let (key, bytes) = row?;
        match decode_event_head(EventKey(key.value()), bytes.value()) {
            Ok((_, accepted_at)) => return Ok(Some(accepted_at)),
            Err(Fault::Damaged { .. }) => {}
            Err(fault @ (Fault::Database(_) | Fault::Random(_) | Fault::Absent)) => {
                return Err(fault);
            }
        }
    }
    Ok(None)
}

/// A damaged directive is left out and said aloud: it must not keep the store shut.
fn load_orders(txn: &ReadTransaction) -> Result<BTreeMap<u64, Order>, Fault> {
    let mut orders = BTreeMap::new();
    for row in txn.open_table(DIRECTIVES)?.iter()? {
        let (number, bytes) = row?;
        let number = number.value();
        match frame::decode::<OrderRecord>("directives", &number, bytes.value()) {
            Ok(order) => drop(orders.insert(number, order.into())),
            Err(fault @ Fault::Damaged { .. }) => {
                tracing::error!(%fault, "a directive cannot be read: what it has not done stays");
            }
            Err(fault @ (Fault::Database(_) | Fault::Random(_) | Fault::Absent)) => {
                return Err(fault);
            }
        }
    }
    Ok(orders)
}

/// A damaged hook is left out and said aloud; the others must not wait for it.
fn load_hooks(
    txn: &ReadTransaction,
    seal: &Seal,
    catalog: &mut CatalogSnapshot,
) -> Result<(), Fault> {
    for row in txn.open_table(HOOKS)?.iter()? {
        let (key, bytes) = row?;
        let id = HookId(key.value());
        let hook = HookRecord::decode("hooks", id, bytes.value())
            .and_then(|record| record.into_hook("hooks", id, seal));
        match hook {
            Ok(hook) => {
                if hook.secrets_unreadable {
                    tracing::error!(hook = id.0, "the secrets of a hook cannot be opened");
                }
                catalog.hooks.insert(hook);
            }
            Err(fault @ Fault::Damaged { .. }) => {
                tracing::error!(%fault, "a hook cannot be read: it gets nothing");
            }
            Err(fault @ (Fault::Database(_) | Fault::Random(_) | Fault::Absent)) => {
                return Err(fault);
            }
        }
    }
    Ok(())
}

fn load_entries(txn: &ReadTransaction, catalog: &mut CatalogSnapshot) -> Result<(), Fault> {
    for row in txn.open_table(EVENT_TYPES)?.iter()? {
        let (key, bytes) = row?;
        let name = EventType::parse(key.value())
            .map_err(|what| frame::damaged("event_types", &key.value(), &what))?;
        let info = decode_event_type(key.value(), bytes.value())?;
        catalog.event_types.insert(name, Arc::new(info));
    }
    for row in txn.open_table(TOKENS)?.iter()? {
        let (key, bytes) = row?;
        let hash = <[u8; 32]>::try_from(key.value())
            .map_err(|_| frame::damaged("tokens", &"?", "has a key of another length"))?;
        let token = decode_token(hash, bytes.value())?;
        catalog.tokens.insert(hash, Arc::new(token));
    }
    for row in txn.open_table(PLUGINS)?.iter()? {
        let (key, bytes) = row?;
        let name = PluginName::parse(key.value())
            .map_err(|what| frame::damaged("plugins", &key.value(), &what))?;
        let membership = decode_membership(key.value(), bytes.value())?;
        catalog.plugins.insert(name, Arc::new(membership));
    }
    Ok(())
}
