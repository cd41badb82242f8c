//! Carrying out directives, as part of one transaction: a single delivery and a replay at once,
//! what a selection means in steps, so that a million deliveries stop nobody's commit.
//!
//! A step goes from a cursor upwards by sequence, which never changes: each delivery is met once,
//! whatever becomes of it meanwhile. Cursor and rows are one write, so that after a crash a step
//! was done or was not begun.

use std::collections::BTreeSet;

use whisperer_domain::access::Note;
use whisperer_domain::catalog::Revision;
use whisperer_domain::delivery::Ready;
use whisperer_domain::id::{EventId, HookId, Sequence};
use whisperer_domain::port::{DirectError, Directed, Directive, FeedItem, Scope, StoreDown};

use super::{Batch, lease};
use crate::directing::{self, Aim, Bulk};
use crate::redb_store::fault::Fault;
use crate::redb_store::record::{Order, Row};
use crate::redb_store::{frame, rows, spans};

/// Orders that wait or are at work.
const ORDERS_MAX: usize = 32;
/// Rows that one step examines, and those that it writes: the second cost more.
const STEP_EXAMINED_MAX: usize = 4000;
const STEP_WRITTEN_MAX: usize = 500;

impl Batch<'_, '_> {
    /// The outer error spoils the transaction unless it is damage, which was met before
    /// anything was written.
    pub(in crate::redb_store) fn direct(
        &mut self,
        directive: Directive,
        scope: Scope,
        note: Option<Note>,
    ) -> Result<Result<Directed, DirectError>, Fault> {
        let object = directive.object();
        let done = self.follow(directive, scope)?;
        if done.is_ok() {
            self.note(note, object)?;
        }
        Ok(done)
    }

    fn follow(
        &mut self,
        directive: Directive,
        scope: Scope,
    ) -> Result<Result<Directed, DirectError>, Fault> {
        match directive {
            Directive::Retry { delivery, force } => self.retry(delivery, force, &scope),
            Directive::Requeue { selection, state } => self.order(Bulk {
                selection,
                scope,
                aim: Aim::Requeue(state),
            }),
            Directive::Cancel(selection) => self.order(Bulk {
                selection,
                scope,
                aim: Aim::Cancel,
            }),
            Directive::Replay {
                event,
                recipients,
                revision,
            } => self.replay(&event, &recipients, revision),
        }
    }

    fn retry(
        &mut self,
        sequence: Sequence,
        force: bool,
        scope: &Scope,
    ) -> Result<Result<Directed, DirectError>, Fault> {
        let Some(mut row) = rows::delivery(&self.tables.deliveries, sequence)? else {
            return Ok(Err(DirectError::NotFound));
        };
        let hook = row.delivery.hook;
        let known = self.state.catalog.hooks.get(&hook);
        if let Err(refusal) = directing::may_retry(&row.delivery, force, known, scope) {
            return Ok(Err(refusal));
        }
        if self.state.cancellation(hook, sequence).is_some() {
            return Ok(Err(DirectError::Down(StoreDown::Lagging)));
        }
        // Before anything is written: they may be damaged.
        let event = rows::event(&self.tables.events, row.delivery.event)?;
        let pin = rows::pin(&self.tables.pins, sequence, self.seal)?;
        let stood = row.lane_key();
        directing::make_due(&mut row.delivery, self.now);
        self.move_row(&mut row, stood)?;
        let attempts = row.delivery.attempts;
        self.feed.push(if row.place.is_some() {
            // It waits for its turn.
            FeedItem::Look(lease(hook))
        } else {
            FeedItem::Urgent {
                lease: lease(hook),
                ready: Ready {
                    delivery: row.delivery,
                    event: event.into(),
                    pin: pin.map(Into::into),
                },
            }
        });
        Ok(Ok(Directed::Due { attempts }))
    }

