//! An event as it is posted, for the document: what is read stands in `input`.

#![allow(
    dead_code,
    reason = "read by the derives that make the document, not by code"
)]

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(in crate::api) struct EventInput {
    /// A registered type. A dashed spelling of a dotted type means that type.
    #[serde(rename = "type")]
    #[schema(example = "package.created")]
    event_type: String,
    /// Any JSON, kept byte for byte.
    payload: Value,
    /// The caller's own, unique while it is kept; made here if it is absent.
    #[schema(max_length = 255)]
    id: Option<String>,
    /// RFC 3339.
    #[schema(format = DateTime)]
    occurred_at: Option<String>,
    #[schema(max_length = 255)]
    object_id: Option<String>,
    /// Only hooks whose `config` has these members with these values.
    #[schema(value_type = Option<Object>)]
    config_filter: Option<Map<String, Value>>,
}

/// A CloudEvent 1.0 as JSON. Attributes of its own kind beside these are kept.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct CloudEventInput {
    specversion: String,
    id: String,
    source: String,
    #[serde(rename = "type")]
    #[schema(example = "package.created")]
    event_type: String,
    subject: Option<String>,
    time: Option<String>,
    datacontenttype: Option<String>,
    data: Option<Value>,
    data_base64: Option<String>,
}

/// What became of one event of a batch: its status if it had come alone, and the answer.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct BatchResult {
    index: u64,
    status: u16,
    id: Option<String>,
    deliveries: Option<u64>,
    replayed: Option<bool>,
    detail: Option<String>,
    /// Where its JSON breaks off.
    line: Option<u64>,
    column: Option<u64>,
    #[schema(value_type = Option<Object>)]
    errors: Option<Map<String, Value>>,
}
