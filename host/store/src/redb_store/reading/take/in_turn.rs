//! What of an ordered lane may go: its rows stand by place, and each is asked when it is due.

use whisperer_domain::hook::Ordered;
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::Taken;

use super::{Asked, Basket, stands_otherwise};
use crate::in_order::{Met, Walk};
use crate::redb_store::fault::Fault;
use crate::redb_store::reading::Reading;
use crate::redb_store::record::Row;
use crate::redb_store::rows;

impl Reading {
    pub(super) fn take_in_turn(&mut self, asked: &Asked, ordered: Ordered) -> Result<Taken, Fault> {
        let hook = asked.hook;
        let cancelled_below = self.cancelled_below(hook)?;
        let mut basket = Basket::new(asked.budget);
        let mut walk = Walk::new(ordered, asked.horizon);
        let lane = self
            .views
            .pending
            .range((hook.0, 0, 0)..=(hook.0, u64::MAX, u64::MAX))?;
        for (examined, row) in lane.enumerate() {
            let (_, _, sequence) = row?.0.value();
            let sequence = Sequence(sequence);
            if examined > asked.examined_max() {
                walk.stop(&mut basket.taken);
                break;
            }
            if sequence < cancelled_below || asked.held.contains(&sequence) {
                continue;
            }
            let (row, met) = match self.meet(&mut walk, hook, sequence) {
                Ok((row, _)) if row.place.is_none() => return Ok(stands_otherwise()),
                Ok(met) => met,
                Err(fault) => {
                    basket.pass_over(fault)?;
                    continue;
                }
            };
            match met {
                Met::Passed => {}
                Met::Ends => break,
                Met::Goes if basket.is_full() => {
                    basket.taken.more = true;
                    break;
                }
                Met::Goes => {
                    if !basket.put(self.ready(row))? {
                        break;
                    }
                }
            }
        }
        walk.end(&mut basket.taken);
        let waits = basket.taken.next_due.is_some();
        basket.brought(hook, waits)
    }

    fn meet(&self, walk: &mut Walk, hook: HookId, sequence: Sequence) -> Result<(Row, Met), Fault> {
        let row = self.pending_row(hook, sequence)?;
        let object = if walk.asks_for_objects() {
            rows::object_id(&self.views.events, row.delivery.event)?
        } else {
            None
        };
        // Whatever stands in the index is pending; if its record says otherwise, nothing waits.
        let due = row.delivery.state.due().unwrap_or_default();
        Ok((row, walk.meet(due, object)))
    }
}
