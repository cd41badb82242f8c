//! A delivery as the API shows it: what the OMS showed, and beside it what it never told.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use utoipa::ToSchema;
use whisperer_domain::attempt::{Attempt, PluginRun};
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::delivery::{CancelCause, DeadCause, DeliveryState, Waiting};
use whisperer_domain::outcome::Outcome;
use whisperer_domain::port::{Attempted, DeliveryView};
use whisperer_domain::time::Timestamp;

use crate::api::hooks::HookView;
use crate::api::hooks::state::SeenLane;
use crate::api::moment;

#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(in crate::api) struct HookEventView<'a> {
    id: u64,
    uuid: String,
    webhook: Option<HookView<'a>>,
    event_id: &'a str,
    event_type: &'a str,
    object_id: Option<&'a str>,
    /// W has it, always null.
    content_type: Option<&'a str>,
    delivered: bool,
    response_http_status: Option<u16>,
    response_content: Option<String>,
    /// Seconds, of the last attempt: connection and answer, without our plugins.
    response_time: Option<f64>,
    retry_count: u32,
    #[schema(value_type = Option<Value>)]
    request_payload: Option<&'a RawValue>,
    request_datetimes: Vec<String>,
    created_date: String,
    modified_date: String,
    state: &'static str,
    /// Why it ended without being delivered.
    state_reason: Option<String>,
    next_attempt_at: Option<String>,
    /// What keeps it from being tried. That its receiver is left alone for a while is told where
    /// a delivery is shown alone, not in lists.
    waiting_for: Option<String>,
}

impl<'a> HookEventView<'a> {
    /// A hook that is still there is shown as it is now, a deleted one as it was at its end.
    pub(in crate::api) fn of(
        view: &'a DeliveryView,
        snapshot: &'a CatalogSnapshot,
        now: Timestamp,
    ) -> Self {
        let hook = snapshot.hooks.get(&view.delivery.hook);
        let delivery = &view.delivery;
        let last = view.last_attempt.as_ref();
        let response = last.and_then(|attempt| attempt.response.as_ref());
        let (next_attempt_at, waiting_for) = match &delivery.state {
            DeliveryState::Pending { due, waiting_for } => {
                (Some(moment::write(*due)), waiting_for.as_ref().map(waiting))
            }
            DeliveryState::Delivered
            | DeliveryState::Discarded { .. }
            | DeliveryState::Dead(_)
            | DeliveryState::Cancelled(_) => (None, None),
        };
        Self {
            id: delivery.sequence.0,
            uuid: delivery.uuid.to_string(),
            webhook: hook
                .or(view.hook.as_ref())
                .map(|hook| HookView::of(hook, None, snapshot, now)),
            event_id: view.event.id.as_str(),
            event_type: delivery.event_type.as_str(),
            object_id: view.event.object_id.as_deref(),
            content_type: None,
            delivered: delivery.state == DeliveryState::Delivered,
            response_http_status: response
                .map(|response| response.status)
                .or(delivery.last_status),
            response_content: last.and_then(response_content),
            response_time: last.map(response_time),
            retry_count: delivery.attempts.saturating_sub(1),
            request_payload: serde_json::from_slice(&view.event.payload).ok(),
            request_datetimes: view
                .attempted_at
                .iter()
                .map(|at| moment::write(*at))
                .collect(),
            created_date: moment::write(delivery.created_at),
            modified_date: moment::write(delivery.modified_at),
            state: delivery.state.word(),
            state_reason: reason(&delivery.state),
            next_attempt_at,
            waiting_for,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryDetail)]
pub(super) struct DetailView<'a> {
    #[serde(flatten)]
    summary: HookEventView<'a>,
    #[schema(value_type = Vec<Object>)]
    attempts: Vec<Value>,
}

impl<'a> DetailView<'a> {
    pub(super) fn of(
        found: &'a Attempted,
        lane: Option<&SeenLane>,
        snapshot: &'a CatalogSnapshot,
        now: Timestamp,
    ) -> Self {
        let mut summary = HookEventView::of(&found.view, snapshot, now);
        if let (Some(due), Some(lane)) = (found.state().due(), lane) {
            summary.next_attempt_at = Some(moment::write(lane.not_before(due)));
            summary.waiting_for = summary.waiting_for.or_else(|| lane.rests_for());
        }
        Self {
            summary,
            attempts: found.attempts.iter().map(attempt).collect(),
        }
    }
}

pub(super) fn response_content(attempt: &Attempt) -> Option<String> {
    let response = attempt.response.as_ref()?;
    Some(String::from_utf8_lossy(&response.body).into_owned())
}

