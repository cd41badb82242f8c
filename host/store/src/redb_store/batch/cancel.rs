//! Cancelling a lane in steps: what was decided at once is written little by little, so that a
//! million pending deliveries stop nobody's commit. It goes on where it stopped, also after a
//! restart.

use redb::ReadableTable;
use whisperer_domain::delivery::DeliveryState;
use whisperer_domain::id::{HookId, Sequence};

use super::Batch;
use crate::redb_store::fault::Fault;
use crate::redb_store::frame;
use crate::redb_store::record::Cancellation;
use crate::redb_store::rows;

/// Rows that one transaction examines.
const STEP_ROWS: usize = 1000;

impl Batch<'_, '_> {
    /// One step of the first cancellation at work, if there is any.
    ///
    /// Behind the cursor no row can come to need it: a delivery that it covers is cancelled by
    /// its settle, never put back into the lane.
    pub(in crate::redb_store) fn cancel_some(&mut self) -> Result<(), Fault> {
        let Some(((hook, below), mut cancellation)) = self
            .state
            .cancellations
            .first_key_value()
            .map(|(key, cancellation)| (*key, cancellation.clone()))
        else {
            return Ok(());
        };
        self.wrote = true;
        let examined = self.lane_rows(hook, cancellation.cursor)?;
        for (stands, sequence) in &examined {
            if *sequence < below {
                self.cancel_row(hook, *stands, *sequence, &cancellation)?;
            }
        }
        let key = (hook.0, below.0);
        if examined.len() < STEP_ROWS {
            self.tables.cancellations.remove(key)?;
            self.state.cancellations.remove(&(hook, below));
            return Ok(());
        }
        cancellation.cursor = examined.last().map(|(stands, it)| (*stands, it.0));
        self.tables
            .cancellations
            .insert(key, &*frame::encode(&cancellation))?;
        self.state.cancellations.insert((hook, below), cancellation);
        Ok(())
    }

    fn lane_rows(
        &self,
        hook: HookId,
        cursor: Option<(u64, u64)>,
    ) -> Result<Vec<(u64, Sequence)>, Fault> {
        let first = cursor.map_or((hook.0, 0, 0), |(stands, sequence)| {
            (hook.0, stands, sequence.saturating_add(1))
        });
        let lane = self
            .tables
            .pending
            .range(first..=(hook.0, u64::MAX, u64::MAX))?;
        lane.take(STEP_ROWS)
            .map(|row| {
                let (_, stands, sequence) = row?.0.value();
                Ok((stands, Sequence(sequence)))
            })
            .collect()
    }

    fn cancel_row(
        &mut self,
        hook: HookId,
        stands: u64,
        sequence: Sequence,
        cancellation: &Cancellation,
    ) -> Result<(), Fault> {
        self.tables.pending.remove((hook.0, stands, sequence.0))?;
        let mut row = match rows::delivery(&self.tables.deliveries, sequence) {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(()),
            Err(fault @ Fault::Damaged { .. }) => {
                tracing::error!(%fault, "a cancelled delivery cannot be marked so");
                return Ok(());
            }
            Err(fault @ (Fault::Database(_) | Fault::Random(_) | Fault::Absent)) => {
                return Err(fault);
            }
        };
        if row.delivery.state.due().is_some() {
            row.delivery.state = DeliveryState::Cancelled(cancellation.cause.clone());
            row.place = None;
            row.delivery.modified_at = cancellation.at.max(row.delivery.created_at);
            self.put_delivery(&row)?;
            self.rewritten.push(sequence);
        }
        Ok(())
    }
}
