//! Masks or drops what must not leave: the values that the configured paths lead to.
//!
//! Every other byte of the payload stays as it was posted. A path that leads nowhere is no error,
//! because events of one type need not all have every member.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use whisperer_sdk::json::{Edit, rewrite};
use whisperer_sdk::{Event, Failure, Outcome, Patch, Path, Target};

/// The most paths of one configuration: each is looked for in every payload.
const PATHS_MAX: usize = 256;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the values are.
    #[schemars(length(max = 256))]
    pub paths: Vec<Path>,
    #[serde(default)]
    pub mode: Mode,
    /// What a masked value is replaced by.
    #[serde(default = "mask_default")]
    #[schemars(length(max = 256))]
    pub mask: String,
}

/// `mask` replaces the value, `drop` removes it with its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    #[default]
    Mask,
    Drop,
}

fn mask_default() -> String {
    "***".to_owned()
}

/// The transform.
///
/// # Errors
/// Rejects a payload that is not JSON rather than let it pass unredacted.
pub fn redact(event: Event, _target: Target, config: Config) -> Result<Outcome, Failure> {
    if config.paths.len() > PATHS_MAX {
        return Err(Failure::reject(
            "bad-config",
            format!(
                "paths: at most {PATHS_MAX}, there are {}",
                config.paths.len()
            ),
        ));
    }
    let edit = match config.mode {
        Mode::Mask => Edit::Replace(serde_json::Value::from(config.mask).to_string()),
        Mode::Drop => Edit::Remove,
    };
    let made = rewrite(&event.payload, &config.paths, |_| edit.clone()).map_err(|why| {
        Failure::reject(
            "bad-payload",
            format!("not JSON, so what to redact cannot be found: {why}"),
        )
    })?;
    Ok(match made {
        None => Outcome::Unchanged,
        Some(payload) => Patch::default().payload(payload).into(),
    })
}

whisperer_sdk::plugin! {
    transform: redact,
    summary: "Masks or drops the values at the configured paths",
    config_example: r#"{"paths": ["customer.email", "items[*].price"], "mode": "mask"}"#,
}

#[cfg(test)]
mod tests {
    use whisperer_sdk::{Event, Failure, Outcome, Target};

    use super::{Config, redact};

    fn run(payload: &str, config: &str) -> Result<Outcome, Failure> {
        let config: Config = serde_json::from_str(config).unwrap();
        redact(
            Event::sample("package.created", payload.as_bytes()),
            Target::sample(),
            config,
        )
    }

    fn payload(payload: &str, config: &str) -> Option<String> {
        match run(payload, config).unwrap() {
            Outcome::Unchanged => None,
            Outcome::Modified(patch) => Some(String::from_utf8(patch.payload.unwrap()).unwrap()),
            Outcome::Discard(reason) => panic!("discarded: {}", reason.message),
        }
    }

    const ORDER: &str = r#"{"total": 10.10, "customer": {"email": "a@b.c", "name": "Ada"}, "items": [{"price": 1}]}"#;

    #[test]
    fn values_are_masked_and_the_rest_stays() {
        assert_eq!(
            payload(ORDER, r#"{"paths": ["customer.email", "items[*].price"]}"#).unwrap(),
            r#"{"total": 10.10, "customer": {"email": "***", "name": "Ada"}, "items": [{"price": "***"}]}"#
        );
        assert_eq!(
            payload(
                r#"{"a":{"b":1}}"#,
                r#"{"paths": ["a"], "mask": "\"gone\""}"#
            )
            .unwrap(),
            r#"{"a":"\"gone\""}"#
        );
    }

    #[test]
    fn values_are_dropped_with_their_names() {
        assert_eq!(
            payload(
                r#"{"a":1,"b":{"c":2,"d":3}}"#,
                r#"{"paths": ["a", "b.c"], "mode": "drop"}"#
            )
            .unwrap(),
            r#"{"b":{"d":3}}"#
        );
    }

    #[test]
    fn a_payload_without_such_members_is_unchanged() {
        assert_eq!(payload(ORDER, r#"{"paths": ["nothing.here"]}"#), None);
        assert_eq!(payload(ORDER, r#"{"paths": []}"#), None);
    }

    #[test]
    fn a_payload_that_cannot_be_read_does_not_pass() {
        let Err(Failure::Reject(reason)) = run("{\"a\":", r#"{"paths": ["a"]}"#) else {
            panic!("it passed");
        };
        assert_eq!(reason.code, "bad-payload");
    }

    #[test]
    fn a_wrong_configuration_names_its_field() {
        let cases = [
            (r#"{"path": ["a"]}"#, "path"),
            (r#"{}"#, "paths"),
            (r#"{"paths": ["a..b"]}"#, "a..b"),
            (r#"{"paths": [], "mode": "hide"}"#, "hide"),
        ];
        for (config, named) in cases {
            let why = serde_json::from_str::<Config>(config)
                .unwrap_err()
                .to_string();
            assert!(why.contains(named), "{config}: {why}");
        }
    }
}