    fn replay(
        &mut self,
        id: &EventId,
        recipients: &[HookId],
        revision: Revision,
    ) -> Result<Result<Directed, DirectError>, Fault> {
        let catalog = &self.state.catalog;
        if revision != catalog.revision || !directing::all_accept(recipients, catalog) {
            return Ok(Err(DirectError::Stale));
        }
        let Some(named) = rows::event_id(&self.tables.event_ids, id)? else {
            return Ok(Err(DirectError::NotFound));
        };
        let event = rows::event(&self.tables.events, named.event)?.into();
        let deliveries = recipients.len() as u64;
        if recipients.is_empty() {
            return Ok(Ok(Directed::Made { deliveries }));
        }
        self.wrote = true;
        self.state.counters.accepted_at = self.accept_at;
        let first = self.state.counters.sequence;
        self.write_deliveries(&event, recipients)?;
        for sequence in first..self.state.counters.sequence {
            self.tables.replays.insert((event.key.0, sequence), ())?;
        }
        Ok(Ok(Directed::Made { deliveries }))
    }

    /// Writes the selection down; how many it means was counted by the caller.
    fn order(&mut self, bulk: Bulk) -> Result<Result<Directed, DirectError>, Fault> {
        if self.state.orders.len() >= ORDERS_MAX {
            return Ok(Err(DirectError::TooMany));
        }
        let span = spans::of_times(
            &self.tables.deliveries,
            bulk.selection.created_from,
            bulk.selection.created_to,
        )?;
        let below = span.to.min(self.state.counters.sequence);
        let number = match self.state.orders.last_key_value() {
            Some((last, _)) => last + 1,
            None => 0,
        };
        let order = Order {
            bulk,
            next: span.from,
            below,
        };
        self.tables
            .directives
            .insert(number, &*frame::encode(&order.to_record()))?;
        self.state.orders.insert(number, order);
        self.wrote = true;
        Ok(Ok(Directed::Selected {
            deliveries: 0,
            at_least: true,
        }))
    }

    /// One step of the first order at work, if there is any and no lane is being cancelled: what
    /// such a cancellation covers must be written before it can be brought back.
    pub(in crate::redb_store) fn direct_some(&mut self) -> Result<(), Fault> {
        if !self.state.cancellations.is_empty() {
            return Ok(());
        }
        let Some((number, mut order)) = self.state.orders.pop_first() else {
            return Ok(());
        };
        self.wrote = true;
        let (selected, next) = self.select(&order)?;
        self.carry_out(&order.bulk, selected)?;
        if next >= order.below {
            self.tables.directives.remove(number)?;
            tracing::info!(?order.bulk, "a directive is carried out");
            return Ok(());
        }
        order.next = next;
        self.tables
            .directives
            .insert(number, &*frame::encode(&order.to_record()))?;
        self.state.orders.insert(number, order);
        Ok(())
    }

    /// The next rows that the order means, and where to go on after them.
    fn select(&self, order: &Order) -> Result<(Vec<Row>, u64), Fault> {
        let mut selected = Vec::new();
        let rows = rows::deliveries(
            &self.tables.deliveries,
            &self.tables.history,
            order.bulk.selection.hook,
            order.next..order.below,
        )?;
        for (examined, row) in rows.enumerate() {
            let (sequence, row) = row?;
            if examined >= STEP_EXAMINED_MAX || selected.len() >= STEP_WRITTEN_MAX {
                return Ok((selected, sequence.0));
            }
            match row {
                Ok(Some(row)) if order.bulk.means(&row.delivery, &self.state.catalog) => {
                    selected.push(row);
                }
                Ok(_) => {}
                Err(fault @ Fault::Damaged { .. }) => {
                    tracing::error!(%fault, "a directive passes over a delivery");
                }
                Err(fault @ (Fault::Database(_) | Fault::Random(_) | Fault::Absent)) => {
                    return Err(fault);
                }
            }
        }
        Ok((selected, order.below))
    }

    fn carry_out(&mut self, bulk: &Bulk, selected: Vec<Row>) -> Result<(), Fault> {
        let mut hooks = BTreeSet::new();
        for mut row in selected {
            let stood = row.lane_key();
            bulk.carry_out(&mut row.delivery, self.now);
            self.move_row(&mut row, stood)?;
            hooks.insert(row.delivery.hook);
        }
        let told = hooks.into_iter().map(|hook| match bulk.aim {
            Aim::Requeue(_) => FeedItem::Look(lease(hook)),
            Aim::Cancel => FeedItem::Recall(lease(hook)),
        });
        self.feed.extend(told);
        Ok(())
    }
}
