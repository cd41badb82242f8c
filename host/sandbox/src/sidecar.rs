//! `NAME.toml` beside `NAME.wasm`: the operator's word on a plugin, one unit with it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use whisperer_domain::event_type::EventPattern;
use whisperer_domain::secret::Secret;

use crate::limits::{Limits, MEMORY_BYTES_CEILING};

/// More than any sane file of settings.
pub(crate) const SIDECAR_BYTES_MAX: u64 = 64 << 10;

const TIME_MS_MAX: u64 = 10_000;
const OUTPUT_KIB_MAX: usize = 16 << 10;
const LOG_KIB_MAX: usize = 1 << 10;
const CONCURRENCY_MAX: usize = 1_024;

/// What the file says; everything in it is optional.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sidecar {
    pub(crate) disabled: bool,
    /// In place of the patterns that the plugin declares.
    pub(crate) events: Option<Vec<EventPattern>>,
    /// JSON text.
    pub(crate) config: Option<Secret>,
    limits: LimitsText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    enabled: Option<bool>,
    events: Option<Vec<String>>,
    /// Of any kind, so that no one but us says that it is no table: serde shows the value.
    config: Option<toml::Value>,
    #[serde(default)]
    limits: LimitsText,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsText {
    time_ms: Option<u64>,
    memory_mib: Option<usize>,
    output_kib: Option<usize>,
    log_kib: Option<usize>,
    concurrency: Option<usize>,
}

impl Sidecar {
    /// # Errors
    /// The key and the rule, with the line if it is the syntax.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text: Text = toml::from_str(text).map_err(|why| located(text, &why))?;
        let events = text.events.map(|names| {
            let parsed: Result<Vec<_>, _> =
                names.iter().map(|name| EventPattern::parse(name)).collect();
            parsed.map_err(|why| format!("events: {why}"))
        });
        let limits = text.limits;
        in_range("time_ms", limits.time_ms, TIME_MS_MAX)?;
        in_range("memory_mib", limits.memory_mib, MEMORY_BYTES_CEILING >> 20)?;
        in_range("output_kib", limits.output_kib, OUTPUT_KIB_MAX)?;
        in_range("log_kib", limits.log_kib, LOG_KIB_MAX)?;
        in_range("concurrency", limits.concurrency, CONCURRENCY_MAX)?;
        let config = match text.config {
            None => None,
            Some(toml::Value::Table(table)) => {
                Some(Secret::new(Value::from(object(table)).to_string()))
            }
            Some(_) => return Err("config: must be a table".to_owned()),
        };
        Ok(Self {
            disabled: text.enabled == Some(false),
            events: events.transpose()?,
            config,
            limits,
        })
    }

    pub(crate) fn limits(&self, default: Limits) -> Limits {
        let said = &self.limits;
        Limits {
            own_time: said.time_ms.map_or(default.own_time, Duration::from_millis),
            memory_bytes_max: said
                .memory_mib
                .map_or(default.memory_bytes_max, |mib| mib << 20),
            output_bytes_max: said
                .output_kib
                .map_or(default.output_bytes_max, |kib| kib << 10),
            log_bytes_max: said.log_kib.map_or(default.log_bytes_max, |kib| kib << 10),
            calls_max: said.concurrency.unwrap_or(default.calls_max),
        }
    }
}

/// Not in the parser's own words, which show the whole line: it may hold a secret, and whoever
/// may see plugins sees why one is refused.
fn located(text: &str, why: &toml::de::Error) -> String {
    let message = match why.message().trim() {
        "" => "this cannot be read".to_owned(),
        message => message.replace('\n', ", "),
    };
    let before = why.span().and_then(|span| text.get(..span.start));
    match before {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message,
    }
}

fn in_range<N: PartialOrd + From<u8> + std::fmt::Display>(
    key: &str,
    said: Option<N>,
    max: N,
) -> Result<(), String> {
    match said {
        Some(number) if number < N::from(1) || number > max => {
            Err(format!("limits.{key}: must be 1 to {max}, is {number}"))
        }
        Some(_) | None => Ok(()),
    }
}

fn object(table: toml::Table) -> Map<String, Value> {
    table
        .into_iter()
        .map(|(key, value)| (key, json(value)))
        .collect()
}

/// Dates become strings: JSON has none.
fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(yes) => Value::from(yes),
        toml::Value::Datetime(time) => Value::from(time.to_string()),
        toml::Value::Array(list) => list.into_iter().map(json).collect(),
        toml::Value::Table(table) => Value::from(object(table)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Sidecar;
    use crate::limits::Limits;

    #[test]
    fn everything_can_be_said() {
        let sidecar = Sidecar::parse(
            "enabled = false\nevents = [\"package.*\"]\n[config]\npaths = [\"a\"]\nd = 2026-01-02\n\
             [limits]\ntime_ms = 250\nmemory_mib = 8\noutput_kib = 64\nlog_kib = 1\n\
             concurrency = 3",
        )
        .unwrap();
        assert!(sidecar.disabled);
        assert_eq!(sidecar.events.as_ref().unwrap()[0].to_string(), "package.*");
        let config: serde_json::Value =
            serde_json::from_str(&sidecar.config.as_ref().unwrap().expose()).unwrap();
        assert_eq!(
            config,
            serde_json::json!({"paths": ["a"], "d": "2026-01-02"})
        );
        let limits = sidecar.limits(Limits::default());
        let expected = Limits {
            own_time: Duration::from_millis(250),
            memory_bytes_max: 8 << 20,
            output_bytes_max: 64 << 10,
            log_bytes_max: 1 << 10,
            calls_max: 3,
        };
        assert_eq!(limits, expected);
        assert_eq!(
            Sidecar::parse("").unwrap().limits(Limits::default()),
            Limits::default()
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("enable = true", "enable"),
            ("[limits]\ntime = 5", "time"),
            ("[limits]\ntime_ms = 0", "limits.time_ms"),
            ("[limits]\nmemory_mib = 4096", "limits.memory_mib"),
            ("[limits]\nconcurrency = 0", "limits.concurrency"),
            ("events = [\"a..b\"]", "events"),
            ("enabled = ", "line 1"),
            ("enabled = true\n[config]\na = hunter2", "line 3"),
        ];
        for (text, named) in cases {
            let why = Sidecar::parse(text).unwrap_err();
            assert!(why.contains(named), "{text}: {why}");
        }
    }

    #[test]
    fn a_fault_beside_a_secret_does_not_show_it() {
        let cases = [
            "[config]\ntoken = \"hunter2\" x",
            "[config]\ntoken = hunter2",
            "[config]\ntoken = \"hunter2",
            "[config]\ntoken = \"hunter2\"\ntoken = \"hunter2\"",
            "config = \"hunter2\"",
        ];
        for text in cases {
            let why = Sidecar::parse(text).unwrap_err();
            assert!(!why.contains("hunter2"), "{text}: {why}");
        }
    }
}
