//! One JSON value as a field wants it, with the words of the OMS when it does not fit.
//!
//! Its clients send numbers and truth values as strings at times, and were understood.

use serde_json::Value;

pub(super) const REQUIRED: &str = "This field is required.";
pub(super) const NOT_NULL: &str = "This field may not be null.";

/// Beyond this a float no longer tells neighbouring integers apart.
const FLOAT_EXACT_MAX: f64 = 9_007_199_254_740_992.0;

pub(super) fn integer(value: &Value, min: u64, max: u64) -> Result<u64, String> {
    let number = match value {
        Value::Null => return Err(NOT_NULL.to_owned()),
        Value::Number(number) => {
            if let Some(whole) = number.as_i128() {
                Some(whole)
            } else {
                number.as_f64().and_then(whole_of)
            }
        }
        Value::String(text) if text.len() <= 40 => text.trim().parse::<i128>().ok(),
        Value::String(_) | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let number = number.ok_or("A valid integer is required.")?;
    if number < i128::from(min) {
        return Err(format!(
            "Ensure this value is greater than or equal to {min}."
        ));
    }
    match u64::try_from(number) {
        Ok(number) if number <= max => Ok(number),
        Ok(_) | Err(_) => Err(format!("Ensure this value is less than or equal to {max}.")),
    }
}

fn whole_of(float: f64) -> Option<i128> {
    let exact = float.fract() == 0.0 && float.abs() <= FLOAT_EXACT_MAX;
    #[allow(
        clippy::cast_possible_truncation,
        reason = "whole and below 2^53: nothing is cut"
    )]
    exact.then_some(float as i128)
}

pub(super) fn boolean(value: &Value) -> Result<bool, String> {
    match value {
        Value::Null => Err(NOT_NULL.to_owned()),
        Value::Bool(truth) => Ok(*truth),
        Value::Number(number) => truth_of(&number.to_string()),
        Value::String(text) => truth_of(text),
        Value::Array(_) | Value::Object(_) => Err("Must be a valid boolean.".to_owned()),
    }
}

/// `True`, `true`, `1` and their opposites.
pub(super) fn truth_of(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "t" | "yes" | "y" | "on" => Ok(true),
        "false" | "0" | "f" | "no" | "n" | "off" => Ok(false),
        _ => Err("Must be a valid boolean.".to_owned()),
    }
}

/// Not blank, at most `chars_max` characters.
pub(super) fn text(value: &Value, chars_max: usize) -> Result<&str, String> {
    match value {
        Value::Null => Err(NOT_NULL.to_owned()),
        Value::String(text) if text.trim().is_empty() => {
            Err("This field may not be blank.".to_owned())
        }
        Value::String(text) if text.chars().nth(chars_max).is_some() => Err(format!(
            "Ensure this field has no more than {chars_max} characters."
        )),
        Value::String(text) => Ok(text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err("Not a valid string.".to_owned())
        }
    }
}

/// One of a fixed set of words.
pub(super) fn choice<T: Copy>(value: &Value, choices: &[(&str, T)]) -> Result<T, String> {
    match value {
        Value::Null => Err(NOT_NULL.to_owned()),
        Value::String(text) => choices
            .iter()
            .find(|(word, _)| word == text)
            .map(|(_, choice)| *choice)
            .ok_or_else(|| not_a_choice(text)),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(not_a_choice(&value.to_string()))
        }
    }
}

/// W's words, byte for byte; what a stranger sent is cut to a length that can be read.
pub(super) fn not_a_choice(given: &str) -> String {
    let shown: String = given.chars().take(256).collect();
    format!("\"{shown}\" is not a valid choice.")
}

pub(super) fn expected_object(found: &Value) -> String {
    format!(
        "Invalid data. Expected a dictionary, but got {}.",
        kind(found)
    )
}

pub(super) fn expected_list(found: &Value) -> String {
    format!("Expected a list of items but got type \"{}\".", kind(found))
}

/// The OMS speaks of the types of its own language, and clients may look for them.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{boolean, integer};

    #[test]
    fn integers_come_in_several_coats() {
        for value in [json!(5), json!("5"), json!(5.0)] {
            assert_eq!(integer(&value, 0, 9), Ok(5), "{value}");
        }
        for (value, words) in [
            (json!(null), "This field may not be null."),
            (json!(1.5), "A valid integer is required."),
            (json!(true), "A valid integer is required."),
            (json!("x"), "A valid integer is required."),
            (
                json!(-1),
                "Ensure this value is greater than or equal to 0.",
            ),
            (json!(10), "Ensure this value is less than or equal to 9."),
            (
                json!(18_446_744_073_709_551_615_u64),
                "Ensure this value is less than or equal to 9.",
            ),
        ] {
            assert_eq!(integer(&value, 0, 9), Err(words.to_owned()), "{value}");
        }
    }

    #[test]
    fn truth_comes_in_several_coats() {
        for value in [json!(true), json!("True"), json!("1"), json!(1)] {
            assert_eq!(boolean(&value), Ok(true), "{value}");
        }
        for value in [json!(null), json!("maybe"), json!([]), json!(2)] {
            assert!(boolean(&value).is_err(), "{value}");
        }
    }
}
