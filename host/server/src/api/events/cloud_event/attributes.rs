//! The attributes of a CloudEvent, one by one: which there must be, and what each may say.
//!
//! In binary mode all of them are strings; the kinds of extensions are told apart in JSON only.

use serde_json::{Map, Value};
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::cloud_event::{
    EXTENSIONS_MAX, SPEC_VERSION, Said, check_name, check_text, check_uri_reference, is_extension,
};
use whisperer_domain::event_type::EventType;
use whisperer_domain::time::Timestamp;

use crate::api::events::input;
use crate::api::field_errors::{Checked, Fault, FieldErrors};
use crate::api::value;

const CONTENT_TYPE_BYTES_MAX: usize = 255;

/// What the attributes say, but for the data's type.
pub(super) struct Attributes {
    pub(super) said: Said,
    pub(super) event_type: EventType,
    pub(super) occurred_at: Option<Timestamp>,
}

impl Attributes {
    pub(super) fn read(
        given: &Map<String, Value>,
        snapshot: &CatalogSnapshot,
        errors: &mut FieldErrors,
    ) -> Option<Self> {
        let required = |name: &str| given.get(name).ok_or_else(|| Fault::from(value::REQUIRED));
        let version = required("specversion").and_then(version);
        errors.note("specversion", version);
        let id = errors.note("id", required("id").and_then(text));
        let source = errors.note("source", required("source").and_then(uri_reference));
        let event_type = required("type").and_then(|given| input::event_type(given, snapshot));
        let event_type = errors.note("type", event_type);
        let time = given.get("time").map(|given| {
            let at = input::moment(given)?;
            Ok((text(given)?, at))
        });
        let time = errors.note("time", time.transpose());
        let subject = errors.note("subject", given.get("subject").map(text).transpose());
        let dataschema = given.get("dataschema").map(uri_reference).transpose();
        let dataschema = errors.note("dataschema", dataschema);
        let extensions = extensions(given, errors);
        let time = time.flatten();
        let event_type = event_type?;
        Some(Self {
            said: Said {
                id: id?,
                source: source?,
                event_type: event_type.as_str().to_owned(),
                time: time.as_ref().map(|(text, _)| text.clone()),
                subject: subject?,
                dataschema: dataschema?,
                extensions,
            },
            event_type,
            occurred_at: time.map(|(_, at)| at),
        })
    }
}

fn extensions(given: &Map<String, Value>, errors: &mut FieldErrors) -> Map<String, Value> {
    let mut extensions = Map::new();
    for (name, given) in given.iter().filter(|(name, _)| is_extension(name)) {
        let checked = check_name(name).map_err(Fault::from);
        let checked = checked.and_then(|()| extension(given));
        if let Some(read) = errors.note(name, checked) {
            extensions.insert(name.clone(), read);
        }
    }
    if extensions.len() > EXTENSIONS_MAX {
        let words = format!("Ensure there are no more than {EXTENSIONS_MAX} extension attributes.");
        errors.add("non_field_errors", words);
    }
    extensions
}

/// A string, a truth value or an integer of 32 bits (section 3.1, "Type System").
fn extension(given: &Value) -> Checked<Value> {
    match given {
        Value::String(_) => text(given).map(Value::from),
        Value::Bool(_) => Ok(given.clone()),
        Value::Number(number)
            if number
                .as_i64()
                .is_some_and(|number| i32::try_from(number).is_ok()) =>
        {
            Ok(given.clone())
        }
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err("Must be a string, a boolean or an integer of 32 bits.".into())
        }
    }
}

fn version(given: &Value) -> Checked<()> {
    match given.as_str() {
        Some(SPEC_VERSION) => Ok(()),
        Some(_) | None => Err(format!("Must be \"{SPEC_VERSION}\".").into()),
    }
}

fn text(given: &Value) -> Checked<String> {
    let text = given.as_str().ok_or("Not a valid string.")?;
    check_text(text)?;
    Ok(text.to_owned())
}

fn uri_reference(given: &Value) -> Checked<String> {
    let text = text(given)?;
    check_uri_reference(&text)?;
    Ok(text)
}

/// It will be a header of the request that a receiver gets.
pub(super) fn content_type(given: &Value) -> Checked<String> {
    let text = given.as_str().ok_or("Not a valid string.")?;
    let essence = text.split(';').next().unwrap_or("").trim();
    let named = essence
        .split_once('/')
        .is_some_and(|(kind, subtype)| !kind.is_empty() && !subtype.is_empty());
    let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if !named || !printable || text.len() > CONTENT_TYPE_BYTES_MAX {
        return Err("Must be a media type, as application/xml.".into());
    }
    Ok(text.to_owned())
}
