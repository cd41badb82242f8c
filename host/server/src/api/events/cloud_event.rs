//! CloudEvents 1.0 by HTTP (binding 1.0.2, JSON format 1.0): structured, binary, and as an
//! element of a batch.
//!
//! | attribute | becomes |
//! |---|---|
//! | source and id | the event's id, see `whisperer_domain::cloud_event`: the same two again are a repetition, whatever else is said |
//! | type | its type, which must be registered |
//! | time | when it occurred |
//! | subject | its `object_id`, where it has no more than 255 characters |
//! | datacontenttype, data, data_base64 | its payload and what that is |
//!
//! All of them, extensions too, go out again where a hook's envelope is `cloudevents`. An event
//! without data has the payload `null`, or an empty one where its type is not JSON.

mod attributes;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Map;
use serde_json::value::RawValue;
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::envelope;

use super::input::{self, Input, OBJECT_ID_CHARS_MAX};
use crate::api::body;
use crate::api::field_errors::{Checked, Fault, FieldErrors};
use crate::api::problem::Problem;
use attributes::{Attributes, content_type};

const STRUCTURED: &str = "application/cloudevents+json";
pub(super) const BATCH: &str = "application/cloudevents-batch+json";
const PREFIX: &str = "ce-";
/// All attributes together: they are kept with each event, and in memory while it is pending.
const ATTRIBUTES_BYTES_MAX: usize = 8 << 10;

/// How a posted event is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Ours,
    Structured,
    Binary,
}

impl Shape {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        match body::essence(headers).as_deref() {
            Some(STRUCTURED) => Ok(Self::Structured),
            Some(BATCH) => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "A batch of CloudEvents is posted to /whisperer/events/batch/.",
            )),
            Some(other) if other.starts_with("application/cloudevents") => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("CloudEvents are read as {STRUCTURED}, {BATCH}, or in binary mode."),
            )),
            // An event that lacks its version is told so, rather than taken for one of ours.
            Some(_) | None
                if ["ce-specversion", "ce-id", "ce-type"]
                    .iter()
                    .any(|name| headers.contains_key(*name)) =>
            {
                Ok(Self::Binary)
            }
            Some(_) | None => Ok(Self::Ours),
        }
    }
}

/// One JSON document. `bytes` are JSON.
pub(super) fn structured(bytes: &Bytes, snapshot: &CatalogSnapshot) -> Result<Input, Problem> {
    let members = input::members(bytes)?;
    let mut errors = FieldErrors::default();
    let mut attributes = Map::new();
    let (mut data, mut data_base64) = (None, None);
    let mut seen: Vec<&str> = Vec::new();
    for (name, raw) in &members {
        if seen.contains(&name.as_str()) {
            errors.add(name, "Given twice.");
            continue;
        }
        seen.push(name);
        match name.as_str() {
            "data" => data = Some(*raw),
            "data_base64" => data_base64 = Some(*raw),
            _ => {
                // As the JSON format has it, null is the same as absent.
                if let Some(given) = errors.note(name, input::parsed(raw))
                    && !given.is_null()
                {
                    attributes.insert(name.clone(), given);
                }
            }
        }
    }
    let read = Attributes::read(&attributes, snapshot, &mut errors);
    let content_type = attributes
        .get("datacontenttype")
        .map_or_else(|| Ok(envelope::JSON.to_owned()), content_type);
    let content_type = errors.note("datacontenttype", content_type);
    let Some(content_type) = content_type else {
        return Err(Problem::invalid(errors));
    };
    let payload = payload(bytes, &content_type, data, data_base64, &mut errors);
    finish(read, content_type, payload, errors)
}

/// Attributes in headers, the body is the data.
pub(super) fn binary(
    headers: &HeaderMap,
    data: &Bytes,
    snapshot: &CatalogSnapshot,
) -> Result<Input, Problem> {
    let mut errors = FieldErrors::default();
    let mut attributes = Map::new();
    for name in headers.keys() {
        let Some(attribute) = name.as_str().strip_prefix(PREFIX) else {
            continue;
        };
        let given: Vec<&HeaderValue> = headers.get_all(name).iter().collect();
        let read = match given.as_slice() {
            [one] => header_text(one).ok_or_else(|| Fault::from("Not UTF-8, percent-encoded.")),
            _ => Err("Given twice.".into()),
        };
        if let Some(text) = errors.note(attribute, read) {
            attributes.insert(attribute.to_owned(), text.into());
        }
    }
    for (name, words) in [
        ("datacontenttype", "In binary mode it is the Content-Type."),
        ("data", "In binary mode the data is the body."),
        ("data_base64", "In binary mode the data is the body."),
    ] {
        if attributes.contains_key(name) {
            errors.add(name, words);
        }
    }
    let read = Attributes::read(&attributes, snapshot, &mut errors);
    let content_type = match headers.get(CONTENT_TYPE).map(|given| given.to_str()) {
        None => Ok(envelope::JSON.to_owned()),
        Some(Ok(given)) => content_type(&given.into()),
        Some(Err(_)) => Err("Not a media type.".into()),
    };
    let Some(content_type) = errors.note("Content-Type", content_type) else {
        return Err(Problem::invalid(errors));
    };
    let payload = match (envelope::is_json(&content_type), data.is_empty()) {
        (true, true) => Bytes::from_static(b"null"),
        (true, false) => {
            body::check_payload(data)?;
            data.clone()
        }
        (false, _) => data.clone(),
    };
    finish(read, content_type, Some(payload), errors)
}

