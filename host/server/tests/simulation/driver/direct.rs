//! Directives: what they may change is taken over from the store, and nothing else.

use whisperer_domain::hook::Ordered;
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::{Catalog, Directive, Ledger, Run, Scope, Selection};

use super::Driver;
use crate::model::Cause;
use crate::ops::Op;

impl Driver {
    /// What is refused changes nothing, which is checked as everything else is.
    pub(super) async fn direct(&self, op: Op) {
        let whole_lane = |hook| Selection {
            hook: Some(hook),
            ..Selection::default()
        };
        let (directive, cause) = match op {
            Op::Retry { nth, force } => {
                let Some((sequence, hook)) = self.nth(nth) else {
                    return;
                };
                let hook = self.world.hook(hook);
                let urgent = hook.is_some_and(|hook| hook.ordered == Ordered::No);
                (
                    Directive::Retry {
                        delivery: sequence,
                        force,
                    },
                    Cause::Retried { sequence, urgent },
                )
            }
            Op::Requeue { hook, state } => {
                let hook = self.hooks[hook];
                let selection = whole_lane(hook);
                (
                    Directive::Requeue { selection, state },
                    Cause::Requeued(hook, state),
                )
            }
            Op::Cancel { hook } => {
                let hook = self.hooks[hook];
                (Directive::Cancel(whole_lane(hook)), Cause::Cancelled(hook))
            }
            Op::Replay { nth, hooks } => {
                let Some(directive) = self.replay(nth, &hooks) else {
                    return;
                };
                (directive, Cause::Nothing)
            }
            other => unreachable!("{other:?} is no directive"),
        };
        let directed = self
            .world
            .store
            .direct(directive, Scope::All, Run::Real(None));
        if directed.await.is_ok() {
            self.world.agree(&cause).await;
        }
    }

    /// A delivery, never one of the healthy hook.
    fn nth(&self, nth: usize) -> Option<(Sequence, HookId)> {
        let state = self.world.state();
        let rows = || {
            let rows = state.model.rows.values();
            rows.filter(|row| Some(row.hook) != state.model.healthy)
        };
        let count = rows().count().max(1);
        rows().nth(nth % count).map(|row| (row.sequence, row.hook))
    }

    /// To hooks that have no delivery of the event, so that what is sent tells whose it is.
    fn replay(&self, nth: usize, places: &[usize]) -> Option<Directive> {
        let (sequence, _) = self.nth(nth)?;
        let snapshot = self.world.store.snapshot();
        let state = self.world.state();
        let event = &state.model.rows[&sequence].event;
        let hooks = places.iter().map(|place| self.hooks[*place]);
        let recipients = hooks
            .filter(|hook| snapshot.hooks.get(hook).is_some_and(|hook| hook.accepts()))
            .filter(|hook| !state.model.has_delivery(*hook, event.key))
            .collect();
        Some(Directive::Replay {
            event: event.id.clone(),
            recipients,
            revision: snapshot.revision,
        })
    }
}
