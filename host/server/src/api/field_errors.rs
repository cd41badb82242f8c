//! What is wrong with an input, field by field, nested as the fields are nested.

use serde_json::{Map, Value};

use crate::nearest::did_you_mean;

/// `{field: ["message", …]}`; a nested field is an object in its place.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct FieldErrors(Map<String, Value>);

impl FieldErrors {
    pub(super) fn of(field: &str, message: impl Into<String>) -> Self {
        let mut errors = Self::default();
        errors.add(field, message);
        errors
    }

    pub(super) fn add(&mut self, field: &str, message: impl Into<String>) {
        self.put(field, Fault::from(message.into()));
    }

    pub(super) fn put(&mut self, field: &str, fault: Fault) {
        let value = match fault {
            Fault::Says(messages) => messages.into(),
            Fault::Within(errors) => Value::Object(errors.0),
        };
        match (self.0.get_mut(field), value) {
            (Some(Value::Array(known)), Value::Array(more)) => known.extend(more),
            (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
            (_, value) => {
                self.0.insert(field.to_owned(), value);
            }
        }
    }

    /// Each member that is not known is named, with the nearest that is.
    pub(super) fn note_unknown(&mut self, members: &Map<String, Value>, known: &[&str]) {
        for name in members.keys() {
            if !known.contains(&name.as_str()) {
                let near = did_you_mean(name, known.iter().copied());
                self.add(name, format!("Unknown field.{near}"));
            }
        }
    }

    /// A message for what lies this deep: names and positions, from the input down.
    pub(super) fn add_at(&mut self, steps: &[impl AsRef<str>], message: String) {
        const WHOLE: &str = "non_field_errors";
        let Some((last, above)) = steps.split_last() else {
            return self.add(WHOLE, message);
        };
        let mut place = &mut self.0;
        for step in above {
            let slot = place
                .entry(step.as_ref())
                .or_insert_with(|| Value::Object(Map::new()));
            if !slot.is_object() {
                // What was said of the whole stands beside what is said of its parts.
                *slot = Value::Object(Map::from_iter([(WHOLE.to_owned(), slot.take())]));
            }
            match slot {
                Value::Object(inner) => place = inner,
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_) => return,
            }
        }
        if let Some(Value::Object(inner)) = place.get_mut(last.as_ref()) {
            return push(inner, WHOLE, message);
        }
        push(place, last.as_ref(), message);
    }

    /// What was read, or none with its fault noted.
    pub(super) fn note<T>(&mut self, field: &str, checked: Checked<T>) -> Option<T> {
        match checked {
            Ok(read) => Some(read),
            Err(fault) => {
                self.put(field, fault);
                None
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_map(self) -> Map<String, Value> {
        self.0
    }

    /// `value`, if nothing is wrong.
    pub(super) fn or<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

fn push(place: &mut Map<String, Value>, name: &str, message: String) {
    match place.get_mut(name) {
        Some(Value::Array(messages)) => messages.push(message.into()),
        Some(_) | None => {
            place.insert(name.to_owned(), vec![message].into());
        }
    }
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fault {
    Says(Vec<String>),
    Within(FieldErrors),
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self::Says(vec![message])
    }
}

impl From<&str> for Fault {
    fn from(message: &str) -> Self {
        Self::Says(vec![message.to_owned()])
    }
}

impl From<FieldErrors> for Fault {
    fn from(errors: FieldErrors) -> Self {
        Self::Within(errors)
    }
}

pub(super) type Checked<T> = Result<T, Fault>;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::FieldErrors;

    #[test]
    fn messages_nest_as_their_places_do() {
        let mut errors = FieldErrors::default();
        for (steps, message) in [
            (&["a", "x", "b"][..], "1"),
            (&["a", "x", "c"], "2"),
            (&["a", "x", "c"], "3"),
            (&["a", "x"], "4"),
            (&["d"], "5"),
            (&["d", "0"], "6"),
            (&[], "7"),
        ] {
            errors.add_at(steps, message.to_owned());
        }
        assert_eq!(
            Value::Object(errors.into_map()),
            json!({
                "a": {"x": {"b": ["1"], "c": ["2", "3"], "non_field_errors": ["4"]}},
                "d": {"non_field_errors": ["5"], "0": ["6"]},
                "non_field_errors": ["7"],
            })
        );
    }
}
