//! What is wrong with an input, field by field, nested as the fields are nested.

use serde_json::{Map, Value};

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
