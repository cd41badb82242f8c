//! What must hold: comparisons of values at paths, joined by `all`, `any` and `not`.
//!
//! A path may lead to several values: a comparison holds if it does for one of them, and `ne` if
//! it does for all. Where there is no value, only `ne` and `"exists": false` hold.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use whisperer_sdk::json::find;
use whisperer_sdk::{Event, Path};

/// As it is written: one of `all`, `any`, `not` and `type`; or `path` with one comparison.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Condition")]
struct Written {
    /// Every one of these holds.
    all: Option<Vec<Condition>>,
    /// One of these holds.
    any: Option<Vec<Condition>>,
    /// This does not hold.
    not: Option<Box<Condition>>,
    /// The event's type, or a pattern of it: `package.*`.
    #[serde(rename = "type")]
    event_type: Option<String>,
    path: Option<Path>,
    /// Equal to this value.
    #[serde(deserialize_with = "given")]
    eq: Option<Value>,
    /// Not equal to this value.
    #[serde(deserialize_with = "given")]
    ne: Option<Value>,
    /// Equal to one of these.
    #[serde(rename = "in")]
    one_of: Option<Vec<Value>>,
    /// A number less than this.
    lt: Option<f64>,
    /// A number not greater than this.
    lte: Option<f64>,
    /// A number greater than this.
    gt: Option<f64>,
    /// A number not less than this.
    gte: Option<f64>,
    /// A string that begins with this.
    prefix: Option<String>,
    /// Whether there is a value at all.
    exists: Option<bool>,
}

/// `null` is a value to compare with, not the lack of one.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Type(String),
    At(Path, Comparison),
}

#[derive(Debug)]
pub enum Comparison {
    Eq(Value),
    Ne(Value),
    In(Vec<Value>),
    Lt(f64),
    Lte(f64),
    Gt(f64),
    Gte(f64),
    Prefix(String),
    Exists(bool),
}

impl JsonSchema for Condition {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Condition".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Written::json_schema(generator)
    }
}

impl TryFrom<Written> for Condition {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let comparisons: Vec<Comparison> = [
            written.eq.map(Comparison::Eq),
            written.ne.map(Comparison::Ne),
            written.one_of.map(Comparison::In),
            written.lt.map(Comparison::Lt),
            written.lte.map(Comparison::Lte),
            written.gt.map(Comparison::Gt),
            written.gte.map(Comparison::Gte),
            written.prefix.map(Comparison::Prefix),
            written.exists.map(Comparison::Exists),
        ]
        .into_iter()
        .flatten()
        .collect();
        let compares = !comparisons.is_empty();
        let mut all: Vec<Self> = [
            written.all.map(Self::All),
            written.any.map(Self::Any),
            written.not.map(Self::Not),
            written.event_type.map(Self::Type),
        ]
        .into_iter()
        .flatten()
        .collect();
        match written.path {
            // Several comparisons of one value are a range.
            Some(path) if compares => all.extend(
                comparisons
                    .into_iter()
                    .map(|comparison| Self::At(path.clone(), comparison)),
            ),
            Some(path) => {
                return Err(format!(
                    "the condition on {path} compares it with nothing: add eq, ne, in, lt, lte, gt, gte, prefix or exists"
                ));
            }
            None if compares => return Err("a comparison needs a path".to_owned()),
            None => {}
        }
        match all.len() {
            0 => Err(
                "a condition is empty: it has all, any, not, type, or a path with a comparison"
                    .to_owned(),
            ),
            1 => Ok(all.remove(0)),
            _ => Ok(Self::All(all)),
        }
    }
}

