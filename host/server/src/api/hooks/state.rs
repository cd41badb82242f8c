//! A hook's read-only `state`: what the catalog says of it, and how its lane stands.
//!
//! The catalog always answers; the store may not. Then a hook is shown without what is said of
//! its lane: absent, since null would say that there is none.
//!
//! A lane's health is what a restart would know of it: each turn of the breaker and each slowing
//! down is saved at once, what a success gives back of the pace is not.

use serde::Serialize;
use utoipa::ToSchema;
use whisperer_domain::health;
use whisperer_domain::hook::{Hook, HookStatus};
use whisperer_domain::port::{LaneView, LastAttempt};
use whisperer_domain::time::Timestamp;

use crate::api::Api;
use crate::api::moment;

/// Pending deliveries that one request counts, over all hooks that it shows.
const COUNTED_MAX: usize = 100_000;

/// A lane, and when it was looked at.
pub(in crate::api) struct SeenLane {
    view: LaneView,
    now: Timestamp,
    /// Nothing is tried before.
    rests_until: Option<Timestamp>,
}

impl SeenLane {
    fn of(mut view: LaneView, now: Timestamp) -> Self {
        // It also brings waits back into their bounds, as the lane does.
        let rests_until = view.health.rests_until(now);
        Self {
            view,
            now,
            rests_until,
        }
    }

    /// When a delivery that is due at `due` can be tried.
    pub(in crate::api) fn not_before(&self, due: Timestamp) -> Timestamp {
        self.rests_until.map_or(due, |until| due.max(until))
    }

    /// What its deliveries wait for while it rests.
    pub(in crate::api) fn rests_for(&self) -> Option<String> {
        let until = moment::write(self.rests_until?);
        Some(match self.breaker() {
            Breaker::Open => format!("its receiver, which kept failing: not before {until}"),
            Breaker::Closed | Breaker::HalfOpen => {
                format!("its receiver, which asked to wait: not before {until}")
            }
        })
    }

    fn breaker(&self) -> Breaker {
        match self.view.health.breaker {
            health::Breaker::Closed { .. } => Breaker::Closed,
            health::Breaker::Open { until, .. } if until > self.now => Breaker::Open,
            health::Breaker::Open { .. } => Breaker::HalfOpen,
        }
    }

    fn breaker_until(&self) -> Option<Timestamp> {
        match self.view.health.breaker {
            health::Breaker::Closed { .. } => None,
            health::Breaker::Open { until, .. } => Some(until).filter(|until| *until > self.now),
        }
    }
}

/// How the hooks' lanes stand, in their order.
pub(super) async fn lanes(api: &Api, hooks: &[&Hook]) -> Vec<Option<SeenLane>> {
    if hooks.is_empty() {
        return Vec::new();
    }
    let ids = hooks.iter().map(|hook| hook.id).collect();
    let now = api.clock.now();
    match api.ledger.lanes(ids, COUNTED_MAX / hooks.len()).await {
        Ok(lanes) => {
            let lanes = lanes.into_iter();
            lanes.map(|view| Some(SeenLane::of(view, now))).collect()
        }
        Err(down) => {
            tracing::warn!(error = %down, "hooks are shown without their lanes");
            hooks.iter().map(|_| None).collect()
        }
    }
}

/// Whether the hook's lane rests just now, which is cheap to ask: nothing is counted.
pub(in crate::api) async fn rest(api: &Api, hook: &Hook) -> Option<SeenLane> {
    let now = api.clock.now();
    match api.ledger.lanes(vec![hook.id], 0).await {
        Ok(lanes) => lanes.into_iter().next().map(|view| SeenLane::of(view, now)),
        Err(down) => {
            tracing::warn!(error = %down, "a delivery is shown without its lane");
            None
        }
    }
}

/// How a hook and its lane stand. What the ledger cannot say just now is absent.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct HookState {
    status: &'static str,
    /// `unreadable`: what is encrypted cannot be read with the key that is there.
    secrets: Option<&'static str>,
    /// While old keys hold beside the newest: when the last of them ends.
    rotating_until: Option<String>,
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
    #[schema(required = false)]
    breaker: Breaker,
    /// While it is open: nothing is tried before.
    breaker_until: Option<String>,
    /// Since when every attempt failed.
    failing_since: Option<String>,
    /// Attempts per second, at most: the receiver said not long ago that it was asked too much.
    paced: Option<f64>,
    /// What the receiver asked for by `Retry-After`: nothing is tried before.
    not_before: Option<String>,
}

/// `open`: the receiver kept failing and is left alone. `half-open`: after that, one attempt at a
/// time, until one succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Breaker {
    Closed,
    Open,
    HalfOpen,
}

#[derive(Serialize, ToSchema)]
struct LastOutcome {
    outcome: &'static str,
    status: Option<u16>,
    at: String,
    /// Where the rest can be read: `/hook_events/{id}/`.
    delivery: u64,
}

pub(super) fn show(hook: &Hook, lane: Option<&SeenLane>, now: Timestamp) -> HookState {
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
        rotating_until: hook.rotating_until(now).map(moment::write),
        reason,
        since,
        lane: lane.map(|lane| lane_state(hook, lane)),
    }
}

fn lane_state(hook: &Hook, lane: &SeenLane) -> LaneState {
    let SeenLane { view, now, .. } = lane;
    // Nothing is attempted while the hook is off or paused, whatever is due.
    let due = view.next_due.filter(|_| hook.delivers());
    let pace = view.health.pace;
    let not_before = pace.map(|pace| pace.not_before).filter(|at| at > now);
    LaneState {
        pending: view.pending,
        pending_at_least: view.more_pending,
        next_attempt_at: due.map(|due| moment::write(lane.not_before(due))),
        last_outcome: view.last_attempt.as_ref().map(last_outcome),
        breaker: lane.breaker(),
        breaker_until: lane.breaker_until().map(moment::write),
        failing_since: view.health.failing_since.map(moment::write),
        paced: pace.map(|pace| pace.per_second),
        not_before: not_before.map(moment::write),
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
