//! Hooks that are gone are remembered for their history, and forgotten with the last of it.

use redb::ReadableTable;
use whisperer_domain::id::HookId;

use super::Allowance;
use crate::redb_store::batch::Batch;
use crate::redb_store::fault::Fault;

impl Batch<'_, '_> {
    /// Of hooks that are gone, what nobody's history names any more. Answers where to go on.
    pub(super) fn sweep_tombstones(
        &mut self,
        from: u64,
        left: &mut Allowance,
    ) -> Result<Option<u64>, Fault> {
        let mut empty = Vec::new();
        let mut next = None;
        for row in self.tables.tombstones.range(from..)? {
            let hook = row?.0.value();
            if left.is_used_up() {
                next = Some(hook);
                break;
            }
            left.use_up(1, 0);
            let mut history = self.tables.history.range((hook, 0)..=(hook, u64::MAX))?;
            let is_cancelling = self.state.cancels(HookId(hook));
            if history.next().is_none() && !is_cancelling {
                empty.push(hook);
            }
        }
        for hook in empty {
            self.wrote = true;
            self.tables.tombstones.remove(hook)?;
        }
        Ok(next)
    }
}
