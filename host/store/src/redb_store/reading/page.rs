//! Deliveries as they are listed, newest first.
//!
//! A page examines a bounded number of rows and holds a bounded number of bytes; where it stops
//! is where the next one goes on. Times of creation rise with the sequence, so bounds of time,
//! and the uuid, which tells when it was made, are found by halving instead of by an index.

use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::{DeliveryQuery, DeliveryView, Page};
use whisperer_domain::time::Timestamp;

use super::{Reading, unless_damaged};
use crate::admit::{PAGE_ROWS_MAX, admits};
use crate::delivery_uuid;
use crate::redb_store::fault::Fault;
use crate::redb_store::record::Row;

const EXAMINED_MAX: usize = 5000;
const PAGE_BYTES_MAX: usize = 16 << 20;

/// Sequences from `from` up to, not including, `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    from: u64,
    to: u64,
}

impl Reading<'_> {
    pub(in crate::redb_store) fn page(&mut self, query: &DeliveryQuery) -> Result<Page, Fault> {
        let mut page = Page::default();
        let Some(span) = self.span(query)? else {
            return Ok(page);
        };
        let rows_max = query.limit.clamp(1, PAGE_ROWS_MAX);
        let mut bytes = 0;
        let mut last = None;
        for (examined, sequence) in self.newest_first(query.hook, span)?.enumerate() {
            let sequence = sequence?;
            if examined >= EXAMINED_MAX || page.items.len() >= rows_max || bytes >= PAGE_BYTES_MAX {
                page.next = last;
                break;
            }
            last = Some(sequence);
            let listed = self.listed(sequence, query);
            if let Some(view) = unless_damaged(listed, "a delivery cannot be listed")? {
                bytes += view_bytes(&view);
                page.items.push(view);
            }
        }
        Ok(page)
    }

    fn listed(
        &mut self,
        sequence: Sequence,
        query: &DeliveryQuery,
    ) -> Result<Option<DeliveryView>, Fault> {
        let Some(row) = self.row(sequence)? else {
            return Ok(None);
        };
        if !admits(query, &row.delivery) || !self.is_visible(row.delivery.hook, &query.scope)? {
            return Ok(None);
        }
        if query.object_id.is_some() {
            let event = self.event(row.delivery.event)?;
            if event.object_id != query.object_id {
                return Ok(None);
            }
        }
        self.view(row).map(Some)
    }

    /// None: nothing can be in it.
    fn span(&self, query: &DeliveryQuery) -> Result<Option<Span>, Fault> {
        let mut from = query.created_from;
        let mut to = query.created_to;
        if let Some(uuid) = query.uuid {
            let Some(made_at) = delivery_uuid::made_at(uuid.0) else {
                return Ok(None);
            };
            from = Some(from.map_or(made_at, |from| from.max(made_at)));
            to = Some(to.map_or(made_at, |to| to.min(made_at)));
        }
        let mut span = Span {
            from: 0,
            to: query.before.map_or(u64::MAX, |before| before.0),
        };
        if let Some(from) = from {
            span.from = self.first_made_at(from)?;
        }
        // Nothing is made after the last moment that there is.
        if let Some(after) = to.and_then(|to| to.0.checked_add(1)) {
            span.to = span.to.min(self.first_made_at(Timestamp(after))?);
        }
        Ok((span.from < span.to).then_some(span))
    }

    /// The lowest sequence whose delivery was made at `at` or later; the end if there is none.
    fn first_made_at(&self, at: Timestamp) -> Result<u64, Fault> {
        let end = match self.views.deliveries.range::<u64>(..)?.next_back() {
            Some(row) => row?.0.value().saturating_add(1),
            None => return Ok(0),
        };
        let (mut low, mut high) = (0, end);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.first_from(middle)? {
                // The row may lie above `middle`, where others are gone: what is said of it
                // holds for all sequences from `middle` to it.
                Some(row) if row.delivery.created_at < at => low = row.delivery.sequence.0 + 1,
                Some(_) | None => high = middle,
            }
        }
        Ok(low)
    }

    /// The first delivery from a sequence on that can be read.
    fn first_from(&self, sequence: u64) -> Result<Option<Row>, Fault> {
        for row in self.views.deliveries.range(sequence..)?.take(EXAMINED_MAX) {
            let (key, bytes) = row?;
            match Row::decode(Sequence(key.value()), bytes.value()) {
                Err(Fault::Damaged { .. }) => {}
                row => return row.map(Some),
            }
        }
        Ok(None)
    }

    fn newest_first(
        &self,
        hook: Option<HookId>,
        span: Span,
    ) -> Result<Box<dyn Iterator<Item = Result<Sequence, Fault>>>, Fault> {
        Ok(match hook {
            Some(hook) => {
                let rows = self
                    .views
                    .history
                    .range((hook.0, span.from)..(hook.0, span.to))?;
                Box::new(rows.rev().map(|row| Ok(Sequence(row?.0.value().1))))
            }
            None => {
                let rows = self.views.deliveries.range(span.from..span.to)?;
                Box::new(rows.rev().map(|row| Ok(Sequence(row?.0.value()))))
            }
        })
    }
}

fn view_bytes(view: &DeliveryView) -> usize {
    let attempt = view.last_attempt.as_ref();
    let response = attempt.and_then(|attempt| attempt.response.as_ref());
    512 + view.event.payload.len() + response.map_or(0, |response| response.body.len())
}
