//! Ordered lanes: which changes put a lane in order, and what of an ordered lane may go. Pure, so
//! that every store decides alike.

use std::collections::BTreeMap;

use whisperer_domain::catalog::{CatalogChange, CatalogSnapshot};
use whisperer_domain::hook::Ordered;
use whisperer_domain::id::HookId;
use whisperer_domain::port::Taken;
use whisperer_domain::time::Timestamp;

/// Pending deliveries that one change of a hook may move: more would hold up everybody's commits.
/// 10,000 take some 0.1 s (`examples/bench_pending.rs`).
pub(crate) const MOVED_MAX: usize = 10_000;
/// Objects that a walk knows as blocked. Beyond them it ends.
pub(crate) const BLOCKED_MAX: usize = 1000;
/// Rows that one walk passes over, beside those that are held.
pub(crate) const PASSED_MAX: usize = 5000;

/// The hook whose pending deliveries stand otherwise after this change, and how. Between order by
/// hook and by object nothing moves. A change that does not apply is left to be refused as such.
pub(crate) fn turn(catalog: &CatalogSnapshot, change: &CatalogChange) -> Option<(HookId, Ordered)> {
    let hook = match change {
        CatalogChange::ReplaceHook(hook) => hook,
        CatalogChange::CreateHook(_)
        | CatalogChange::DeleteHook(_)
        | CatalogChange::PutEventType(..)
        | CatalogChange::DeleteEventType(_)
        | CatalogChange::PutToken(_)
        | CatalogChange::DeleteToken(_)
        | CatalogChange::Noted(_)
        | CatalogChange::PutPlugin(_)
        | CatalogChange::RemovePlugin(_) => return None,
    };
    let old = catalog.hooks.get(&hook.id)?;
    let turns = (old.ordered == Ordered::No) != (hook.ordered == Ordered::No);
    (old.revision == hook.revision && turns).then_some((hook.id, hook.ordered))
}

/// What becomes of a row that the walk meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    Goes,
    /// It waits, and others behind it may go.
    Passed,
    /// It waits, and so does all behind it.
    Ends,
}

/// A walk through an ordered lane from its front.
pub(crate) struct Walk {
    ordered: Ordered,
    horizon: Timestamp,
    blocked: BTreeMap<String, Timestamp>,
    next_due: Option<Timestamp>,
    closed: bool,
}

impl Walk {
    pub(crate) fn new(ordered: Ordered, horizon: Timestamp) -> Self {
        Self {
            ordered,
            horizon,
            blocked: BTreeMap::new(),
            next_due: None,
            closed: false,
        }
    }

    /// Whether it has to be told what rows are about.
    pub(crate) fn asks_for_objects(&self) -> bool {
        self.ordered == Ordered::Object
    }

    pub(crate) fn meet(&mut self, due: Timestamp, object: Option<String>) -> Met {
        let waits = due > self.horizon;
        match (self.ordered, object) {
            (Ordered::Object, Some(object)) => {
                if self.blocked.contains_key(&object) {
                    return Met::Passed;
                }
                if !waits {
                    return Met::Goes;
                }
                self.wake(due);
                if self.blocked.len() == BLOCKED_MAX {
                    self.closed = true;
                    return Met::Ends;
                }
                self.blocked.insert(object, due);
                Met::Passed
            }
            (Ordered::No | Ordered::Hook | Ordered::Object, _) if !waits => Met::Goes,
            (Ordered::Object, None) => {
                self.wake(due);
                Met::Passed
            }
            (Ordered::No | Ordered::Hook, _) => {
                self.wake(due);
                self.closed = true;
                Met::Ends
            }
        }
    }

    /// It came as far as one walk may. Where nothing is known to wait for, there is more to come.
    pub(crate) fn stop(&mut self, taken: &mut Taken) {
        self.closed = self.next_due.is_some();
        taken.more = !self.closed;
    }

    pub(crate) fn end(self, taken: &mut Taken) {
        taken.next_due = self.next_due;
        taken.closed = self.closed;
        taken.blocked = self.blocked.into_iter().collect();
    }

    fn wake(&mut self, due: Timestamp) {
        self.next_due = Some(self.next_due.map_or(due, |next| next.min(due)));
    }
}
