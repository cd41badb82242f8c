//! Puts values of the payload into headers of the request, and takes headers out that plugins
//! before it have set.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use whisperer_sdk::{Event, Failure, Outcome, Patch, Target, Template};

/// As many as the host lets one request have.
const HEADERS_MAX: usize = 32;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Headers that replace every one of their name.
    #[schemars(length(max = 32))]
    pub set: BTreeMap<String, Template>,
    /// Headers that go beside what is there.
    #[schemars(length(max = 32))]
    pub append: BTreeMap<String, Template>,
    /// Names of headers that plugins before this one may have set.
    #[schemars(length(max = 32))]
    pub remove: Vec<String>,
    pub missing: Missing,
}

/// What becomes of a header whose value is not in the payload: `omit` leaves the header out,
/// `empty` puts nothing in the value's place, `reject` makes the delivery dead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    #[default]
    Omit,
    Empty,
    Reject,
}

/// The transform.
///
/// # Errors
/// Rejects values that cannot stand in a header, and missing ones if told to.
pub fn headers(event: Event, _target: Target, config: Config) -> Result<Outcome, Failure> {
    let changes = config.set.len() + config.append.len() + config.remove.len();
    if changes > HEADERS_MAX {
        return Err(Failure::reject(
            "bad-config",
            format!("at most {HEADERS_MAX} headers, there are {changes}"),
        ));
    }
    let mut patch = Patch::default();
    for (name, template) in &config.set {
        if let Some(value) = value(&event, name, template, config.missing)? {
            patch = patch.set_header(name, value);
        }
    }
    for (name, template) in &config.append {
        if let Some(value) = value(&event, name, template, config.missing)? {
            patch = patch.append_header(name, value);
        }
    }
    for name in &config.remove {
        patch = patch.remove_header(name);
    }
    let nothing = patch.set_headers.is_empty()
        && patch.append_headers.is_empty()
        && patch.remove_headers.is_empty();
    Ok(if nothing {
        Outcome::Unchanged
    } else {
        patch.into()
    })
}

fn value(
    event: &Event,
    name: &str,
    template: &Template,
    missing: Missing,
) -> Result<Option<String>, Failure> {
    let filled = template.fill(event, |path| match (event.text_at(path), missing) {
        (None, Missing::Empty) => Some(String::new()),
        (found, Missing::Empty | Missing::Omit | Missing::Reject) => found,
    });
    match (filled, missing) {
        (Ok(value), _) => printable(name, value).map(Some),
        (Err(path), Missing::Reject) => Err(Failure::reject(
            "missing-value",
            format!("{name}: there is nothing at {path}"),
        )),
        (Err(_), Missing::Omit | Missing::Empty) => Ok(None),
    }
}

/// A line break in a header would begin another one (RFC 9110, section 5.5).
fn printable(name: &str, value: String) -> Result<String, Failure> {
    if value.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return Ok(value);
    }
    Err(Failure::reject(
        "bad-value",
        format!("{name}: a header holds printable ASCII only, the value has something else"),
    ))
}

whisperer_sdk::plugin! {
    transform: headers,
    summary: "Puts values of the payload into headers",
    config_example: r#"{"set": {"X-Order": "{number}", "X-Kind": "{@type}"}, "missing": "omit"}"#,
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use whisperer_sdk::{Event, Failure, Outcome, Target};

    use super::headers;

    fn run(config: serde_json::Value) -> Result<Outcome, Failure> {
        let payload = br#"{"number": "P-1", "bad": "a\nb", "n": 12345678901234567890123}"#;
        let event = Event::sample("package.created", payload);
        headers(
            event,
            Target::sample(),
            serde_json::from_value(config).unwrap(),
        )
    }

    fn set(config: serde_json::Value) -> Vec<(String, String)> {
        match run(config).unwrap() {
            Outcome::Modified(patch) => {
                assert_eq!(patch.payload, None);
                let set = patch.set_headers.into_iter();
                set.map(|header| (header.name, header.value)).collect()
            }
            Outcome::Unchanged => Vec::new(),
            Outcome::Discard(reason) => panic!("{}", reason.message),
        }
    }

    #[test]
    fn values_go_into_headers_with_all_their_digits() {
        let made = set(json!({"set": {"X-Order": "{number}", "X-N": "n={n}", "X-T": "{@type}"}}));
        let expected = [
            ("X-N", "n=12345678901234567890123"),
            ("X-Order", "P-1"),
            ("X-T", "package.created"),
        ];
        let expected: Vec<_> = expected
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        assert_eq!(made, expected);
    }

    #[test]
    fn a_missing_value_is_dealt_with_as_told() {
        let config = |missing: &str| json!({"set": {"X-A": "<{nothing}>"}, "missing": missing});
        assert_eq!(set(config("omit")), []);
        assert_eq!(set(config("empty")), [("X-A".to_owned(), "<>".to_owned())]);
        let Err(Failure::Reject(reason)) = run(config("reject")) else {
            panic!("it was taken");
        };
        assert_eq!(reason.code, "missing-value");
        assert!(reason.message.contains("X-A") && reason.message.contains("nothing"));
    }

    #[test]
    fn a_line_break_makes_no_header() {
        let Err(Failure::Reject(reason)) = run(json!({"set": {"X-A": "{bad}"}})) else {
            panic!("it was taken");
        };
        assert_eq!(reason.code, "bad-value");
    }
}
