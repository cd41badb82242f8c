//! Events as they are looked up and listed, newest first, and which deliveries are of one.

use std::sync::Arc;

use redb::ReadableTable;
use whisperer_domain::event::Event;
use whisperer_domain::id::{EventId, EventKey, Sequence};
use whisperer_domain::port::{EventFound, EventPage, EventQuery};

use super::{Reading, unless_damaged};
use crate::admit::{PAGE_ROWS_MAX, admits_event};
use crate::redb_store::fault::Fault;
use crate::redb_store::record::{self, EventFilterRecord, Row};
use crate::redb_store::spans::{self, Span};
use crate::redb_store::tables::Bytes;
use crate::redb_store::{frame, rows};

const EXAMINED_MAX: usize = 20_000;
/// An event is read with its payload, even only to be passed over.
const EXAMINED_BYTES_MAX: usize = 16 << 20;
/// Deliveries made at the same moment as an event that the file of an older version does not
/// tie to it.
const NEIGHBOURS_MAX: usize = 20_000;

impl Reading {
    pub(in crate::redb_store) fn find_event(
        &mut self,
        id: &EventId,
    ) -> Result<Option<EventFound>, Fault> {
        let Some(named) = rows::event_id(&self.views.event_ids, id)? else {
            return Ok(None);
        };
        let key = named.event;
        let config_filter = match self.views.event_filters.get(key.0)? {
            Some(bytes) => {
                let filter: EventFilterRecord =
                    frame::decode("event_filters", &key.0, bytes.value())?;
                Some(filter.config_filter)
            }
            None => None,
        };
        Ok(Some(EventFound {
            event: self.event(key)?,
            config_filter,
        }))
    }

    pub(in crate::redb_store) fn events(&self, query: &EventQuery) -> Result<EventPage, Fault> {
        let mut page = EventPage::default();
        let mut span = spans::of_events(&self.views.events, query.created_from, query.created_to)?;
        if let Some(before) = query.before {
            span.to = span.to.min(before.0);
        }
        if span.is_empty() {
            return Ok(page);
        }
        let rows_max = query.limit.clamp(1, PAGE_ROWS_MAX);
        let mut bytes = 0;
        let mut last = None;
        for row in self.views.events.range(span.from..span.to)?.rev() {
            let (key, record) = row?;
            let key = EventKey(key.value());
            if page.examined >= EXAMINED_MAX
                || page.items.len() >= rows_max
                || bytes >= EXAMINED_BYTES_MAX
            {
                page.next = last;
                break;
            }
            last = Some(key);
            page.examined += 1;
            bytes += record.value().len();
            let event = record::decode_event(key, record.value()).map(Some);
            let event = unless_damaged(event, "an event cannot be listed")?;
            page.items.extend(
                event
                    .filter(|event| admits_event(query, event))
                    .map(Arc::new),
            );
        }
        Ok(page)
    }

    /// The deliveries of an event within a span, newest first.
    pub(super) fn of_event(&self, id: &EventId, span: Span) -> Result<Vec<Sequence>, Fault> {
        let Some(named) = rows::event_id(&self.views.event_ids, id)? else {
            return Ok(Vec::new());
        };
        let mut found = self.replayed(named.event, span)?;
        if named.deliveries == 0 {
            return Ok(found);
        }
        match named.first {
            Some(first) => {
                let first_made = first.0..first.0.saturating_add(named.deliveries);
                let within = first_made.start.max(span.from)..first_made.end.min(span.to);
                found.extend(within.rev().map(Sequence));
            }
            None => found.extend(self.neighbours(named.event, span)?),
        }
        Ok(found)
    }

    fn replayed(&self, key: EventKey, span: Span) -> Result<Vec<Sequence>, Fault> {
        let rows = self
            .views
            .replays
            .range((key.0, span.from)..(key.0, span.to))?;
        rows.rev()
            .map(|row| Ok(Sequence(row?.0.value().1)))
            .collect()
    }

    /// Of files of the first format: looked for among what was made at the same moment.
    fn neighbours(&self, key: EventKey, span: Span) -> Result<Vec<Sequence>, Fault> {
        let event: Event = rows::event(&self.views.events, key)?;
        let at = Some(event.accepted_at);
        let made = spans::of_times(&self.views.deliveries, at, at)?;
        let within = made.from.max(span.from)..made.to.min(span.to);
        let rows = rows::deliveries(&self.views.deliveries, &self.views.history, None, within)?;
        let mut found = Vec::new();
        for passed in rows.rev().take(NEIGHBOURS_MAX) {
            let (sequence, row) = passed?;
            let row = unless_damaged(row, "a delivery of an event cannot be read")?;
            // Those of the table of replays come from there.
            if row.is_some_and(|row| row.delivery.event == key)
                && self.views.replays.get((key.0, sequence.0))?.is_none()
            {
                found.push(sequence);
            }
        }
        Ok(found)
    }
}

/// The same for whoever must have them all, replays of that moment included, in order. None: too
/// much was made at that moment. A damaged one may belong to it, and stops the look.
pub(in crate::redb_store) fn made_with(
    events: &impl ReadableTable<u64, Bytes>,
    deliveries: &impl ReadableTable<u64, Bytes>,
    key: EventKey,
) -> Result<Option<Vec<Sequence>>, Fault> {
    let event: Event = rows::event(events, key)?;
    let at = Some(event.accepted_at);
    let made = spans::of_times(deliveries, at, at)?;
    let mut found = Vec::new();
    for (examined, row) in deliveries.range(made.from..made.to)?.enumerate() {
        if examined >= NEIGHBOURS_MAX {
            return Ok(None);
        }
        let (sequence, bytes) = row?;
        let sequence = Sequence(sequence.value());
        if Row::decode(sequence, bytes.value())?.delivery.event == key {
            found.push(sequence);
        }
    }
    Ok(Some(found))
}
