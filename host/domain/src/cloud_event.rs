//! What a CloudEvent 1.0 says of itself, and how that becomes one of our events.
//!
//! Type, time, subject and data have their places in an event; the rest is kept as it was said,
//! so that a hook with envelope `cloudevents` gets the event that was posted.
//!
//! **Identity.** Two CloudEvents are the same exactly if source and id are (section 3.1.1). Ours
//! have one id, unique in the installation, so the two are put together: `ce:SOURCE ID`, which is
//! read one way only, since a URI has no space; where that is longer than an id may be, its SHA-256.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::id::{EVENT_ID_BYTES_MAX, EventId};

pub const SPEC_VERSION: &str = "1.0";
/// The specification asks for no bound; a URI that is longer is none that anything answers to.
pub const ATTRIBUTE_BYTES_MAX: usize = 2_048;
pub const EXTENSIONS_MAX: usize = 32;
const NAME_BYTES_MAX: usize = 64;

/// The attributes that the specification names; what else there is are extensions.
const NAMED: [&str; 10] = [
    "specversion",
    "id",
    "source",
    "type",
    "time",
    "subject",
    "dataschema",
    "datacontenttype",
    "data",
    "data_base64",
];

/// All attributes but `specversion` and `datacontenttype`, as JSON members ready to be put into
/// an object: `"id":"7","source":"/shop",…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudAttributes(Arc<str>);

/// The same, one by one.
#[derive(Clone, Debug)]
pub struct Said {
    pub id: String,
    pub source: String,
    pub event_type: String,
    /// As it was written: its digits and zone are the poster's.
    pub time: Option<String>,
    pub subject: Option<String>,
    pub dataschema: Option<String>,
    pub extensions: Map<String, Value>,
}

impl Said {
    #[must_use]
    pub fn attributes(&self) -> CloudAttributes {
        let text = |text: &String| Value::from(text.as_str());
        let mut members = format!(
            "\"id\":{},\"source\":{},\"type\":{}",
            text(&self.id),
            text(&self.source),
            text(&self.event_type)
        );
        let optional = [
            ("time", &self.time),
            ("subject", &self.subject),
            ("dataschema", &self.dataschema),
        ];
        let optional = optional
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_ref().map(text)?)));
        let extensions = self.extensions.iter();
        let extensions = extensions.map(|(name, value)| (name.as_str(), value.clone()));
        for (name, value) in optional.chain(extensions) {
            // Writing into a String never fails.
            let _ = write!(members, ",{}:{value}", Value::from(name));
        }
        CloudAttributes(members.into())
    }

    /// # Errors
    /// What in source and id keeps them from being an event's id.
    pub fn event_id(&self) -> Result<EventId, String> {
        let plain = format!("ce:{} {}", self.source, self.id);
        if plain.len() <= EVENT_ID_BYTES_MAX {
            return EventId::parse(&plain);
        }
        EventId::parse(&format!(
            "ce:sha256:{}",
            hex::encode(Sha256::digest(&plain))
        ))
    }

    /// Over what makes it the same event: another time or another spelling make no other one.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"cloudevent\0");
        hash.update(self.source.as_bytes());
        hash.update(b"\0");
        hash.update(self.id.as_bytes());
        hash.finalize().into()
    }
}

impl CloudAttributes {
    /// From what [`Self::members`] gave. None: it was something else.
    #[must_use]
    pub fn stored(members: &str) -> Option<Self> {
        let object: Option<Map<String, Value>> =
            serde_json::from_str(&format!("{{{members}}}")).ok();
        object.map(|_| Self(members.into()))
    }

    #[must_use]
    pub fn members(&self) -> &str {
        &self.0
    }
}

#[must_use]
pub fn is_extension(name: &str) -> bool {
    !NAMED.contains(&name)
}

/// # Errors
/// A sentence that names the rule (section 3.1, "Attribute Naming Convention").
pub fn check_name(name: &str) -> Result<(), String> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(format!(
        "Attributes are named by 1 to {NAME_BYTES_MAX} lower-case letters and digits."
    ))
}

/// An id, a source and so on, as texts: what any of them may hold.
///
/// # Errors
/// A sentence that names the rule.
pub fn check_text(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("This field may not be blank.".to_owned());
    }
    if text.len() > ATTRIBUTE_BYTES_MAX {
        return Err(format!(
            "Ensure this field has no more than {ATTRIBUTE_BYTES_MAX} bytes."
        ));
    }
    if text.chars().any(char::is_control) {
        return Err("Must not contain control characters.".to_owned());
    }
    Ok(())
}

/// # Errors
/// A sentence that names the rule (RFC 3986, section 4.1, by its characters).
pub fn check_uri_reference(text: &str) -> Result<(), String> {
    check_text(text)?;
    let odd = |c: char| c.is_whitespace() || "\"<>\\^`{|}".contains(c);
    if text.contains(odd) {
        return Err("Must be a URI or a reference to one, as /shop/orders.".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::{CloudAttributes, Said, check_name, check_text, check_uri_reference};

    fn said(source: &str, id: &str) -> Said {
        Said {
            id: id.to_owned(),
            source: source.to_owned(),
            event_type: "order.paid".to_owned(),
            time: Some("2025-11-25T12:00:00.123456+02:00".to_owned()),
            subject: Some("order \"7\"".to_owned()),
            dataschema: None,
            extensions: Map::from_iter([
                ("traceparent".to_owned(), json!("00-a")),
                ("n".to_owned(), json!(7)),
            ]),
        }
    }

    #[test]
    fn attributes_are_kept_as_they_were_said() {
        let attributes = said("/shop", "1").attributes();
        let value: Value = serde_json::from_str(&format!("{{{}}}", attributes.members())).unwrap();
        assert_eq!(
            value,
            json!({
                "id": "1", "source": "/shop", "type": "order.paid", "subject": "order \"7\"",
                "time": "2025-11-25T12:00:00.123456+02:00", "traceparent": "00-a", "n": 7,
            })
        );
        assert_eq!(
            CloudAttributes::stored(attributes.members()),
            Some(attributes)
        );
        assert_eq!(CloudAttributes::stored("\"id\":"), None);
    }

    #[test]
    fn source_and_id_together_make_one_id() {
        let id = |source: &str, id: &str| said(source, id).event_id().unwrap().to_string();
        assert_eq!(id("/shop", "a b"), "ce:/shop a b");
        let long = "x".repeat(300);
        let ids = [
            id("/shop", "1"),
            id("/shop", "2"),
            id("/shop/1", "2"),
            id("/shop", &long),
            id(&format!("/{long}"), "1"),
        ];
        for (place, one) in ids.iter().enumerate() {
            assert!(!ids[..place].contains(one), "{one}");
        }
        assert_ne!(
            said("/a", "b").fingerprint(),
            said("/a\0", "b").fingerprint()
        );
    }

    #[test]
    fn odd_attributes_are_refused() {
        for name in ["", "Upper", "with-dash", "ä", &"x".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert_eq!(check_name("traceparent2"), Ok(()));
        for text in ["", "a\nb", &"x".repeat(2_049)] {
            assert!(check_text(text).is_err(), "{text:?}");
        }
        for text in ["a b", "<a>", "a|b"] {
            assert!(check_uri_reference(text).is_err(), "{text:?}");
        }
        for text in ["/shop", "urn:uuid:1", "https://a.example/b?c#d", "bücher"] {
            assert_eq!(check_uri_reference(text), Ok(()), "{text}");
        }
    }
}
