//! Directives in the model: what a selection means is done at once.

use std::collections::BTreeSet;

use whisperer_domain::id::Sequence;
use whisperer_domain::port::{DirectError, Directed, Directive, FeedItem, Scope, Selection};
use whisperer_domain::time::Timestamp;

use super::Model;
use crate::directing::{self, Aim, Bulk};

impl Model {
    pub(super) fn weigh(
        &self,
        directive: &Directive,
        scope: &Scope,
    ) -> Result<Directed, DirectError> {
        let selected = |selection: &Selection, aim| {
            let bulk = Bulk {
                selection: selection.clone(),
                scope: scope.clone(),
                aim,
            };
            Directed::Selected {
                deliveries: self.meant(&bulk).len() as u64,
                at_least: false,
            }
        };
        match directive {
            Directive::Retry { delivery, force } => {
                let kept = self.deliveries.get(delivery);
                let delivery = &kept.ok_or(DirectError::NotFound)?.delivery;
                let hook = self.catalog.hooks.get(&delivery.hook);
                directing::may_retry(delivery, *force, hook, scope)?;
                Ok(Directed::Due {
                    attempts: delivery.attempts,
                })
            }
            Directive::Requeue { selection, state } => {
                Ok(selected(selection, Aim::Requeue(*state)))
            }
            Directive::Cancel(selection) => Ok(selected(selection, Aim::Cancel)),
            Directive::Replay {
                event,
                recipients,
                revision,
            } => {
                let current = *revision == self.catalog.revision;
                if !current || !directing::all_accept(recipients, &self.catalog) {
                    return Err(DirectError::Stale);
                }
                self.find_event(event).ok_or(DirectError::NotFound)?;
                Ok(Directed::Made {
                    deliveries: recipients.len() as u64,
                })
            }
        }
    }

    pub(super) fn direct(
        &mut self,
        directive: Directive,
        scope: Scope,
        now: Timestamp,
    ) -> Result<Directed, DirectError> {
        let weighed = self.weigh(&directive, &scope)?;
        match directive {
            Directive::Retry { delivery, .. } => {
                self.rewrite(delivery, |delivery| directing::make_due(delivery, now));
                if let Some(ready) = self.ready(delivery) {
                    let lease = self.lease(ready.delivery.hook);
                    self.tell(if self.is_ordered(lease.hook) {
                        FeedItem::Look(lease)
                    } else {
                        FeedItem::Urgent { lease, ready }
                    });
                }
            }
            Directive::Requeue { selection, state } => self.carry_out(
                &Bulk {
                    selection,
                    scope,
                    aim: Aim::Requeue(state),
                },
                now,
            ),
            Directive::Cancel(selection) => self.carry_out(
                &Bulk {
                    selection,
                    scope,
                    aim: Aim::Cancel,
                },
                now,
            ),
            Directive::Replay {
                event, recipients, ..
            } => {
                self.accepted_at = now.max(self.accepted_at);
                let found = self.find_event(&event).ok_or(DirectError::NotFound)?;
                for hook in recipients {
                    self.add_delivery(hook, &found.event, now);
                }
            }
        }
        Ok(weighed)
    }

    fn meant(&self, bulk: &Bulk) -> Vec<Sequence> {
        let meant = self.deliveries.values().map(|kept| &kept.delivery);
        meant
            .filter(|delivery| bulk.means(delivery, &self.catalog))
            .map(|delivery| delivery.sequence)
            .collect()
    }

    fn carry_out(&mut self, bulk: &Bulk, now: Timestamp) {
        let mut hooks = BTreeSet::new();
        for sequence in self.meant(bulk) {
            self.rewrite(sequence, |delivery| {
                bulk.carry_out(delivery, now);
                hooks.insert(delivery.hook);
            });
        }
        for hook in hooks {
            let lease = self.lease(hook);
            self.tell(match bulk.aim {
                Aim::Requeue(_) => FeedItem::Look(lease),
                Aim::Cancel => FeedItem::Recall(lease),
            });
        }
    }

    fn rewrite(
        &mut self,
        sequence: Sequence,
        write: impl FnOnce(&mut whisperer_domain::delivery::Delivery),
    ) {
        let Some(kept) = self.deliveries.get_mut(&sequence) else {
            return;
        };
        let stood = kept.lane_key();
        write(&mut kept.delivery);
        self.rewritten.push(sequence);
        self.move_row(sequence, stood);
    }
}
