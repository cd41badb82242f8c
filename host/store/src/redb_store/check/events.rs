//! Events and what they are called.

use whisperer_domain::id::{EventId, EventKey, Sequence};
use whisperer_domain::time::Timestamp;

use super::{Checking, NUMBERS, UpkeepError, all, failed, has, open};
use crate::redb_store::record::{self, EventFilterRecord, IdempotencyRecord};
use crate::redb_store::tables::{IDEMPOTENCY, IDEMPOTENCY_AGE};
use crate::redb_store::{frame, rows};

const EVENT_LOST: &str = "its deliveries can be neither sent nor shown, and retention leaves them; \
                          restore a backup if it is needed";
const ID_LOST: &str = "the event cannot be looked up, a repetition of it is taken for a new one, \
                       and retention leaves it; post nothing under this id again";
const FILTER_LOST: &str = "a replay of the event can reach hooks that its poster left out; do not \
                           replay it";
const KEY_LOST: &str = "a request repeated with this key may be taken for a new one; the key \
                        expires a day after its first use";

impl Checking<'_> {
    pub(super) fn events(&mut self) -> Result<(), UpkeepError> {
        let mut last = Timestamp(0);
        let mut count = 0;
        for row in all(&self.there.events)? {
            let (key, bytes) = row.map_err(failed)?;
            let (key, bytes) = (EventKey(key.value()), bytes.value());
            self.passed("events", 8 + bytes.len())?;
            self.live_bytes += bytes.len() as u64;
            count += 1;
            if key.0 >= self.counters.event {
                self.find(
                    "events",
                    &key.0,
                    "has a number that was never given",
                    NUMBERS,
                );
            }
            let event = record::decode_event(key, bytes);
            let Some(event) = self.unless_damaged(event, EVENT_LOST)? else {
                continue;
            };
            if event.accepted_at < last || event.accepted_at > self.counters.accepted_at {
                let meaning = "lists by time can leave it out, and retention can take it at the \
                               wrong time; nothing else is lost";
                let what = "was accepted before an earlier one, or later than anything was";
                self.find("events", &key.0, what, meaning);
            }
            last = last.max(event.accepted_at);
            if !self.is_named(&event.id, key)? {
                let what = format!("is not what its id {} leads to", event.id.as_str());
                self.find("events", &key.0, what, ID_LOST);
            }
        }
        let gone = self.counters.kept.events_swept;
        let accepted = self.counters.events_accepted;
        if count + gone != accepted {
            let what = format!("{count} are there and {gone} were given up, of {accepted}");
            let meaning = "events are missing, or the counter is wrong; restore a backup if they \
                           are needed";
            self.find("events", &"*", what, meaning);
        }
        Ok(())
    }

    /// Damage of the name is found where names are looked at.
    fn is_named(&mut self, id: &EventId, key: EventKey) -> Result<bool, UpkeepError> {
        let Some(names) = &self.there.event_ids else {
            return Ok(false);
        };
        let Some(bytes) = names.get(id.as_str()).map_err(failed)? else {
            return Ok(false);
        };
        let named = record::decode_event_id(id, bytes.value());
        Ok(named.map_or(true, |named| named.event == key))
    }

    /// Damage of the event is found where events are looked at.
    fn has_id(&self, key: EventKey, id: &EventId) -> Result<bool, UpkeepError> {
        let Some(events) = &self.there.events else {
            return Ok(false);
        };
        let Some(bytes) = events.get(key.0).map_err(failed)? else {
            return Ok(false);
        };
        let head = record::decode_event_head(key, bytes.value());
        Ok(head.map_or(true, |(its, _)| its == *id))
    }

    /// Ids, filters and replays.
    pub(super) fn names(&mut self) -> Result<(), UpkeepError> {
        for row in all(&self.there.event_ids)? {
            let (id, bytes) = row.map_err(failed)?;
            self.passed("event_ids", id.value().len() + bytes.value().len())?;
            let Ok(id) = EventId::parse(id.value()) else {
                self.find("event_ids", &id.value(), "is no id", ID_LOST);
                continue;
            };
            let named = record::decode_event_id(&id, bytes.value());
            let Some(named) = self.unless_damaged(named, ID_LOST)? else {
                continue;
            };
            if !self.has_id(named.event, &id)? {
                let meaning = "an event posted under this id is taken for a repetition, and is not \
                               delivered; post it under another one";
                self.find(
                    "event_ids",
                    &id.as_str(),
                    "leads to no event of this id",
                    meaning,
                );
            }
            let first = named.first.unwrap_or(Sequence(0));
            if first.0.saturating_add(named.deliveries) > self.counters.sequence {
                let what = "names deliveries that were never made";
                self.find("event_ids", &id.as_str(), what, NUMBERS);
            }
        }
        for row in all(&self.there.event_filters)? {
            let (key, bytes) = row.map_err(failed)?;
            let key = key.value();
            self.passed("event_filters", 8 + bytes.value().len())?;
            let filter = frame::decode::<EventFilterRecord>("event_filters", &key, bytes.value());
            self.unless_damaged(filter, FILTER_LOST)?;
            if !has(&self.there.events, key)? {
                let meaning = "it only takes room";
                self.find("event_filters", &key, "belongs to no event", meaning);
            }
        }
        for row in all(&self.there.replays)? {
            let (event, sequence) = row.map_err(failed)?.0.value();
            self.passed("replays", 16)?;
            let is_whole = match &self.there.deliveries {
                // A damaged one is found where deliveries are looked at.
                Some(table) => rows::delivery(table, Sequence(sequence)).map_or(true, |row| {
                    row.is_some_and(|row| row.delivery.event.0 == event)
                }),
                None => false,
            };
            if !is_whole {
                let key = format!("{event}, {sequence}");
                let what = "names no delivery of this event";
                self.find("replays", &key, what, "it only takes room");
            }
        }
        Ok(())
    }

    pub(super) fn idempotency(&mut self) -> Result<(), UpkeepError> {
        let keys = open(self.txn, IDEMPOTENCY)?;
        let ages = open(self.txn, IDEMPOTENCY_AGE)?;
        for row in all(&keys)? {
            let (place, bytes) = row.map_err(failed)?;
            let (owner, key) = place.value();
            let bytes = bytes.value();
            self.passed("idempotency", owner.len() + key.len() + bytes.len())?;
            let place = format!("{owner}, {key}");
            let used = frame::decode::<IdempotencyRecord>("idempotency", &place, bytes);
            let Some(used) = self.unless_damaged(used, KEY_LOST)? else {
                continue;
            };
            if !has(&ages, (used.used_at.0, owner, key))? {
                let meaning = "the key is known for ever; use another one";
                self.find("idempotency", &place, "will never be forgotten", meaning);
            }
        }
        for row in all(&ages)? {
            let (place, _) = row.map_err(failed)?;
            let (used_at, owner, key) = place.value();
            self.passed("idempotency_age", 8 + owner.len() + key.len())?;
            if !has(&keys, (owner, key))? {
                let place = format!("{used_at}, {owner}, {key}");
                self.find("idempotency_age", &place, "leads to no key", KEY_LOST);
            }
        }
        Ok(())
    }
}
