//! What an attempt adds to its delivery and its lane: pure, so that every store comes to the same.

use whisperer_domain::attempt::Attempt;
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::delivery::Delivery;
use whisperer_domain::event::NewEvent;
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::outcome::Outcome;
use whisperer_domain::port::LastAttempt;
use whisperer_domain::time::Timestamp;

/// Counts an attempt into its delivery.
pub(crate) fn count(delivery: &mut Delivery, attempt: &Attempt) {
    delivery.attempts = delivery.attempts.saturating_add(1);
    if let Some(status) = status_of(attempt) {
        delivery.last_status = Some(status);
    }
}

/// Whether an attempt that began then may disable its hook. Only one that is active: what its owner
/// or an operator stopped meanwhile stays stopped in their way, and its deliveries wait. And only
/// one that was not changed since: it may well have another receiver now. If that one is as bad,
/// its own attempts will say so.
pub(crate) fn may_disable(
    catalog: &CatalogSnapshot,
    id: HookId,
    began_at: Option<Timestamp>,
) -> bool {
    catalog.hooks.get(&id).is_some_and(|hook| {
        hook.delivers() && began_at.is_none_or(|began_at| began_at >= hook.modified_at)
    })
}

/// Whether an attempt that began then was surely made for the hook as it is now: only then its lane's
/// health is the hook's. Of one that began in the same millisecond it is not known.
pub(crate) fn is_of_now(
    catalog: &CatalogSnapshot,
    id: HookId,
    began_at: Option<Timestamp>,
) -> bool {
    catalog
        .hooks
        .get(&id)
        .is_some_and(|hook| began_at.is_none_or(|began_at| began_at > hook.modified_at))
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

/// Of those who listen, those whose filters let the event through.
pub(crate) fn that_want(
    catalog: &CatalogSnapshot,
    listeners: &[HookId],
    event: &NewEvent,
) -> Vec<HookId> {
    let mut wanted = catalog.recipients(&event.event_type, Some(&event.payload), None);
    wanted.retain(|id| listeners.contains(id));
    wanted
}
