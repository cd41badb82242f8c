//! An event as it was posted, read without touching its payload.

use bytes::Bytes;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::cloud_event::CloudAttributes;
use whisperer_domain::envelope;
use whisperer_domain::event_type::EventType;
use whisperer_domain::id::EventId;
use whisperer_domain::time::Timestamp;

use crate::api::body;
use crate::api::field_errors::{Checked, FieldErrors};
use crate::api::hooks::unknown_event_type;
use crate::api::moment;
use crate::api::problem::Problem;
use crate::api::value;
use crate::nearest::did_you_mean;

const MEMBERS: [&str; 6] = [
    "type",
    "payload",
    "id",
    "occurred_at",
    "object_id",
    "config_filter",
];
const TYPE_CHARS_MAX: usize = 256;
pub(super) const OBJECT_ID_CHARS_MAX: usize = 255;
/// More members than this are noise: the rest is not looked at.
const MEMBERS_MAX: usize = 64;

pub(in crate::api) struct Input {
    pub(in crate::api) event_type: EventType,
    /// The posted bytes themselves: a part of the body.
    pub(in crate::api) payload: Bytes,
    pub(in crate::api) id: Option<EventId>,
    pub(in crate::api) occurred_at: Option<Timestamp>,
    pub(in crate::api) object_id: Option<String>,
    pub(in crate::api) config_filter: Option<Map<String, Value>>,
    pub(in crate::api) content_type: String,
    pub(in crate::api) cloud: Option<CloudAttributes>,
    /// What a repetition of it has too, and no other event.
    pub(in crate::api) fingerprint: [u8; 32],
}

impl Input {
    pub(in crate::api) fn read(bytes: &Bytes, snapshot: &CatalogSnapshot) -> Result<Self, Problem> {
        let members = members(bytes)?;
        let mut errors = unknown_or_twice(&members);
        let find = |name: &str| {
            let found = members.iter().find(|(known, _)| known == name);
            found.map(|(_, raw)| *raw)
        };
        let payload = find("payload").map(|raw| bytes.slice_ref(raw.get().as_bytes()));
        let payload = errors.note("payload", payload.ok_or_else(|| value::REQUIRED.into()));
        let event_type = match find("type") {
            None => Err(value::REQUIRED.into()),
            Some(raw) => parsed(raw).and_then(|given| event_type(&given, snapshot)),
        };
        let event_type = errors.note("type", event_type);
        let id = errors.note("id", optional(find("id"), event_id));
        let occurred_at = errors.note("occurred_at", optional(find("occurred_at"), moment));
        let object_id = errors.note("object_id", optional(find("object_id"), object_id));
        let config_filter = errors.note("config_filter", optional(find("config_filter"), object));
        let Some((event_type, payload)) = event_type.zip(payload) else {
            return Err(Problem::invalid(errors));
        };
        errors
            .or(Self {
                event_type,
                payload,
                id: id.flatten(),
                occurred_at: occurred_at.flatten(),
                object_id: object_id.flatten(),
                config_filter: config_filter.flatten(),
                content_type: envelope::JSON.to_owned(),
                cloud: None,
                fingerprint: Sha256::digest(bytes).into(),
            })
            .map_err(Problem::invalid)
    }
}

fn unknown_or_twice(members: &[(String, &RawValue)]) -> FieldErrors {
    let mut errors = FieldErrors::default();
    for (place, (name, _)) in members.iter().enumerate() {
        if !MEMBERS.contains(&name.as_str()) {
            let near = did_you_mean(name, MEMBERS.into_iter());
            errors.add(name, format!("Unknown field.{near}"));
        } else if members[..place].iter().any(|(earlier, _)| earlier == name) {
            errors.add(name, "Given twice.");
        }
    }
    errors
}

/// The members of the posted object in their order, values untouched.
pub(super) fn members(bytes: &Bytes) -> Result<Vec<(String, &RawValue)>, Problem> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object with type and payload")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::with_capacity(MEMBERS.len());
            while let Some(member) = map.next_entry::<String, &RawValue>()? {
                if members.len() < MEMBERS_MAX {
                    members.push(member);
                }
            }
            Ok(members)
        }
    }
    if !bytes.trim_ascii_start().starts_with(b"{") {
        // JSON, but no object: the fault is told in the same words as on every other path.
        body::object(bytes)?;
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let members = reader
        .deserialize_map(Members)
        .map_err(|error| body::syntax(&error))?;
    reader.end().map_err(|error| body::syntax(&error))?;
    Ok(members)
}

pub(super) fn parsed(raw: &RawValue) -> Checked<Value> {
    serde_json::from_str(raw.get()).map_err(|error| error.to_string().into())
}

/// Absent and null are the same: not said.
fn optional<T>(
    raw: Option<&RawValue>,
    read: impl FnOnce(&Value) -> Checked<T>,
) -> Checked<Option<T>> {
    match raw.map(parsed).transpose()? {
        None | Some(Value::Null) => Ok(None),
        Some(given) => read(&given).map(Some),
    }
}

/// Exactly a registered type: the dashed spelling is a courtesy to subscribers only.
pub(super) fn event_type(given: &Value, snapshot: &CatalogSnapshot) -> Checked<EventType> {
    let text = value::text(given, TYPE_CHARS_MAX)?;
    let name = EventType::parse(text).ok();
    if name.as_ref().is_some_and(EventType::is_operational) {
        return Err(
            "Events under \"whisperer.\" are told by the server itself: post yours under \
                    another name."
                .into(),
        );
    }
    name.filter(|name| snapshot.event_types.contains_key(name))
        .ok_or_else(|| unknown_event_type(text, snapshot))
}

fn event_id(given: &Value) -> Checked<EventId> {
    match given {
        Value::String(text) => Ok(EventId::parse(text)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err("Not a valid string.".into())
        }
    }
}

pub(super) fn moment(given: &Value) -> Checked<Timestamp> {
    given
        .as_str()
        .and_then(moment::read)
        .ok_or_else(|| "Must be an RFC 3339 time since 1970: 2026-01-31T12:00:00Z.".into())
}

/// The OMS numbers its objects, others name them.
fn object_id(given: &Value) -> Checked<String> {
    match given {
        Value::Number(number) if !number.is_f64() => Ok(number.to_string()),
        Value::String(_) => match value::text(given, OBJECT_ID_CHARS_MAX)? {
            // Not every database can keep them, and no log or page shows them.
            text if text.contains(char::is_control) => {
                Err("Must not contain control characters.".into())
            }
            text => Ok(text.to_owned()),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err("Must be a string or an integer.".into())
        }
    }
}

fn object(given: &Value) -> Checked<Map<String, Value>> {
    match given {
        Value::Object(members) => Ok(members.clone()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(value::expected_object(given).into())
        }
    }
}