/// Seconds: connection and answer, without our plugins.
pub(super) fn response_time(attempt: &Attempt) -> f64 {
    seconds(attempt.timing.connect_us + attempt.timing.wait_us)
}

pub(in crate::api) fn attempt(attempt: &Attempt) -> Value {
    let response = attempt.response.as_ref();
    json!({
        "number": attempt.number,
        "started_at": moment::write(attempt.started_at),
        "outcome": attempt.outcome.word(),
        "status": response.map(|response| response.status),
        "error": error(&attempt.outcome),
        "duration": {
            "plugin": seconds(attempt.timing.plugin_us),
            "connect": seconds(attempt.timing.connect_us),
            "wait": seconds(attempt.timing.wait_us),
            "total": seconds(attempt.timing.total_us),
        },
        "response": response.map(|response| json!({
            "status": response.status,
            "headers": response.headers,
            "body": String::from_utf8_lossy(&response.body),
            "truncated": response.truncated,
        })),
        "chain": attempt.chain.iter().map(plugin_run).collect::<Vec<_>>(),
        "pinned": attempt.pinned,
    })
}

fn plugin_run(run: &PluginRun) -> Value {
    json!({
        "plugin": run.plugin.as_str(),
        "digest": run.digest.to_string(),
        "result": run.result,
        "time": seconds(run.took_us),
        "log": run.log,
    })
}

#[allow(
    clippy::cast_precision_loss,
    reason = "microseconds of an attempt: far below 2^52"
)]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// An outcome that is no success, in words.
pub(super) fn error(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Delivered { .. } => None,
        Outcome::Refused {
            status,
            retry_after_secs,
        } => Some(match retry_after_secs {
            None => format!("the receiver answered {status}"),
            Some(secs) => format!("the receiver answered {status}, not before {secs} s"),
        }),
        Outcome::Unreachable { cause, message } => {
            Some(format!("unreachable ({}): {message}", cause.word()))
        }
        Outcome::TimedOut { while_doing } => Some(format!("timed out: {while_doing}")),
        Outcome::Blocked { message } => Some(format!("not sent: {message}")),
        Outcome::PluginFailed {
            plugin,
            kind,
            code,
            message,
        } => Some(format!(
            "plugin {plugin} failed ({}): {}",
            kind.word(),
            coded(code, message)
        )),
        Outcome::Discarded {
            plugin,
            code,
            message,
        } => Some(format!(
            "plugin {plugin} discarded it: {}",
            coded(code, message)
        )),
        Outcome::Internal { message } => Some(format!("internal: {message}")),
    }
}

pub(super) fn reason(state: &DeliveryState) -> Option<String> {
    match state {
        DeliveryState::Pending { .. } | DeliveryState::Delivered => None,
        DeliveryState::Discarded {
            plugin,
            code,
            message,
        } => Some(format!(
            "plugin {plugin} discarded it: {}",
            coded(code, message)
        )),
        DeliveryState::Dead(DeadCause::Exhausted) => Some("every attempt was used up".to_owned()),
        DeliveryState::Dead(DeadCause::Expired) => Some("older than max_age".to_owned()),
        DeliveryState::Dead(DeadCause::Plugin {
            plugin,
            code,
            message,
        }) => Some(format!(
            "plugin {plugin} rejected it: {}",
            coded(code, message)
        )),
        DeliveryState::Dead(DeadCause::Unsendable(words)) => Some(words.clone()),
        DeliveryState::Dead(DeadCause::Aborted) => {
            Some("the receiver asked not to be sent it again".to_owned())
        }
        DeliveryState::Cancelled(CancelCause::HookDeleted) => {
            Some("the hook was deleted".to_owned())
        }
        DeliveryState::Cancelled(CancelCause::Gone) => Some("the receiver answered 410".to_owned()),
        DeliveryState::Cancelled(CancelCause::ByHand) => Some("cancelled by hand".to_owned()),
    }
}

fn coded(code: &str, message: &str) -> String {
    match (code.is_empty(), message.is_empty()) {
        (true, _) => message.to_owned(),
        (false, true) => code.to_owned(),
        (false, false) => format!("{code}: {message}"),
    }
}

pub(crate) fn waiting(waiting: &Waiting) -> String {
    match waiting {
        Waiting::PluginMissing(name) => format!("plugin {name}, which is not in the folder"),
        Waiting::PluginNotReady(name) => format!("plugin {name}, which does not run yet"),
        Waiting::PluginQuarantined(name) => {
            format!("plugin {name}, which is stopped because it kept breaking")
        }
        Waiting::PluginConfigUnfit(name) => {
            format!("a configuration that plugin {name} takes: see /plugins/{name}/")
        }
        Waiting::SecretUnreadable => "the hook's secrets, which cannot be read".to_owned(),
    }
}
