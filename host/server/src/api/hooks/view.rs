//! A hook as the API shows it: every field, its secrets masked.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::hook::Hook;
use whisperer_domain::secret::MASK;
use whisperer_domain::time::Timestamp;

use super::schema::{Envelope, OnPluginError, Ordered, RetryCountdownConfig, ShownLink, Signature};
use super::settings::{ENVELOPES, ON_PLUGIN_ERROR, SIGNATURES, whole_millis};
use super::state::{HookState, SeenLane};
use super::{chain, headers, ordered, retry, state};
use crate::api::moment;

#[derive(Serialize, ToSchema)]
#[schema(as = Hook)]
pub(in crate::api) struct HookView<'a> {
    id: u64,
    owner: &'a str,
    target_url: &'a str,
    event_type: String,
    #[schema(value_type = RetryCountdownConfig)]
    retry_countdown_config: Value,
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    additional_headers: Value,
    /// The mask, if there is one.
    secret_key: Option<&'static str>,
    is_active: bool,
    /// Kept as text, shown as it is: a password in it is the mask already.
    #[schema(value_type = Option<Object>)]
    config: Option<&'a RawValue>,
    created_date: String,
    modified_date: String,
    #[schema(value_type = Option<Vec<ShownLink>>)]
    plugins: Value,
    #[schema(value_type = OnPluginError)]
    on_plugin_error: &'static str,
    #[schema(value_type = Envelope)]
    envelope: &'static str,
    #[schema(value_type = Vec<Signature>)]
    signatures: Vec<&'static str>,
    timeout_ms: u64,
    max_attempts: u32,
    max_age: u64,
    max_in_flight: u16,
    rate_limit: Option<u32>,
    ordered: Ordered,
    /// Kept as text, too.
    #[schema(value_type = Option<Object>)]
    filter: Option<&'a RawValue>,
    state: HookState,
}

impl<'a> HookView<'a> {
    /// As the audit remembers it: in the database, and for whoever may read the audit.
    pub(in crate::api) fn remembered(
        hook: &'a Hook,
        snapshot: &CatalogSnapshot,
        now: Timestamp,
    ) -> Self {
        Self {
            additional_headers: headers::masked(hook.additional_headers.as_deref()),
            ..Self::of(hook, None, snapshot, now)
        }
    }

    /// Without its lane a hook is shown as well: see [`state`].
    pub(in crate::api) fn of(
        hook: &'a Hook,
        lane: Option<&SeenLane>,
        snapshot: &CatalogSnapshot,
        now: Timestamp,
    ) -> Self {
        Self {
            id: hook.id.0,
            owner: hook.owner.as_str(),
            target_url: hook.target.as_str(),
            event_type: hook.subscription.to_string(),
            retry_countdown_config: retry::show(&hook.retry),
            additional_headers: headers::show(hook.additional_headers.as_deref()),
            secret_key: hook.secret_key.as_ref().map(|_| MASK),
            is_active: hook.accepts(),
            config: serde_json::from_str(&hook.config).ok(),
            created_date: moment::write(hook.created_at),
            modified_date: moment::write(hook.modified_at),
            plugins: chain::show(&hook.plugins, snapshot),
            on_plugin_error: word(&ON_PLUGIN_ERROR, hook.on_plugin_error),
            envelope: word(&ENVELOPES, hook.envelope),
            signatures: hook
                .signatures
                .iter()
                .map(|form| word(&SIGNATURES, *form))
                .collect(),
            timeout_ms: whole_millis(hook.timeout),
            max_attempts: hook.max_attempts(),
            max_age: hook.max_age.as_secs(),
            max_in_flight: hook.max_in_flight,
            rate_limit: hook.rate_limit,
            ordered: ordered::show(hook.ordered),
            filter: hook
                .filter
                .as_ref()
                .and_then(|filter| serde_json::from_str(filter.text()).ok()),
            state: state::show(hook, lane, now),
        }
    }
}

/// The word of a choice, from the table that it is read by: both ways stay the same.
fn word<T: Copy + PartialEq>(choices: &[(&'static str, T)], choice: T) -> &'static str {
    choices
        .iter()
        .find(|(_, known)| *known == choice)
        .map_or("unknown", |(word, _)| word)
}
