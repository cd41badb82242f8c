//! What an attempt adds to its delivery and its lane: pure, so that every store comes to the same.

use whisperer_domain::attempt::Attempt;
use whisperer_domain::delivery::Delivery;
use whisperer_domain::id::Sequence;
use whisperer_domain::outcome::Outcome;
use whisperer_domain::port::LastAttempt;

/// Counts an attempt into its delivery.
pub(crate) fn count(delivery: &mut Delivery, attempt: &Attempt) {
    delivery.attempts = delivery.attempts.saturating_add(1);
    if let Some(status) = status_of(attempt) {
        delivery.last_status = Some(status);
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
