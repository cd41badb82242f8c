//! The store has what the model has. What operations change there is taken over from it, if it is
//! what the operation may do, and nothing else has changed.

use whisperer_domain::delivery::{CancelCause, Delivery, DeliveryState, StateKind};
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::time::Timestamp;

use super::{Model, Row};

/// What may have changed in the store since the model last agreed with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Nothing,
    /// Receivers answered 410.
    Gone(Vec<HookId>),
    Deleted(HookId),
    Cancelled(HookId),
    Retried {
        sequence: Sequence,
        /// Before all others of its lane.
        urgent: bool,
    },
    Requeued(HookId, StateKind),
}

impl Cause {
    fn allows(&self, row: &Row, new: &DeliveryState, now: Timestamp) -> bool {
        let was_pending = row.state.due().is_some();
        let cancelled = |hook: HookId, cause| {
            row.hook == hook && was_pending && *new == DeliveryState::Cancelled(cause)
        };
        let is_due = *new
            == DeliveryState::Pending {
                due: now,
                waiting_for: None,
            };
        match self {
            Self::Nothing => false,
            Self::Gone(hooks) => hooks.iter().any(|hook| cancelled(*hook, CancelCause::Gone)),
            Self::Deleted(hook) => cancelled(*hook, CancelCause::HookDeleted),
            Self::Cancelled(hook) => cancelled(*hook, CancelCause::ByHand),
            Self::Retried { sequence, .. } => row.sequence == *sequence && is_due,
            Self::Requeued(hook, kind) => row.hook == *hook && row.state.kind() == *kind && is_due,
        }
    }
}

impl Model {
    /// Compares every delivery of the store, in order of sequence, with what it must be.
    pub(crate) fn agree(&mut self, stored: &[Delivery], cause: &Cause, now: Timestamp) {
        if stored.len() != self.rows.len() {
            let (has, made) = (stored.len(), self.rows.len());
            self.violate(now, format!("the store has {has} deliveries of {made}"));
            return;
        }
        for delivery in stored {
            let sequence = delivery.sequence;
            let Some(row) = self.rows.get(&sequence) else {
                self.violate(now, format!("nobody made {}", sequence.0));
                return;
            };
            if delivery.attempts != row.attempts {
                let (has, made) = (delivery.attempts, row.attempts);
                self.violate(now, format!("{} has {has} attempts of {made}", sequence.0));
                return;
            }
            if delivery.state == row.state {
                continue;
            }
            let gone_unasked = matches!(cause, Cause::Gone(_)) && !self.is_answered_gone(sequence);
            if gone_unasked || !cause.allows(row, &delivery.state, now) {
                let (was, is) = (&row.state, &delivery.state);
                let what = format!("{} became {is:?} from {was:?} by {cause:?}", sequence.0);
                self.violate(now, what);
            }
            self.take_over(delivery, now);
        }
        if let Cause::Retried { sequence, urgent } = cause
            && let Some(row) = self.rows.get_mut(sequence)
        {
            row.urgent |= urgent;
        }
    }

    fn take_over(&mut self, delivery: &Delivery, now: Timestamp) {
        self.note(
            now,
            format_args!("became   {} {:?}", delivery.sequence.0, delivery.state),
        );
        let rank = self.draw_rank();
        let Some(row) = self.rows.get_mut(&delivery.sequence) else {
            return;
        };
        let is_back = row.state.due().is_none() && delivery.state.due().is_some();
        row.state = delivery.state.clone();
        if is_back {
            row.rank = rank;
            row.attempts_before = row.attempts;
            row.aging_since = now;
            row.answered = None;
        }
    }
}