impl Condition {
    /// # Errors
    /// The payload is not JSON.
    pub fn holds(&self, event: &Event) -> Result<bool, serde_json::Error> {
        match self {
            Self::All(conditions) => {
                for condition in conditions {
                    if !condition.holds(event)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Any(conditions) => {
                for condition in conditions {
                    if condition.holds(event)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(condition) => Ok(!condition.holds(event)?),
            Self::Type(pattern) => Ok(matches_type(pattern, &event.event_type)),
            Self::At(path, comparison) => {
                let found = find(&event.payload, path)?;
                let values: Result<Vec<Value>, _> =
                    found.into_iter().map(serde_json::from_str).collect();
                Ok(comparison.holds(&values?))
            }
        }
    }
}

fn matches_type(pattern: &str, event_type: &str) -> bool {
    match pattern.strip_suffix(".*") {
        Some(prefix) => event_type
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with('.')),
        None => pattern == "*" || pattern == event_type,
    }
}

impl Comparison {
    fn holds(&self, values: &[Value]) -> bool {
        let number = |fits: &dyn Fn(f64) -> bool| values.iter().filter_map(Value::as_f64).any(fits);
        match self {
            Self::Eq(wanted) => values.iter().any(|value| equal(value, wanted)),
            Self::Ne(unwanted) => !values.iter().any(|value| equal(value, unwanted)),
            Self::In(wanted) => values
                .iter()
                .any(|value| wanted.iter().any(|wanted| equal(value, wanted))),
            Self::Lt(bound) => number(&|value| value < *bound),
            Self::Lte(bound) => number(&|value| value <= *bound),
            Self::Gt(bound) => number(&|value| value > *bound),
            Self::Gte(bound) => number(&|value| value >= *bound),
            Self::Prefix(prefix) => values
                .iter()
                .filter_map(Value::as_str)
                .any(|text| text.starts_with(prefix)),
            Self::Exists(wanted) => values.is_empty() != *wanted,
        }
    }
}

/// Numbers by their value: 1 and 1.0 are equal.
fn equal(value: &Value, wanted: &Value) -> bool {
    value == wanted
        || (value.is_number() && wanted.is_number() && value.as_f64() == wanted.as_f64())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use whisperer_sdk::Event;

    use super::Condition;

    const ORDER: &str = r#"{"country": "DE", "total": 99.5, "note": null, "items": [{"sku": "a-1"}, {"sku": "b-2"}]}"#;

    fn holds(condition: serde_json::Value) -> bool {
        let event = Event::sample("package.status.packed", ORDER.as_bytes());
        let condition: Condition = serde_json::from_value(condition).unwrap();
        condition.holds(&event).unwrap()
    }

    #[test]
    fn comparisons_hold_for_what_they_say() {
        let cases = [
            (json!({"path": "country", "eq": "DE"}), true),
            (json!({"path": "country", "ne": "DE"}), false),
            (json!({"path": "nothing", "ne": "DE"}), true),
            (json!({"path": "nothing", "eq": "DE"}), false),
            (json!({"path": "country", "in": ["AT", "DE"]}), true),
            (json!({"path": "total", "eq": 99.50}), true),
            (json!({"path": "total", "gte": 99.5, "lt": 100}), true),
            (json!({"path": "total", "gt": 99.5}), false),
            (json!({"path": "country", "gt": 1}), false),
            (json!({"path": "items[*].sku", "eq": "b-2"}), true),
            (json!({"path": "items[*].sku", "ne": "b-2"}), false),
            (json!({"path": "items[0].sku", "prefix": "a-"}), true),
            (json!({"path": "note", "exists": true}), true),
            (json!({"path": "note", "eq": null}), true),
            (json!({"path": "nothing", "exists": false}), true),
            (json!({"type": "package.*"}), true),
            (json!({"type": "package"}), false),
            (json!({"type": "pack.*"}), false),
        ];
        for (condition, expected) in cases {
            assert_eq!(holds(condition.clone()), expected, "{condition}");
        }
    }

    #[test]
    fn conditions_are_joined() {
        let yes = json!({"path": "country", "eq": "DE"});
        let no = json!({"path": "country", "eq": "FR"});
        assert!(holds(json!({"all": [yes, {"not": no}]})));
        assert!(!holds(json!({"all": [yes, no]})));
        assert!(holds(json!({"any": [no, yes]})));
        assert!(!holds(json!({"any": []})));
        assert!(holds(json!({"all": []})));
        assert!(!holds(
            json!({"type": "package.*", "path": "country", "eq": "FR"})
        ));
    }

    #[test]
    fn what_is_no_condition_is_told() {
        let cases = [
            (json!({}), "empty"),
            (json!({"path": "a"}), "compares it with nothing"),
            (json!({"eq": 1}), "needs a path"),
            (json!({"path": "a", "equals": 1}), "equals"),
            (json!({"path": "a..b", "eq": 1}), "a..b"),
        ];
        for (condition, word) in cases {
            let why = serde_json::from_value::<Condition>(condition)
                .unwrap_err()
                .to_string();
            assert!(why.contains(word), "{why}");
        }
    }
}
