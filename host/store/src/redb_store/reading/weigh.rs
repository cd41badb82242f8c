//! What a directive would do: checked and counted, with nothing written.

use whisperer_domain::port::{DirectError, Directed, Directive, Scope};

use super::{Reading, unless_damaged};
use crate::directing::{self, Aim, Bulk};
use crate::redb_store::fault::Fault;
use crate::redb_store::{rows, spans};

/// Rows that a count looks at: beyond it, it is a lower bound.
const EXAMINED_MAX: usize = 50_000;

impl Reading {
    pub(in crate::redb_store) fn weigh(
        &self,
        directive: &Directive,
        scope: &Scope,
    ) -> Result<Result<Directed, DirectError>, Fault> {
        let bulk = |selection, aim| Bulk {
            selection,
            scope: scope.clone(),
            aim,
        };
        match directive {
            Directive::Retry { delivery, force } => {
                let Some(row) = self.row(*delivery)? else {
                    return Ok(Err(DirectError::NotFound));
                };
                let hook = self.catalog.hooks.get(&row.delivery.hook);
                let may = directing::may_retry(&row.delivery, *force, hook, scope);
                Ok(may.map(|()| Directed::Due {
                    attempts: row.delivery.attempts,
                }))
            }
            Directive::Requeue { selection, state } => self
                .count(&bulk(selection.clone(), Aim::Requeue(*state)))
                .map(Ok),
            Directive::Cancel(selection) => {
                self.count(&bulk(selection.clone(), Aim::Cancel)).map(Ok)
            }
            Directive::Replay {
                event,
                recipients,
                revision,
            } => {
                let current = *revision == self.catalog.revision;
                if !current || !directing::all_accept(recipients, &self.catalog) {
                    return Ok(Err(DirectError::Stale));
                }
                Ok(match rows::event_id(&self.views.event_ids, event)? {
                    Some(_) => Ok(Directed::Made {
                        deliveries: recipients.len() as u64,
                    }),
                    None => Err(DirectError::NotFound),
                })
            }
        }
    }

    /// Newest first: what came last is what a person has in mind.
    fn count(&self, bulk: &Bulk) -> Result<Directed, Fault> {
        let selection = &bulk.selection;
        let span = spans::of_times(
            &self.views.deliveries,
            selection.created_from,
            selection.created_to,
        )?;
        let rows = rows::deliveries(
            &self.views.deliveries,
            &self.views.history,
            selection.hook,
            span.from..span.to,
        )?;
        let mut deliveries = 0;
        for (examined, passed) in rows.rev().enumerate() {
            if examined >= EXAMINED_MAX {
                return Ok(Directed::Selected {
                    deliveries,
                    at_least: true,
                });
            }
            let (_, row) = passed?;
            let Some(row) = unless_damaged(row, "a delivery cannot be counted")? else {
                continue;
            };
            let row = self.overlaid(row)?;
            deliveries += u64::from(bulk.means(&row.delivery, &self.catalog));
        }
        Ok(Directed::Selected {
            deliveries,
            at_least: false,
        })
    }
}
