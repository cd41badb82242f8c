//! What a verdict makes of a delivery: pure, so that every store comes to the same.

use whisperer_domain::attempt::Attempt;
use whisperer_domain::delivery::{Delivery, DeliveryState};
use whisperer_domain::id::Sequence;
use whisperer_domain::outcome::Outcome;
use whisperer_domain::port::{LastAttempt, Verdict};
use whisperer_domain::time::Timestamp;

/// The state that follows; waits become times on the store's clock.
pub(crate) fn state_after(verdict: Verdict, now: Timestamp) -> DeliveryState {
    match verdict {
        Verdict::Delivered => DeliveryState::Delivered,
        Verdict::Discarded {
            plugin,
            code,
            message,
        } => DeliveryState::Discarded {
            plugin,
            code,
            message,
        },
        Verdict::Dead(cause) => DeliveryState::Dead(cause),
        Verdict::Cancelled(cause) => DeliveryState::Cancelled(cause),
        Verdict::Retry { after } => DeliveryState::Pending {
            due: now.after(after),
            waiting_for: None,
        },
        Verdict::Defer { after, waiting_for } => DeliveryState::Pending {
            due: now.after(after),
            waiting_for: Some(waiting_for),
        },
    }
}

/// Counts an attempt into its delivery.
pub(crate) fn count(delivery: &mut Delivery, attempt: &Attempt) {
    delivery.attempts = delivery.attempts.saturating_add(1);
    if let Some(status) = status_of(attempt) {
        delivery.last_status = Some(status);
    }
}

/// When a pending delivery is due.
pub(crate) fn due_of(delivery: &Delivery) -> Option<Timestamp> {
    match &delivery.state {
        DeliveryState::Pending { due, .. } => Some(*due),
        DeliveryState::Delivered
        | DeliveryState::Discarded { .. }
        | DeliveryState::Dead(_)
        | DeliveryState::Cancelled(_) => None,
    }
}

/// A lane's last attempt, as it is shown.
pub(crate) fn shown(delivery: Sequence, attempt: &Attempt) -> LastAttempt {
    LastAttempt {
        delivery,
        started_at: attempt.started_at,
        outcome: attempt.outcome.clone(),
        status: status_of(attempt),
    }
}

fn status_of(attempt: &Attempt) -> Option<u16> {
    if let Some(response) = &attempt.response {
        return Some(response.status);
    }
    match &attempt.outcome {
        Outcome::Delivered { status } | Outcome::Refused { status, .. } => Some(*status),
        Outcome::Unreachable { .. }
        | Outcome::TimedOut { .. }
        | Outcome::Blocked { .. }
        | Outcome::PluginFailed { .. }
        | Outcome::Discarded { .. }
        | Outcome::Internal { .. } => None,
    }
}
