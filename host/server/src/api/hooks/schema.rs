//! A hook's fields, for the document: what is read stands in `draft` and what it calls.

#![allow(
    dead_code,
    reason = "read by the derives that make the document, not by code"
)]

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct HookFilters {
    target_url: Option<String>,
    /// In any casing.
    event_type: Option<String>,
    is_active: Option<bool>,
}

#[derive(Serialize, ToSchema)]
pub(in crate::api) struct HookInput {
    /// http or https, to where the address policy lets it be sent.
    #[schema(max_length = 2048, example = "https://partner.example/webhooks")]
    target_url: String,
    /// A registered type, or a pattern: `package.*`, `*`. Those under `whisperer.` take an admin's
    /// token, and `*` does not mean them.
    #[schema(example = "package.created")]
    event_type: String,
    retry_countdown_config: Option<RetryCountdownConfig>,
    additional_headers: Option<BTreeMap<String, String>>,
    /// Null: unsigned. Shown as `********`. Another one than before takes effect at once and ends
    /// those before it: to change it with an overlap, rotate it.
    #[schema(max_length = 1024)]
    secret_key: Option<String>,
    is_active: Option<bool>,
    /// Free, but for `auth`: `{"auth_type": "basic", "username", "password"}` is used for sending.
    #[schema(value_type = Option<Object>)]
    config: Option<Map<String, Value>>,
    /// Null: every plugin whose event patterns match. A list: exactly that chain.
    plugins: Option<Vec<PluginLink>>,
    on_plugin_error: Option<OnPluginError>,
    envelope: Option<Envelope>,
    /// A hook that names `ed25519` gets a key pair, once: see `public-key`.
    #[schema(min_items = 0, max_items = 4)]
    signatures: Option<Vec<Signature>>,
    #[schema(minimum = 100, maximum = 60000)]
    timeout_ms: Option<u64>,
    #[schema(minimum = 1, maximum = 100)]
    max_attempts: Option<u32>,
    /// Seconds after which a pending delivery is dead.
    #[schema(minimum = 1)]
    max_age: Option<u64>,
    #[schema(minimum = 1, maximum = 256)]
    max_in_flight: Option<u16>,
    /// Attempts per second, at most. Null: as many as there are to make.
    #[schema(minimum = 1, maximum = 10000)]
    rate_limit: Option<u32>,
    ordered: Option<Ordered>,
    /// Which payloads it wants: see the README.
    #[schema(value_type = Option<Object>)]
    filter: Option<Value>,
}

/// The fields of `HookInput`, none of them needed. Its members are laid in by `openapi`.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct HookPatch {}

/// Whole seconds; n counts from 0 at the first retry.
#[derive(Serialize, ToSchema)]
#[serde(tag = "choice", content = "kwargs", rename_all = "snake_case")]
pub(in crate::api) enum RetryCountdownConfig {
    /// `seconds`
    Fixed { seconds: u64 },
    /// `min(base * n, limit)`
    Linear { base: u64, limit: Option<u64> },
    /// `min(base^n * factor, limit)`
    Exponential {
        base: u64,
        #[schema(minimum = 1)]
        factor: Option<u64>,
        limit: Option<u64>,
    },
    /// Uniform, both ends included; `max_value` is the greater.
    Random { min_value: u64, max_value: u64 },
    /// As listed, up to a fifth more or less.
    Schedule {
        #[schema(min_items = 1, max_items = 100)]
        seconds: Vec<u64>,
    },
}

#[derive(Serialize, ToSchema)]
pub(in crate::api) struct PluginLink {
    name: String,
    #[schema(value_type = Option<Object>)]
    config: Option<Map<String, Value>>,
}

/// The same as it is shown: secrets masked, or all of it while nobody knows what is a secret.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct ShownLink {
    name: String,
    config: Value,
}

/// `true`: each delivery waits until those before it are delivered, discarded, dead or cancelled.
/// `"object"`: only for those about the same `object_id`. What is brought back or replayed stands
/// behind what is there. It is turned on or off while at most 10,000 deliveries are pending.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(in crate::api) enum Ordered {
    Whole(bool),
    By(OrderedBy),
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::api) enum OrderedBy {
    Object,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::api) enum OnPluginError {
    Retry,
    Dead,
    Send,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::api) enum Envelope {
    Whisperer,
    Standard,
    Cloudevents,
    None,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::api) enum Signature {
    Whisperer,
    Standard,
    Github,
    Ed25519,
}
