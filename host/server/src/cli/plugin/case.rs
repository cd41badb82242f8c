//! A golden case: an event, a configuration, and what the plugin is to make of them, as one JSON
//! file. The event part by itself is what `run --event` reads.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use whisperer_domain::envelope;
use whisperer_domain::event::Event;
use whisperer_domain::event_type::EventType;
use whisperer_domain::id::{EventId, EventKey, HookId};
use whisperer_domain::time::Timestamp;

use super::workbench::Call;

const EVENT_ID: &str = "evt-1";
const OCCURRED_AT: &str = "2026-01-01T00:00:00Z";
const ORIGIN: &str = "https://example.com";

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    event: GivenEvent,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<GivenTarget>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config: Option<Value>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(super) expect: Value,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct GivenEvent {
    #[serde(rename = "type")]
    event_type: String,
    /// Kept as it is written: plugins see bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<Box<RawValue>>,
    /// In place of `payload`, if it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload_text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    occurred_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct GivenTarget {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hook_id: Option<u64>,
}

impl Case {
    /// # Errors
    /// No such file, or it is not a case: the field, with line and column.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = read(path)?;
        serde_json::from_str(&text).with_context(|| format!("{} is not a case", path.display()))
    }

    pub(super) fn call(&self) -> anyhow::Result<Call> {
        let target = self.target.as_ref();
        Ok(Call {
            event: Arc::new(self.event.to_event()?),
            config: self
                .config
                .as_ref()
                .map_or_else(|| "{}".to_owned(), Value::to_string),
            hook: HookId(target.and_then(|it| it.hook_id).unwrap_or(1)),
            origin: target
                .and_then(|it| it.origin.clone())
                .unwrap_or_else(|| ORIGIN.to_owned()),
        })
    }
}

/// An event by itself, or that of a case.
///
/// # Errors
/// As [`Case::read`].
pub(super) fn call_from(event: &Path, config: Option<&str>) -> anyhow::Result<Call> {
    let text = read(event)?;
    let what = || format!("{} is neither an event nor a case", event.display());
    let whole: Value = serde_json::from_str(&text).with_context(what)?;
    let mut case = if whole.get("event").is_some() {
        Case::read(event)?
    } else {
        Case {
            event: serde_json::from_str(&text).with_context(what)?,
            target: None,
            config: None,
            expect: Value::Null,
        }
    };
    if let Some(given) = config {
        case.config = Some(config_value(given)?);
    }
    case.call()
}

/// JSON, or `@FILE` with JSON in it.
fn config_value(given: &str) -> anyhow::Result<Value> {
    let text = match given.strip_prefix('@') {
        Some(path) => read(Path::new(path))?,
        None => given.to_owned(),
    };
    serde_json::from_str(&text).context("the configuration is not JSON")
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

impl GivenEvent {
    fn to_event(&self) -> anyhow::Result<Event> {
        let payload = match (&self.payload, &self.payload_text) {
            (Some(raw), None) => Bytes::copy_from_slice(raw.get().as_bytes()),
            (None, Some(text)) => Bytes::copy_from_slice(text.as_bytes()),
            (None, None) => bail!("the event has no payload"),
            (Some(_), Some(_)) => bail!("the event has both payload and payload_text"),
        };
        let id = self.id.as_deref().unwrap_or(EVENT_ID);
        let occurred_at = moment(self.occurred_at.as_deref().unwrap_or(OCCURRED_AT))?;
        let wrong = |field: &'static str| move |why: String| anyhow!("event.{field}: {why}");
        Ok(Event {
            key: EventKey(0),
            id: EventId::parse(id).map_err(wrong("id"))?,
            event_type: EventType::parse(&self.event_type).map_err(wrong("type"))?,
            occurred_at,
            accepted_at: occurred_at,
            object_id: self.object_id.clone(),
            content_type: self
                .content_type
                .clone()
                .unwrap_or_else(|| envelope::JSON.to_owned()),
            cloud: None,
            payload,
        })
    }
}

fn moment(text: &str) -> anyhow::Result<Timestamp> {
    let moment: jiff::Timestamp = text
        .parse()
        .with_context(|| format!("event.occurred_at: {text} is not an RFC 3339 time"))?;
    let millis = u64::try_from(moment.as_millisecond());
    Ok(Timestamp(millis.context("event.occurred_at: before 1970")?))
}

/// Whether a result is what was expected. `message` is compared only where the case names one:
/// words may improve.
pub(super) fn meets(expected: &Value, result: &Value) -> bool {
    let mut result = result.clone();
    if let (Value::Object(expected), Value::Object(result)) = (expected, &mut result)
        && !expected.contains_key("message")
    {
        result.remove("message");
    }
    *expected == result
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::meets;

    #[test]
    fn words_may_differ_and_nothing_else() {
        let result = json!({"outcome": "discard", "code": "a", "message": "b"});
        assert!(meets(&json!({"outcome": "discard", "code": "a"}), &result));
        assert!(meets(&result, &result));
        assert!(!meets(&json!({"outcome": "discard"}), &result));
        let other = json!({"outcome": "discard", "code": "a", "message": "c"});
        assert!(!meets(&other, &result));
    }
}
