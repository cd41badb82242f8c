//! Retention in the model: a step takes whole events, as many as the budget has rows for.

use std::collections::BTreeSet;

use whisperer_domain::id::{EventKey, HookId, Sequence};
use whisperer_domain::port::{Budget, Retention, Stock, Swept};
use whisperer_domain::time::Timestamp;

use super::Model;
use crate::retention::Cutoff;

/// What is counted for a record beside what it holds.
const RECORD_BYTES: u64 = 128;

impl Model {
    pub(super) fn sweep(&mut self, retention: Retention, budget: Budget, now: Timestamp) -> Swept {
        let cutoff = Cutoff::of(retention, now);
        let mut swept = Swept::default();
        let mut live = self.live_bytes();
        let mut rows = budget.rows.max(1);
        let mut bytes = budget.bytes.max(1) as u64;
        // On from where the last step ended, past what could not go.
        let oldest = self.events.range(self.swept_below..);
        let oldest: Vec<_> = oldest.map(|(_, event)| event.clone()).collect();
        for event in oldest {
            if !cutoff.takes(event.accepted_at, live) {
                break;
            }
            if rows == 0 || bytes == 0 {
                swept.more = true;
                break;
            }
            rows -= 1;
            self.swept_below = EventKey(event.key.0 + 1);
            let deliveries = self.deliveries_of(event.key);
            let is_pending = |sequence: &Sequence| {
                let kept = self.deliveries.get(sequence);
                kept.is_some_and(|kept| kept.delivery.state.due().is_some())
            };
            if deliveries.iter().any(is_pending) {
                swept.passed += 1;
                continue;
            }
            self.remove(event.key, &deliveries);
            let left = self.live_bytes();
            let gone = live.saturating_sub(left);
            live = left;
            rows = rows.saturating_sub(deliveries.len());
            bytes = bytes.saturating_sub(gone);
            swept.bytes += gone;
            swept.events += 1;
        }
        self.events_swept += swept.events;
        if !swept.more {
            self.swept_below = EventKey(0);
            let named: BTreeSet<HookId> = self
                .deliveries
                .values()
                .map(|kept| kept.delivery.hook)
                .collect();
            self.tombstones.retain(|hook, _| named.contains(hook));
        }
        swept
    }

    pub(super) fn stock(&self) -> Stock {
        Stock {
            live_bytes: self.live_bytes(),
            file_bytes: None,
            events_swept: self.events_swept,
            oldest_event_at: self.events.values().next().map(|event| event.accepted_at),
        }
    }

    fn remove(&mut self, key: EventKey, deliveries: &[Sequence]) {
        for sequence in deliveries {
            self.deliveries.remove(sequence);
            self.rewritten.push(*sequence);
        }
        if let Some(event) = self.events.remove(&key) {
            self.event_ids.remove(&event.id);
        }
        self.config_filters.remove(&key);
    }

    fn deliveries_of(&self, key: EventKey) -> Vec<Sequence> {
        let all = self.deliveries.iter();
        all.filter(|(_, kept)| kept.delivery.event == key)
            .map(|(sequence, _)| *sequence)
            .collect()
    }

    /// About what a store on disk would say.
    fn live_bytes(&self) -> u64 {
        let events = self.events.values();
        let events = events.map(|event| RECORD_BYTES + event.payload.len() as u64);
        let deliveries = self.deliveries.values().map(|kept| {
            let attempts = kept.attempts.iter().map(|attempt| {
                let body = attempt.response.as_ref().map_or(0, |it| it.body.len());
                RECORD_BYTES + body as u64
            });
            RECORD_BYTES + attempts.sum::<u64>()
        });
        events.sum::<u64>() + deliveries.sum::<u64>()
    }
}
