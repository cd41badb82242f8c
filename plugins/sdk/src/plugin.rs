//! The macro that makes a component of a function, and what it stands on.
//!
//! The export exists in WebAssembly only: natively a plugin is a library like any other, so that
//! `cargo test` needs no WebAssembly at all.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::wire::bindings::exports::whisperer::plugin::describe::Description;
pub use crate::wire::bindings::exports::whisperer::plugin::transform::Guest;
use crate::wire::bindings::whisperer::plugin::types::{Event, Failure, Outcome, Target};

/// What a plugin tells of itself, as the macro collects it.
pub struct Told {
    pub version: &'static str,
    pub summary: &'static str,
    pub events: &'static [&'static str],
    pub config_example: Option<&'static str>,
}

/// Reads the configuration and calls the plugin's function.
///
/// # Errors
/// What the function says; `bad-config` if the configuration does not fit.
pub fn transform<C: DeserializeOwned>(
    function: fn(Event, Target, C) -> Result<Outcome, Failure>,
    event: Event,
    target: Target,
    config: &str,
) -> Result<Outcome, Failure> {
    let config = serde_json::from_str(config)
        .map_err(|why| Failure::reject("bad-config", format!("the configuration: {why}")))?;
    function(event, target, config)
}

/// The schema is that of the function's configuration type: it cannot say something else than
/// what is read.
pub fn describe<C: JsonSchema>(
    told: &Told,
    _: fn(Event, Target, C) -> Result<Outcome, Failure>,
) -> Description {
    Description {
        version: told.version.to_owned(),
        summary: told.summary.to_owned(),
        events: told.events.iter().map(|&name| name.to_owned()).collect(),
        config_schema: Some(config_schema::<C>()),
        config_example: told.config_example.map(str::to_owned),
        attributes: Vec::new(),
    }
}

/// The JSON Schema (2020-12) of a configuration type, as text.
#[must_use]
pub fn config_schema<C: JsonSchema>() -> String {
    schemars::schema_for!(C).to_value().to_string()
}

/// Makes the crate a plugin. `transform` names a function
/// `fn(Event, Target, Config) -> Result<Outcome, Failure>` whose `Config` derives
/// [`Deserialize`](serde::Deserialize) and [`JsonSchema`](schemars::JsonSchema): it is read from
/// the hook's JSON, and hooks whose JSON does not fit are refused when they are written. A member
/// with `#[schemars(extend("writeOnly" = true))]` is a secret, which no one is shown again. The
/// rest is optional, in this order:
///
/// ```text
/// whisperer_sdk::plugin! {
///     transform: redact,
///     summary: "Masks what must not leave",
///     events: ["package.*"],
///     config_example: r#"{"paths": ["customer.email"]}"#,
/// }
/// ```
///
/// The version is that of `Cargo.toml`.
#[macro_export]
macro_rules! plugin {
    (
        transform: $($transform:ident)::+
        $(, summary: $summary:expr)?
        $(, events: [$($event:expr),* $(,)?])?
        $(, config_example: $example:expr)?
        $(,)?
    ) => {
        #[cfg(target_family = "wasm")]
        mod component {
            #![allow(unsafe_code, reason = "the exports are generated")]

            struct Component;

            impl $crate::Guest for Component {
                fn transform(
                    event: $crate::Event,
                    target: $crate::Target,
                    config: ::std::string::String,
                ) -> ::core::result::Result<$crate::Outcome, $crate::Failure> {
                    $crate::transform(super::$($transform)::+, event, target, &config)
                }
            }

            impl $crate::bindings::exports::whisperer::plugin::describe::Guest for Component {
                fn describe()
                -> $crate::bindings::exports::whisperer::plugin::describe::Description {
                    let told = $crate::Told {
                        version: env!("CARGO_PKG_VERSION"),
                        summary: "",
                        events: &[],
                        config_example: None,
                    };
                    $(let told = $crate::Told { summary: $summary, ..told };)?
                    $(let told = $crate::Told { events: &[$($event),*], ..told };)?
                    $(let told = $crate::Told { config_example: Some($example), ..told };)?
                    $crate::describe(&told, super::$($transform)::+)
                }
            }

            $crate::bindings::export!(Component with_types_in $crate::bindings);
        }
    };
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::{config_schema, transform};
    use crate::{Event, Failure, Outcome, Target};

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Config {
        word: String,
        #[schemars(extend("writeOnly" = true))]
        #[expect(dead_code, reason = "only its schema is looked at")]
        token: Option<String>,
    }

    fn discard(_: Event, _: Target, config: Config) -> Result<Outcome, Failure> {
        Ok(Outcome::discard("word", config.word))
    }

    fn run(config: &str) -> Result<Outcome, Failure> {
        let event = Event::sample("package.created", b"{}");
        transform(discard, event, Target::sample(), config)
    }

    #[test]
    fn the_configuration_is_typed() {
        let outcome = run(r#"{"word": "no"}"#);
        assert!(matches!(outcome, Ok(Outcome::Discard(reason)) if reason.message == "no"));
    }

    #[test]
    fn the_schema_is_that_of_the_type() {
        let schema: Value = serde_json::from_str(&config_schema::<Config>()).unwrap();
        assert_eq!(schema["required"], json!(["word"]));
        assert_eq!(schema["additionalProperties"], json!(false));
        assert_eq!(schema["properties"]["token"]["writeOnly"], json!(true));
        let anything: Value = serde_json::from_str(&config_schema::<Value>()).unwrap();
        assert_eq!(anything.get("type"), None);
    }

    #[test]
    fn a_configuration_that_does_not_fit_is_rejected_by_its_field() {
        for (config, named) in [(r#"{"wrod": "no"}"#, "wrod"), ("{}", "word")] {
            let Err(Failure::Reject(reason)) = run(config) else {
                panic!("{config} was taken");
            };
            assert_eq!(reason.code, "bad-config");
            assert!(reason.message.contains(named), "{}", reason.message);
        }
    }
}
