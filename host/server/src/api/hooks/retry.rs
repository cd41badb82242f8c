//! `retry_countdown_config`, with the rules and the words of the OMS.

use serde_json::{Map, Value, json};
use whisperer_domain::schedule::RetryConfig;

use crate::api::field_errors::{Checked, FieldErrors};
use crate::api::value;

/// What an OMS client's 64-bit integer can say.
const SECS_MAX: u64 = i64::MAX as u64;
const SCHEDULE_MAX: usize = 100;

#[derive(Clone, Copy)]
enum Choice {
    Fixed,
    Linear,
    Exponential,
    Random,
    Schedule,
}

impl Choice {
    fn kwargs(self) -> &'static [&'static str] {
        match self {
            Self::Fixed | Self::Schedule => &["seconds"],
            Self::Linear => &["base", "limit"],
            Self::Exponential => &["base", "factor", "limit"],
            Self::Random => &["min_value", "max_value"],
        }
    }
}

const CHOICES: [(&str, Choice); 5] = [
    ("fixed", Choice::Fixed),
    ("linear", Choice::Linear),
    ("exponential", Choice::Exponential),
    ("random", Choice::Random),
    ("schedule", Choice::Schedule),
];

pub(super) fn read(given: &Value) -> Checked<RetryConfig> {
    let Value::Object(members) = given else {
        let words = value::expected_object(given);
        return Err(FieldErrors::of("non_field_errors", words).into());
    };
    let mut errors = FieldErrors::default();
    errors.note_unknown(members, &["choice", "kwargs"]);
    let choice = match members.get("choice") {
        None => Err(value::REQUIRED.into()),
        Some(given) => value::choice(given, &CHOICES).map_err(Into::into),
    };
    let choice = errors.note("choice", choice);
    let kwargs = match members.get("kwargs") {
        None => Err(value::REQUIRED.into()),
        Some(Value::Null) => Err(value::NOT_NULL.into()),
        Some(Value::Object(kwargs)) => Ok(kwargs),
        Some(other) => {
            Err(FieldErrors::of("non_field_errors", value::expected_object(other)).into())
        }
    };
    let kwargs = errors.note("kwargs", kwargs);
    let Some((choice, kwargs)) = choice.zip(kwargs) else {
        return Err(errors.into());
    };
    let config = errors.note("kwargs", read_kwargs(choice, kwargs).map_err(Into::into));
    match config {
        Some(config) => Ok(errors.or(config)?),
        None => Err(errors.into()),
    }
}

fn read_kwargs(choice: Choice, kwargs: &Map<String, Value>) -> Result<RetryConfig, FieldErrors> {
    let mut errors = FieldErrors::default();
    errors.note_unknown(kwargs, choice.kwargs());
    let mut kwargs = Kwargs { kwargs, errors };
    let config = match choice {
        Choice::Fixed => RetryConfig::Fixed {
            seconds: kwargs.required("seconds", 0),
        },
        Choice::Linear => RetryConfig::Linear {
            base: kwargs.required("base", 0),
            limit: kwargs.optional("limit", 0),
        },
        Choice::Exponential => RetryConfig::Exponential {
            base: kwargs.required("base", 0),
            factor: match kwargs.kwargs.contains_key("factor") {
                true => kwargs.required("factor", 1),
                false => 1,
            },
            limit: kwargs.optional("limit", 0),
        },
        Choice::Random => RetryConfig::Random {
            min_value: kwargs.required("min_value", 0),
            max_value: kwargs.required("max_value", 0),
        },
        Choice::Schedule => RetryConfig::Schedule {
            seconds: kwargs.list("seconds"),
        },
    };
    kwargs.errors.or(())?;
    match config {
        RetryConfig::Random {
            min_value,
            max_value,
        } if max_value <= min_value => Err(FieldErrors::of(
            "non_field_errors",
            "'max_value' must be greater than 'min_value'.",
        )),
        RetryConfig::Random { .. }
        | RetryConfig::Fixed { .. }
        | RetryConfig::Linear { .. }
        | RetryConfig::Exponential { .. }
        | RetryConfig::Schedule { .. } => Ok(config),
    }
}

/// Reads members one by one; where one is wrong it notes that and hands out a stand-in, which
/// nobody sees because the errors come first.
struct Kwargs<'a> {
    kwargs: &'a Map<String, Value>,
    errors: FieldErrors,
}

impl Kwargs<'_> {
    fn required(&mut self, name: &str, min: u64) -> u64 {
        let checked = match self.kwargs.get(name) {
            None => Err(value::REQUIRED.into()),
            Some(given) => value::integer(given, min, SECS_MAX).map_err(Into::into),
        };
        self.errors.note(name, checked).unwrap_or(min)
    }

    fn optional(&mut self, name: &str, min: u64) -> Option<u64> {
        match self.kwargs.get(name) {
            None | Some(Value::Null) => None,
            Some(_) => Some(self.required(name, min)),
        }
    }

    fn list(&mut self, name: &str) -> Vec<u64> {
        let items = match self.kwargs.get(name) {
            None => Err(value::REQUIRED.into()),
            Some(Value::Array(items)) if items.is_empty() => {
                Err("This list may not be empty.".into())
            }
            Some(Value::Array(items)) if items.len() > SCHEDULE_MAX => {
                Err(format!("Ensure this field has no more than {SCHEDULE_MAX} elements.").into())
            }
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(value::expected_list(other).into()),
        };
        let mut errors = FieldErrors::default();
        let mut seconds = Vec::new();
        for (place, item) in self
            .errors
            .note(name, items)
            .into_iter()
            .flatten()
            .enumerate()
        {
            match value::integer(item, 0, SECS_MAX) {
                Ok(secs) => seconds.push(secs),
                Err(message) => errors.add(&place.to_string(), message),
            }
        }
        if !errors.is_empty() {
            self.errors.put(name, errors.into());
        }
        seconds
    }
}

/// As it was given, defaults filled in.
pub(super) fn show(config: &RetryConfig) -> Value {
    match config {
        RetryConfig::Fixed { seconds } => {
            json!({"choice": "fixed", "kwargs": {"seconds": seconds}})
        }
        RetryConfig::Linear { base, limit } => {
            json!({"choice": "linear", "kwargs": {"base": base, "limit": limit}})
        }
        RetryConfig::Exponential {
            base,
            factor,
            limit,
        } => json!({
            "choice": "exponential",
            "kwargs": {"base": base, "factor": factor, "limit": limit},
        }),
        RetryConfig::Random {
            min_value,
            max_value,
        } => json!({
            "choice": "random",
            "kwargs": {"min_value": min_value, "max_value": max_value},
        }),
        RetryConfig::Schedule { seconds } => {
            json!({"choice": "schedule", "kwargs": {"seconds": seconds}})
        }
    }
}
