//! Deliveries as they are listed, newest first.
//!
//! A page examines a bounded number of rows and bytes; where it stops is where the next one goes
//! on. It looks through as few rows as the query allows: those of an event, of a hook, between
//! two times (which the uuid tells as well), or, as long as little is pending, what is pending.

use std::cmp::Reverse;
use std::sync::Arc;

use whisperer_domain::delivery::StateKind;
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::{DeliveryQuery, DeliveryView, Page};

use super::{Reading, unless_damaged};
use crate::admit::{PAGE_ROWS_MAX, admits};
use crate::delivery_uuid;
use crate::redb_store::fault::Fault;
use crate::redb_store::record::Row;
use crate::redb_store::rows::{self, Passed};
use crate::redb_store::spans::{self, Span};
use crate::redb_store::tables::Views;

/// 20,000 rows are some 10 ms (`examples/bench_pages.rs`).
const EXAMINED_MAX: usize = 20_000;
/// For the one delivery of a uuid, which cannot be told from others of its millisecond: as many
/// as a commit or two hold.
const EXAMINED_FOR_UUID_MAX: usize = 100_000;
const PAGE_BYTES_MAX: usize = 16 << 20;
/// What is pending is listed by the lanes' index while it holds no more than this. Beyond it the
/// newest deliveries are looked through, as for any other state.
const PENDING_LISTED_MAX: usize = 20_000;

type Rows<'a> = Box<dyn Iterator<Item = Result<Passed, Fault>> + 'a>;

impl Reading {
    pub(in crate::redb_store) fn page(&mut self, query: &DeliveryQuery) -> Result<Page, Fault> {
        let mut page = Page::default();
        let span = self.span(query)?;
        if span.is_empty() {
            return Ok(page);
        }
        let rows_max = query.limit.clamp(1, PAGE_ROWS_MAX);
        let examined_max = match query.uuid {
            Some(_) => EXAMINED_FOR_UUID_MAX,
            None => EXAMINED_MAX,
        };
        let mut response_bytes = 0;
        let mut last = None;
        let views = Arc::clone(&self.views);
        for passed in self.newest_first(&views, query, span)? {
            if page.examined >= examined_max
                || page.items.len() >= rows_max
                || self.event_bytes + response_bytes >= PAGE_BYTES_MAX
            {
                page.next = last;
                break;
            }
            let (sequence, row) = passed?;
            last = Some(sequence);
            page.examined += 1;
            let listed = self.listed(row, query);
            if let Some(view) = unless_damaged(listed, "a delivery cannot be listed")? {
                response_bytes += bytes_beside_event(&view);
                page.items.push(view);
            }
        }
        Ok(page)
    }

    fn listed(
        &mut self,
        row: Result<Option<Row>, Fault>,
        query: &DeliveryQuery,
    ) -> Result<Option<DeliveryView>, Fault> {
        let Some(row) = row? else {
            return Ok(None);
        };
        let row = self.overlaid(row)?;
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

    fn span(&self, query: &DeliveryQuery) -> Result<Span, Fault> {
        let mut from = query.created_from;
        let mut to = query.created_to;
        if let Some(uuid) = query.uuid {
            let Some(made_at) = delivery_uuid::made_at(uuid.0) else {
                return Ok(Span { from: 0, to: 0 });
            };
            from = Some(from.map_or(made_at, |from| from.max(made_at)));
            to = Some(to.map_or(made_at, |to| to.min(made_at)));
        }
        let mut span = spans::of_times(&self.views.deliveries, from, to)?;
        if let Some(before) = query.before {
            span.to = span.to.min(before.0);
        }
        Ok(span)
    }

    fn newest_first<'a>(
        &self,
        views: &'a Views,
        query: &DeliveryQuery,
        span: Span,
    ) -> Result<Rows<'a>, Fault> {
        if let Some(event) = &query.event {
            return Ok(looked_up(views, self.of_event(event, span)?));
        }
        if query.state == Some(StateKind::Pending)
            && let Some(pending) = pending(views, query.hook, span)?
        {
            return Ok(looked_up(views, pending));
        }
        let rows = rows::deliveries(
            &views.deliveries,
            &views.history,
            query.hook,
            span.from..span.to,
        )?;
        Ok(Box::new(rows.rev()))
    }
}

fn looked_up(views: &Views, sequences: Vec<Sequence>) -> Rows<'_> {
    Box::new(
        sequences
            .into_iter()
            .map(|sequence| Ok((sequence, rows::delivery(&views.deliveries, sequence)))),
    )
}

/// What is pending within a span, newest first. None: too much is.
fn pending(
    views: &Views,
    hook: Option<HookId>,
    span: Span,
) -> Result<Option<Vec<Sequence>>, Fault> {
    let lanes = match hook {
        Some(hook) => (hook.0, 0, 0)..=(hook.0, u64::MAX, u64::MAX),
        None => (0, 0, 0)..=(u64::MAX, u64::MAX, u64::MAX),
    };
    let mut found = Vec::new();
    for (examined, row) in views.pending.range(lanes)?.enumerate() {
        if examined >= PENDING_LISTED_MAX {
            return Ok(None);
        }
        let (_, _, sequence) = row?.0.value();
        if (span.from..span.to).contains(&sequence) {
            found.push(Sequence(sequence));
        }
    }
    found.sort_unstable_by_key(|sequence| Reverse(*sequence));
    Ok(Some(found))
}

fn bytes_beside_event(view: &DeliveryView) -> usize {
    let attempt = view.last_attempt.as_ref();
    let response = attempt.and_then(|attempt| attempt.response.as_ref());
    512 + response.map_or(0, |response| response.body.len())
}
