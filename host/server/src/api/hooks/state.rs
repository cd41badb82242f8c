//! A hook's read-only `state`: what the catalog says of it, and how its lane stands.
//!
//! The catalog always answers; the store may not. Then a hook is shown without what is said of
//! its lane: absent, since null would say that there is none.

use serde::Serialize;
use utoipa::ToSchema;
use whisperer_domain::hook::{Hook, HookStatus};
use whisperer_domain::port::{LaneView, LastAttempt};

use crate::api::Api;
use crate::api::moment;

/// Pending deliveries that one request counts, over all hooks that it shows.
const COUNTED_MAX: usize = 100_000;

/// How the hooks' lanes stand, in their order.
pub(super) async fn lanes(api: &Api, hooks: &[&Hook]) -> Vec<Option<LaneView>> {
    if hooks.is_empty() {
        return Vec::new();
    }
    let ids = hooks.iter().map(|hook| hook.id).collect();
    match api.ledger.lanes(ids, COUNTED_MAX / hooks.len()).await {
        Ok(lanes) => lanes.into_iter().map(Some).collect(),
        Err(down) => {
            tracing::warn!(error = %down, "hooks are shown without their lanes");
            vec![None; hooks.len()]
        }
    }
}

/// How a hook and its lane stand. What the ledger cannot say just now is absent.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct HookState {
    status: &'static str,
    /// `unreadable`: what is encrypted cannot be read with the key that is there.
    secrets: Option<&'static str>,
    /// Why it was disabled, and since when; or since when it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(flatten)]
    #[schema(value_type = LaneState)]
    lane: Option<LaneState>,
}

#[derive(Serialize, ToSchema)]
struct LaneState {
    #[schema(required = false)]
    pending: usize,
    /// There are more than `pending` says.
    #[schema(required = false)]
    pending_at_least: bool,
    next_attempt_at: Option<String>,
    last_outcome: Option<LastOutcome>,
}

#[derive(Serialize, ToSchema)]
struct LastOutcome {
    outcome: &'static str,
    status: Option<u16>,
    at: String,
    /// Where the rest can be read: `/hook_events/{id}/`.
    delivery: u64,
}

pub(super) fn show(hook: &Hook, lane: Option<&LaneView>) -> HookState {
    let (reason, since) = match &hook.status {
        HookStatus::Active | HookStatus::Inactive => (None, None),
        HookStatus::Disabled { reason, since } => {
            (Some(reason.clone()), Some(moment::write(*since)))
        }
        HookStatus::Paused { since } => (None, Some(moment::write(*since))),
    };
    HookState {
        status: word(&hook.status),
        secrets: hook.secrets_unreadable.then_some("unreadable"),
        reason,
        since,
        lane: lane.map(|lane| LaneState {
            pending: lane.pending,
            pending_at_least: lane.more_pending,
            // Nothing is attempted while the hook is off or paused, whatever is due.
            next_attempt_at: lane.next_due.filter(|_| hook.delivers()).map(moment::write),
            last_outcome: lane.last_attempt.as_ref().map(last_outcome),
        }),
    }
}

fn word(status: &HookStatus) -> &'static str {
    match status {
        HookStatus::Active => "active",
        HookStatus::Inactive => "inactive",
        HookStatus::Disabled { .. } => "disabled",
        HookStatus::Paused { .. } => "paused",
    }
}

fn last_outcome(last: &LastAttempt) -> LastOutcome {
    LastOutcome {
        outcome: last.outcome.word(),
        status: last.status,
        at: moment::write(last.started_at),
        delivery: last.delivery.0,
    }
}
