//! The shape around the payload. Bytes are spliced, never parsed and written again: a number of
//! thirty digits, a double key and the poster's white space reach the receiver as they came.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::id::DeliveryUuid;

pub const JSON: &str = "application/json";
const CLOUDEVENTS_JSON: &str = "application/cloudevents+json";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Envelope {
    /// `{"event": {"type", "uuid"}, "payload"}`
    Whisperer,
    /// Standard Webhooks: `{"type", "timestamp", "data"}`
    Standard,
    /// CloudEvents 1.0, structured.
    CloudEvents,
    /// The payload alone.
    Bare,
}

impl Envelope {
    /// The body to send and its content type. `payload` must be valid JSON where `content_type`
    /// says that it is JSON; that is checked where it comes in, not here.
    ///
    /// # Errors
    /// A sentence that says why this payload can never be sent in this envelope.
    pub fn wrap(
        self,
        event: &Event,
        uuid: DeliveryUuid,
        payload: &Bytes,
        content_type: &str,
    ) -> Result<(Bytes, String), String> {
        // An event type has no character that JSON escapes, nor has a time or a uuid.
        let name = event.event_type.as_str();
        let time = event.occurred_at.rfc3339();
        let uuid = uuid.to_string();
        let json = is_json(content_type);
        match self {
            Self::Bare => Ok((payload.clone(), content_type.to_owned())),
            Self::CloudEvents => {
                let head = cloudevents_head(event, &uuid, &time, content_type);
                let body = if json {
                    splice(&format!("{head},\"data\":"), payload, "}")
                } else {
                    let data = STANDARD.encode(payload);
                    splice(
                        &format!("{head},\"data_base64\":\""),
                        data.as_bytes(),
                        "\"}",
                    )
                };
                Ok((body, CLOUDEVENTS_JSON.to_owned()))
            }
            Self::Whisperer if json => {
                let head = format!(
                    "{{\"event\": {{\"type\": \"{name}\", \"uuid\": \"{uuid}\"}}, \"payload\": "
                );
                Ok((splice(&head, payload, "}"), JSON.to_owned()))
            }
            Self::Standard if json => {
                let head = format!("{{\"type\":\"{name}\",\"timestamp\":\"{time}\",\"data\":");
                Ok((splice(&head, payload, "}"), JSON.to_owned()))
            }
            Self::Whisperer | Self::Standard => Err(format!(
                "a payload of type \"{}\" does not fit into a JSON envelope; \
                 the hook needs envelope \"none\" or \"cloudevents\"",
                content_type.escape_debug()
            )),
        }
    }
}

/// What came as a CloudEvent goes out as the one it was: whoever knows its source and id knows it
/// again. What did not is one of ours.
fn cloudevents_head(event: &Event, uuid: &str, time: &str, content_type: &str) -> String {
    // The content type is a caller's text: the only part that may need escaping.
    let content_type = serde_json::Value::from(content_type);
    let attributes = match &event.cloud {
        Some(attributes) => attributes.members().to_owned(),
        None => format!(
            "\"id\":\"{uuid}\",\"source\":\"/whisperer\",\"type\":\"{}\",\"time\":\"{time}\"",
            event.event_type
        ),
    };
    format!("{{\"specversion\":\"1.0\",{attributes},\"datacontenttype\":{content_type}")
}

fn splice(head: &str, payload: &[u8], tail: &str) -> Bytes {
    [head.as_bytes(), payload, tail.as_bytes()].concat().into()
}

