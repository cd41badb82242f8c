//! A hook's read-only `state`: what the catalog says of it, and how its lane stands.
//!
//! The catalog always answers; the store may not. Then a hook is shown without what is said of
//! its lane: absent, since null would say that there is none.

use serde_json::{Value, json};
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

pub(super) fn show(hook: &Hook, lane: Option<&LaneView>) -> Value {
    let mut state = json!({
        "status": word(&hook.status),
        "secrets": hook.secrets_unreadable.then_some("unreadable"),
    });
    match &hook.status {
        HookStatus::Active | HookStatus::Inactive => {}
        HookStatus::Disabled { reason, since } => {
            state["reason"] = json!(reason);
            state["since"] = json!(moment::write(*since));
        }
    }
    if let Some(lane) = lane {
        // Nothing is attempted while the hook is not active, whatever is due.
        let next_attempt_at = lane.next_due.filter(|_| hook.is_active());
        state["pending"] = json!(lane.pending);
        state["pending_at_least"] = json!(lane.more_pending);
        state["next_attempt_at"] = json!(next_attempt_at.map(moment::write));
        state["last_outcome"] = json!(lane.last_attempt.as_ref().map(last_outcome));
    }
    state
}

fn word(status: &HookStatus) -> &'static str {
    match status {
        HookStatus::Active => "active",
        HookStatus::Inactive => "inactive",
        HookStatus::Disabled { .. } => "disabled",
    }
}

/// `delivery` is where the rest can be read: `/hook_events/{id}/`.
fn last_outcome(last: &LastAttempt) -> Value {
    json!({
        "outcome": last.outcome.word(),
        "status": last.status,
        "at": moment::write(last.started_at),
        "delivery": last.delivery.0,
    })
}
