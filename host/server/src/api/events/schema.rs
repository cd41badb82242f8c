//! An event as it is posted, for the document: what is read stands in `input`.

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