/// Whether a media type says JSON: the subtype is `json` or ends in `+json` (CloudEvents JSON
/// format 1.0, section 3.1.1).
#[must_use]
pub fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").trim();
    essence.split_once('/').is_some_and(|(_, subtype)| {
        let subtype = subtype.to_ascii_lowercase();
        subtype == "json" || subtype.ends_with("+json")
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::{Envelope, is_json};
    use crate::cloud_event::CloudAttributes;
    use crate::event::Event;
    use crate::event_type::EventType;
    use crate::id::{DeliveryUuid, EventId, EventKey};
    use crate::time::Timestamp;

    /// What a parser would not give back as it came.
    const PAYLOAD: &[u8] =
        br#"{ "n": 123456789012345678901234567890, "n": 1.0, "e": 1e2, "s": "\u2028" }"#;
    const UUID: &str = "0123456789abcdef0123456789abcdef";

    fn event(content_type: &str) -> Event {
        Event {
            key: EventKey(1),
            id: EventId::parse("order-1").unwrap(),
            event_type: EventType::parse("package.created").unwrap(),
            occurred_at: Timestamp(1_614_265_330_007),
            accepted_at: Timestamp(1_700_000_000_000),
            object_id: None,
            content_type: content_type.to_owned(),
            cloud: None,
            payload: Bytes::new(),
        }
    }

    fn wrap(
        envelope: Envelope,
        payload: &[u8],
        content_type: &str,
    ) -> Result<(String, String), String> {
        let event = event(content_type);
        let uuid = DeliveryUuid(Uuid::parse_str(UUID).unwrap());
        let payload = Bytes::copy_from_slice(payload);
        let (body, made) = envelope.wrap(&event, uuid, &payload, content_type)?;
        Ok((String::from_utf8(body.to_vec()).unwrap(), made))
    }

    #[test]
    fn the_payload_is_spliced_byte_for_byte() {
        let payload = std::str::from_utf8(PAYLOAD).unwrap();
        let event = format!(
            r#"{{"event": {{"type": "package.created", "uuid": "{UUID}"}}, "payload": {payload}}}"#
        );
        let standard = format!(
            r#"{{"type":"package.created","timestamp":"2021-02-25T15:02:10.007Z","data":{payload}}}"#
        );
        let cases = [
            (Envelope::Whisperer, event.as_str()),
            (Envelope::Standard, standard.as_str()),
            (Envelope::Bare, payload),
        ];
        for (envelope, expected) in cases {
            let (body, content_type) = wrap(envelope, PAYLOAD, "application/json").unwrap();
            assert_eq!(body, expected, "{envelope:?}");
            assert_eq!(content_type, "application/json");
            assert!(serde_json::from_str::<Value>(&body).is_ok());
        }
    }

    #[test]
    fn cloudevents_are_structured_and_carry_any_bytes() {
        let (body, content_type) =
            wrap(Envelope::CloudEvents, PAYLOAD, "application/json").unwrap();
        assert_eq!(content_type, "application/cloudevents+json");
        assert!(body.contains(std::str::from_utf8(PAYLOAD).unwrap()));
        let value: Value = serde_json::from_str(&body).unwrap();
        for (member, expected) in [
            ("specversion", "1.0"),
            ("id", UUID),
            ("source", "/whisperer"),
            ("type", "package.created"),
            ("time", "2021-02-25T15:02:10.007Z"),
            ("datacontenttype", "application/json"),
        ] {
            assert_eq!(value[member], expected);
        }

        let quoted = "text/plain; charset=\"utf-8\"";
        let (body, _) = wrap(Envelope::CloudEvents, &[0xff, 0x00], quoted).unwrap();
        let value: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(value["data_base64"], "/wA=");
        assert_eq!(value["datacontenttype"], quoted);
        assert!(value.get("data").is_none());
    }

    /// What came as a CloudEvent keeps its source, id and extensions; its data may be new.
    #[test]
    fn a_cloud_event_goes_out_as_the_one_it_was() {
        let attributes = r#""id":"7","source":"/shop","type":"package.created","trace":"00-a""#;
        let event = Event {
            cloud: CloudAttributes::stored(attributes),
            ..event("text/plain")
        };
        let uuid = DeliveryUuid(Uuid::parse_str(UUID).unwrap());
        for (payload, content_type, data) in [
            ("hello", "text/plain", json!({"data_base64": "aGVsbG8="})),
            ("{\"a\":1}", "application/json", json!({"data": {"a": 1}})),
        ] {
            let (body, _) = Envelope::CloudEvents
                .wrap(&event, uuid, &payload.into(), content_type)
                .unwrap();
            let mut expected = json!({
                "specversion": "1.0", "id": "7", "source": "/shop", "type": "package.created",
                "trace": "00-a", "datacontenttype": content_type,
            });
            expected
                .as_object_mut()
                .unwrap()
                .extend(data.as_object().unwrap().clone());
            assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
        }
        let (body, _) = Envelope::Whisperer
            .wrap(&event, uuid, &"1".into(), "application/json")
            .unwrap();
        assert!(
            String::from_utf8(body.to_vec()).unwrap().contains(UUID),
            "other envelopes are as ever"
        );
    }

    #[test]
    fn what_is_not_json_fits_into_no_json_envelope() {
        for envelope in [Envelope::Whisperer, Envelope::Standard] {
            assert!(wrap(envelope, b"hello", "text/plain").is_err());
        }
        let (body, content_type) = wrap(Envelope::Bare, b"hello", "text/plain").unwrap();
        assert_eq!(
            (body.as_str(), content_type.as_str()),
            ("hello", "text/plain")
        );
    }

    #[test]
    fn json_is_known_by_its_subtype() {
        for yes in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "a/vnd.b+json",
            "text/json",
        ] {
            assert!(is_json(yes), "{yes}");
        }
        for no in [
            "",
            "json",
            "text/plain",
            "application/jsonl",
            "application/xml; a=/json",
        ] {
            assert!(!is_json(no), "{no}");
        }
    }
}
