//! The fields of a hook that stand for themselves: how it is tried, wrapped and signed.
//!
//! Null means the default, for each of them.

use std::time::Duration;

use serde_json::{Map, Value};
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::envelope::Envelope;
use whisperer_domain::hook::{
    Hook, MAX_AGE_DEFAULT, MAX_ATTEMPTS_MAX, MAX_IN_FLIGHT_DEFAULT, MAX_IN_FLIGHT_MAX,
    OnPluginError, Ordered, PluginChoice, RATE_LIMIT_MAX, TIMEOUT_DEFAULT, TIMEOUT_MAX,
    TIMEOUT_MIN,
};
use whisperer_domain::schedule::RetryConfig;
use whisperer_domain::secret::Secret;
use whisperer_domain::sign::SignatureForm;

use super::chain::{self, Old};
use super::{headers, ordered, retry};
use crate::api::field_errors::{Checked, FieldErrors};
use crate::api::value;

/// A year: a delivery that waits longer than this was forgotten, not delayed.
const MAX_AGE_SECS_MAX: u64 = 365 * 24 * 3600;

pub(super) const ON_PLUGIN_ERROR: [(&str, OnPluginError); 3] = [
    ("retry", OnPluginError::Retry),
    ("dead", OnPluginError::Dead),
    ("send", OnPluginError::Send),
];
pub(super) const ENVELOPES: [(&str, Envelope); 4] = [
    ("whisperer", Envelope::Whisperer),
    ("standard", Envelope::Standard),
    ("cloudevents", Envelope::CloudEvents),
    ("none", Envelope::Bare),
];
pub(super) const SIGNATURES: [(&str, SignatureForm); 4] = [
    ("whisperer", SignatureForm::Whisperer),
    ("standard", SignatureForm::Standard),
    ("github", SignatureForm::Github),
    ("ed25519", SignatureForm::Ed25519),
];

pub(super) struct Settings {
    pub(super) retry: RetryConfig,
    pub(super) max_attempts: Option<u32>,
    pub(super) max_age: Duration,
    pub(super) additional_headers: Option<Vec<(String, Secret)>>,
    pub(super) plugins: PluginChoice,
    pub(super) on_plugin_error: OnPluginError,
    pub(super) envelope: Envelope,
    pub(super) signatures: Vec<SignatureForm>,
    pub(super) timeout: Duration,
    pub(super) max_in_flight: u16,
    pub(super) rate_limit: Option<u32>,
    pub(super) ordered: Ordered,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retry: RetryConfig::default(),
            max_attempts: None,
            max_age: MAX_AGE_DEFAULT,
            additional_headers: None,
            plugins: PluginChoice::ByPattern,
            on_plugin_error: OnPluginError::Retry,
            envelope: Envelope::Whisperer,
            signatures: vec![SignatureForm::Whisperer, SignatureForm::Standard],
            timeout: TIMEOUT_DEFAULT,
            max_in_flight: MAX_IN_FLIGHT_DEFAULT,
            rate_limit: None,
            ordered: Ordered::No,
        }
    }
}

impl Settings {
    pub(super) fn of(hook: &Hook) -> Self {
        Self {
            retry: hook.retry.clone(),
            max_attempts: hook.max_attempts,
            max_age: hook.max_age,
            additional_headers: hook.additional_headers.clone(),
            plugins: hook.plugins.clone(),
            on_plugin_error: hook.on_plugin_error,
            envelope: hook.envelope,
            signatures: hook.signatures.clone(),
            timeout: hook.timeout,
            max_in_flight: hook.max_in_flight,
            rate_limit: hook.rate_limit,
            ordered: hook.ordered,
        }
    }

    /// Lays what `input` mentions over these, and notes what is wrong with it.
    pub(super) fn read(
        &mut self,
        input: &Map<String, Value>,
        snapshot: &CatalogSnapshot,
        old: Old<&PluginChoice>,
        errors: &mut FieldErrors,
    ) {
        let fresh = Self::default();
        let mut fields = Fields { input, errors };
        fields.set(
            "retry_countdown_config",
            &mut self.retry,
            fresh.retry,
            retry::read,
        );
        fields.set(
            "additional_headers",
            &mut self.additional_headers,
            None,
            |given| headers::read(given).map(Some),
        );
        fields.set("plugins", &mut self.plugins, fresh.plugins, |given| {
            chain::read(given, snapshot, old)
        });
        fields.set(
            "on_plugin_error",
            &mut self.on_plugin_error,
            fresh.on_plugin_error,
            |given| Ok(value::choice(given, &ON_PLUGIN_ERROR)?),
        );
        fields.set("envelope", &mut self.envelope, fresh.envelope, |given| {
            Ok(value::choice(given, &ENVELOPES)?)
        });
        fields.set(
            "signatures",
            &mut self.signatures,
            fresh.signatures,
            signatures,
        );
        self.read_bounds(fields);
    }

    /// How long, how often, how many at a time, in which order.
    fn read_bounds(&mut self, mut fields: Fields<'_>) {
        fields.set("timeout_ms", &mut self.timeout, TIMEOUT_DEFAULT, |given| {
            let (min, max) = (whole_millis(TIMEOUT_MIN), whole_millis(TIMEOUT_MAX));
            Ok(Duration::from_millis(value::integer(given, min, max)?))
        });
        fields.set("max_attempts", &mut self.max_attempts, None, |given| {
            Ok(u32::try_from(value::integer(given, 1, MAX_ATTEMPTS_MAX.into())?).ok())
        });
        fields.set("max_age", &mut self.max_age, MAX_AGE_DEFAULT, |given| {
            let secs = value::integer(given, 1, MAX_AGE_SECS_MAX)?;
            Ok(Duration::from_secs(secs))
        });
        fields.set(
            "max_in_flight",
            &mut self.max_in_flight,
            MAX_IN_FLIGHT_DEFAULT,
            |given| {
                let count = value::integer(given, 1, MAX_IN_FLIGHT_MAX.into())?;
                Ok(u16::try_from(count).unwrap_or(MAX_IN_FLIGHT_MAX))
            },
        );
        fields.set("rate_limit", &mut self.rate_limit, None, |given| {
            Ok(u32::try_from(value::integer(given, 1, RATE_LIMIT_MAX.into())?).ok())
        });
        fields.set("ordered", &mut self.ordered, Ordered::No, ordered::read);
    }
}

struct Fields<'a> {
    input: &'a Map<String, Value>,
    errors: &'a mut FieldErrors,
}

impl Fields<'_> {
    fn set<T>(
        &mut self,
        name: &str,
        slot: &mut T,
        default: T,
        read: impl FnOnce(&Value) -> Checked<T>,
    ) {
        match self.input.get(name) {
            None => {}
            Some(Value::Null) => *slot = default,
            Some(given) => {
                if let Some(read) = self.errors.note(name, read(given)) {
                    *slot = read;
                }
            }
        }
    }
}

pub(super) fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn signatures(given: &Value) -> Checked<Vec<SignatureForm>> {
    let Value::Array(items) = given else {
        return Err(value::expected_list(given).into());
    };
    let mut forms = Vec::new();
    let mut errors = FieldErrors::default();
    for (place, item) in items.iter().enumerate().take(SIGNATURES.len() + 1) {
        let place = place.to_string();
        match value::choice(item, &SIGNATURES) {
            Ok(form) if forms.contains(&form) => errors.add(&place, "Given twice."),
            Ok(form) => forms.push(form),
            Err(message) => errors.add(&place, message),
        }
    }
    Ok(errors.or(forms)?)
}
