//! A CloudEvent goes out with the attributes it came with, each once, whatever they hold; and two
//! have the same id only if source and id are the same.
//!
//! Input: two JSON objects, each on a line, of attributes as texts, and the data behind them. They are read by
//! the rules that the API reads them by (`check_name`, `check_text`, `check_uri_reference`).

use bytes::Bytes;
use serde_json::{Map, Value};
use whisperer_domain::cloud_event::{
    CloudAttributes, EXTENSIONS_MAX, Said, check_name, check_text, check_uri_reference,
    is_extension,
};
use whisperer_domain::envelope::{Envelope, is_json};
use whisperer_domain::event::Event;
use whisperer_domain::event_type::{EventPattern, EventType};
use whisperer_domain::id::DeliveryUuid;
use whisperer_domain::json;

use crate::event_json::event;

/// # Panics
/// The property does not hold.
pub fn cloud_event(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let mut parts = text.splitn(3, '\n');
    let (one, other, data) = (parts.next(), parts.next(), parts.next().unwrap_or(""));
    let said = |line: Option<&str>| {
        serde_json::from_str(line?)
            .ok()
            .and_then(|given| read(&given))
    };
    let Some(one) = said(one) else {
        return;
    };
    check_event(&one, data);
    if let Some(other) = said(other) {
        let is_same = one.source == other.source && one.id == other.id;
        assert_eq!(
            one.event_id() == other.event_id(),
            is_same,
            "{one:?} and {other:?}"
        );
        assert_eq!(one.fingerprint() == other.fingerprint(), is_same);
        check_pattern(&one.event_type, &other.event_type);
    }
}

fn read(given: &Map<String, Value>) -> Option<Said> {
    let text = |name: &str| {
        let text = given.get(name)?.as_str()?;
        check_text(text).ok().map(|()| text.to_owned())
    };
    let source = text("source").filter(|source| check_uri_reference(source).is_ok())?;
    let extensions: Map<String, Value> = given
        .iter()
        .filter(|(name, _)| is_extension(name) && check_name(name).is_ok())
        .filter(|(_, value)| match value {
            Value::String(text) => check_text(text).is_ok(),
            Value::Bool(_) | Value::Number(_) => true,
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .take(EXTENSIONS_MAX)
        .collect();
    Some(Said {
        id: text("id")?,
        source,
        event_type: text("type")?,
        time: text("time"),
        subject: text("subject"),
        dataschema: text("dataschema"),
        extensions,
    })
}

fn check_event(said: &Said, data: &str) {
    let id = said.event_id().expect("checked attributes make an id");
    assert!(id.as_str().starts_with("ce:"));
    let attributes = said.attributes();
    assert_eq!(
        CloudAttributes::stored(attributes.members()).as_ref(),
        Some(&attributes)
    );
    let event = Event {
        cloud: Some(attributes),
        ..event()
    };
    for content_type in ["application/json", "text/plain"] {
        if is_json(content_type) && json::check_payload(data.as_bytes()).is_err() {
            continue;
        }
        let payload = Bytes::copy_from_slice(data.as_bytes());
        let uuid = DeliveryUuid(uuid::Uuid::from_u128(7));
        let wrapped = Envelope::CloudEvents.wrap(&event, uuid, &payload, content_type);
        let (body, _) = wrapped.expect("anything fits into a CloudEvent");
        check_body(said, &body, content_type);
    }
}

fn check_body(said: &Said, body: &[u8], content_type: &str) {
    let body = std::str::from_utf8(body).expect("a CloudEvent is text");
    let value: Map<String, Value> = match serde_json::from_str(body) {
        Ok(value) => value,
        Err(error) => panic!("{body}: {error}"),
    };
    let data = if is_json(content_type) {
        "data"
    } else {
        "data_base64"
    };
    let optional = [&said.time, &said.subject, &said.dataschema];
    // specversion, id, source, type, datacontenttype and the data: none of them twice.
    let expected =
        6 + optional.iter().filter(|given| given.is_some()).count() + said.extensions.len();
    assert_eq!(value.len(), expected, "{body}");
    for (name, is) in [
        ("specversion", "1.0"),
        ("datacontenttype", content_type),
        ("id", &said.id),
        ("source", &said.source),
        ("type", &said.event_type),
    ] {
        assert_eq!(value[name], is, "{body}");
    }
    assert!(value.contains_key(data), "{body}");
    for (name, is) in &said.extensions {
        assert_eq!(&value[name], is, "{body}");
    }
}

/// Patterns over types, as plainly as they can be said.
fn check_pattern(pattern: &str, name: &str) {
    let (Ok(parsed), Ok(name)) = (EventPattern::parse(pattern), EventType::parse(name)) else {
        return;
    };
    assert_eq!(
        EventPattern::parse(&parsed.to_string()).as_ref(),
        Ok(&parsed)
    );
    let operational = |text: &str| text == "whisperer" || text.starts_with("whisperer.");
    let expected = match pattern.strip_suffix(".*") {
        Some(above) => name.as_str().starts_with(&format!("{above}.")),
        None if pattern == "*" => !operational(name.as_str()),
        None => pattern == name.as_str(),
    };
    assert_eq!(parsed.matches(&name), expected, "{pattern} and {name}");
    assert_eq!(name.is_operational(), operational(name.as_str()));
}