/// Quoted strings are unquoted, then percent-encoding is undone, once (HTTP binding, 3.1.3.2).
fn header_text(value: &HeaderValue) -> Option<String> {
    let text = value.as_bytes().trim_ascii();
    let quoted = text
        .strip_prefix(b"\"")
        .and_then(|text| text.strip_suffix(b"\""));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = quoted.unwrap_or(text).iter().copied();
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' if quoted.is_some() => bytes.extend(rest.next()),
            b'%' => {
                let mut ahead = rest.clone();
                let hex = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                let code = hex(ahead.next()).zip(hex(ahead.next()));
                match code.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()) {
                    Some(decoded) => {
                        bytes.push(decoded);
                        rest = ahead;
                    }
                    None => bytes.push(byte),
                }
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

fn payload(
    bytes: &Bytes,
    content_type: &str,
    data: Option<&RawValue>,
    data_base64: Option<&RawValue>,
    errors: &mut FieldErrors,
) -> Option<Bytes> {
    let is_json = envelope::is_json(content_type);
    match (data, data_base64) {
        (Some(_), Some(_)) => {
            errors.add("data_base64", "Give data or data_base64, not both.");
            None
        }
        (Some(raw), None) if is_json => Some(bytes.slice_ref(raw.get().as_bytes())),
        (Some(raw), None) => {
            let words = "Where datacontenttype is not JSON, data is a string: send other bytes \
                         as data_base64.";
            let text = serde_json::from_str::<String>(raw.get());
            errors.note("data", text.map(Bytes::from).map_err(|_| words.into()))
        }
        (None, Some(raw)) => errors.note("data_base64", decoded(raw, is_json)),
        (None, None) if is_json => Some(Bytes::from_static(b"null")),
        (None, None) => Some(Bytes::new()),
    }
}

fn decoded(raw: &RawValue, is_json: bool) -> Checked<Bytes> {
    let text: String = serde_json::from_str(raw.get()).map_err(|_| "Not a valid string.")?;
    let bytes = STANDARD
        .decode(&text)
        .map_err(|error| format!("Not base64: {error}."))?;
    if is_json {
        whisperer_domain::json::check_payload(&bytes)
            .map_err(|fault| format!("datacontenttype says JSON, but it is none: {fault}."))?;
    }
    Ok(bytes.into())
}

fn finish(
    read: Option<Attributes>,
    content_type: String,
    payload: Option<Bytes>,
    mut errors: FieldErrors,
) -> Result<Input, Problem> {
    let Some((read, payload)) = read.zip(payload) else {
        return Err(Problem::invalid(errors));
    };
    let id = read.said.event_id().map_err(Fault::from);
    let id = errors.note("id", id);
    let cloud = read.said.attributes();
    if cloud.members().len() > ATTRIBUTES_BYTES_MAX {
        let words = format!(
            "Ensure all attributes together have no more than {ATTRIBUTES_BYTES_MAX} bytes."
        );
        errors.add("non_field_errors", words);
    }
    let object_id = read.said.subject.clone();
    let object_id = object_id.filter(|subject| subject.chars().count() <= OBJECT_ID_CHARS_MAX);
    errors
        .or(Input {
            event_type: read.event_type,
            payload,
            id,
            occurred_at: read.occurred_at,
            object_id,
            config_filter: None,
            content_type,
            fingerprint: read.said.fingerprint(),
            cloud: Some(cloud),
        })
        .map_err(Problem::invalid)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::header_text;

    #[test]
    fn header_values_are_decoded_once() {
        for (given, expected) in [
            ("plain", "plain"),
            ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro \u{20ac} \u{1f600}"),
            ("%2525", "%25"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("\"a \\\"b\\\" %41\"", "a \"b\" A"),
            ("\"", "\""),
        ] {
            let value = HeaderValue::from_str(given).unwrap();
            assert_eq!(header_text(&value).as_deref(), Some(expected), "{given}");
        }
        assert_eq!(header_text(&HeaderValue::from_static("%ff")), None);
    }
}
