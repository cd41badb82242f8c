//! What is set up: hooks, types, tokens, plugins, and what is at work in lanes.

use std::collections::HashMap;

use whisperer_domain::access::AuditEntry;
use whisperer_domain::event_type::EventType;
use whisperer_domain::hook::Ordered;
use whisperer_domain::id::HookId;
use whisperer_domain::plugin::PluginName;

use super::{Checking, NUMBERS, RESTORE, UpkeepError, all, failed, open};
use crate::redb_store::frame;
use crate::redb_store::key::{Bare, Key};
use crate::redb_store::record::{
    Cancellation, HookRecord, OrderRecord, decode_event_type, decode_health, decode_membership,
    decode_token,
};
use crate::redb_store::seal::Seal;
use crate::redb_store::tables::{
    AUDIT, CANCELLATIONS, DIRECTIVES, EVENT_TYPES, HOOKS, LANES, PLUGINS, TOKENS, TOMBSTONES,
};

const HOOK_LOST: &str = "it gets nothing, and what is pending for it waits; delete it and make it \
                         anew";
const SECRETS_LOST: &str = "nothing is sent to it, its deliveries wait; put back the key file that \
                            belongs to this store, or set all its secrets anew";
const WAITS: &str = "the server does not start; restore a backup";

/// Hooks there are or were, and how the lanes of those that are are ordered.
pub(super) struct Known(HashMap<HookId, Option<Ordered>>);

impl Known {
    pub(super) fn is_there(&self, hook: HookId) -> bool {
        self.0.contains_key(&hook)
    }

    /// None: it is gone, or cannot be read.
    pub(super) fn order_of(&self, hook: HookId) -> Option<Ordered> {
        self.0.get(&hook).copied().flatten()
    }
}

impl Checking<'_> {
    pub(super) fn catalog(&mut self) -> Result<Known, UpkeepError> {
        let mut known = Known(HashMap::new());
        let hooks = open(self.txn, HOOKS)?;
        for row in all(&hooks)? {
            let (id, bytes) = row.map_err(failed)?;
            let id = HookId(id.value());
            self.passed("hooks", 8 + bytes.value().len())?;
            let order = self.hook("hooks", id, bytes.value(), HOOK_LOST)?;
            known.0.insert(id, order);
        }
        for row in all(&open(self.txn, TOMBSTONES)?)? {
            let (id, bytes) = row.map_err(failed)?;
            let id = HookId(id.value());
            self.passed("tombstones", 8 + bytes.value().len())?;
            self.hook(
                "tombstones",
                id,
                bytes.value(),
                "its history can be seen by admins only",
            )?;
            if known.is_there(id) {
                let what = "is of a hook that is there";
                self.find("tombstones", &id.0, what, "it only takes room");
            }
            known.0.entry(id).or_insert(None);
        }
        self.entries()?;
        Ok(known)
    }

    fn hook(
        &mut self,
        table: &'static str,
        id: HookId,
        bytes: &[u8],
        meaning: &'static str,
    ) -> Result<Option<Ordered>, UpkeepError> {
        if id.0 >= self.counters.hook {
            self.find(table, &id.0, "has a number that was never given", NUMBERS);
        }
        // Any seal will do to read the rest.
        let unknown = Seal::new(Key::new(&Bare::default()));
        let seal = self.seal.unwrap_or(&unknown);
        let hook = HookRecord::decode(table, id, bytes)
            .and_then(|record| record.into_hook(table, id, seal));
        let Some(hook) = self.unless_damaged(hook, meaning)? else {
            return Ok(None);
        };
        if hook.secrets_unreadable && self.seal.is_some() {
            self.find(table, &id.0, "has secrets that do not open", SECRETS_LOST);
        }
        if hook.revision > self.counters.revision {
            self.find(table, &id.0, "is of a revision that never was", NUMBERS);
        }
        Ok(Some(hook.ordered))
    }

    fn entries(&mut self) -> Result<(), UpkeepError> {
        for row in all(&open(self.txn, EVENT_TYPES)?)? {
            let (key, bytes) = row.map_err(failed)?;
            let (key, bytes) = (key.value(), bytes.value());
            self.passed("event_types", key.len() + bytes.len())?;
            let read = EventType::parse(key)
                .map_err(|what| frame::damaged("event_types", &key, &what))
                .and_then(|_| decode_event_type(key, bytes));
            self.unless_damaged(read, WAITS)?;
        }
        for row in all(&open(self.txn, TOKENS)?)? {
            let (key, bytes) = row.map_err(failed)?;
            let (key, bytes) = (key.value(), bytes.value());
            self.passed("tokens", key.len() + bytes.len())?;
            let read = <[u8; 32]>::try_from(key)
                .map_err(|_| frame::damaged("tokens", &"?", "has a key of another length"))
                .and_then(|hash| decode_token(hash, bytes));
            self.unless_damaged(read, WAITS)?;
        }
        for row in all(&open(self.txn, PLUGINS)?)? {
            let (key, bytes) = row.map_err(failed)?;
            let (key, bytes) = (key.value(), bytes.value());
            self.passed("plugins", key.len() + bytes.len())?;
            let read = PluginName::parse(key)
                .map_err(|what| frame::damaged("plugins", &key, &what))
                .and_then(|_| decode_membership(key, bytes));
            self.unless_damaged(read, WAITS)?;
        }
        for row in all(&open(self.txn, AUDIT)?)? {
            let (number, bytes) = row.map_err(failed)?;
            let number = number.value();
            self.passed("audit", 8 + bytes.value().len())?;
            let read = frame::decode::<AuditEntry>("audit", &number, bytes.value());
            let meaning = "`/audit/` cannot be listed past it; restore a backup if it is needed";
            self.unless_damaged(read, meaning)?;
        }
        Ok(())
    }

    /// What is at work in lanes, and what is remembered of them.
    pub(super) fn lanes(&mut self, known: &Known) -> Result<(), UpkeepError> {
        for row in all(&open(self.txn, LANES)?)? {
            let (hook, bytes) = row.map_err(failed)?;
            let hook = HookId(hook.value());
            self.passed("lanes", 8 + bytes.value().len())?;
            let read = decode_health(hook, bytes.value());
            let meaning = "the lane learns anew how its receiver does";
            self.unless_damaged(read, meaning)?;
            if !known.is_there(hook) {
                let what = "belongs to no hook";
                self.find("lanes", &hook.0, what, "it only takes room");
            }
        }
        for row in all(&open(self.txn, CANCELLATIONS)?)? {
            let (key, bytes) = row.map_err(failed)?;
            let (hook, below) = key.value();
            self.passed("cancellations", 16 + bytes.value().len())?;
            let place = format!("{hook}, {below}");
            let read = frame::decode::<Cancellation>("cancellations", &place, bytes.value());
            self.unless_damaged(read, WAITS)?;
            if below > self.counters.sequence {
                let what = "covers deliveries that were not made yet";
                self.find("cancellations", &place, what, RESTORE);
            }
        }
        for row in all(&open(self.txn, DIRECTIVES)?)? {
            let (number, bytes) = row.map_err(failed)?;
            let number = number.value();
            self.passed("directives", 8 + bytes.value().len())?;
            let read = frame::decode::<OrderRecord>("directives", &number, bytes.value());
            let meaning = "what it has not done stays undone; ask for it again";
            self.unless_damaged(read, meaning)?;
        }
        Ok(())
    }
}
