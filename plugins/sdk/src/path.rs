//! Where something is in a JSON document: `customer.email`, `items[*].price`, `lines[0]`,
//! `*.secret`, `["odd.name"]`.
//!
//! The grammar is small so that whoever writes a configuration needs no manual: members joined
//! by dots, list positions in brackets, `*` for all. A list is gone through by `[*]` or `*`.

use std::fmt;

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// The most steps that a path may have.
const STEPS_MAX: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// `name` or `["name"]`
    Member(String),
    /// `[3]`
    Element(usize),
    /// `[*]`: every element of a list
    Elements,
    /// `*`: every member of an object, every element of a list
    All,
}

impl JsonSchema for Path {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Path".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "maxLength": 512,
            "description": "customer.email, items[*].price, lines[0], *.secret, [\"odd.name\"]",
        })
    }
}

impl fmt::Display for Path {
    /// As it was written, or another spelling of the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.steps.iter().enumerate() {
            let dot = if place == 0 { "" } else { "." };
            match step {
                Step::Member(name)
                    if name.is_empty() || name.contains(['.', '[', ']', '"', '*']) =>
                {
                    write!(f, "[{name:?}]")?;
                }
                Step::Member(name) => write!(f, "{dot}{name}")?,
                Step::Element(position) => write!(f, "[{position}]")?,
                Step::Elements => f.write_str("[*]")?,
                Step::All => write!(f, "{dot}*")?,
            }
        }
        Ok(())
    }
}

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathError(String);

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PathError {}

impl Path {
    /// # Errors
    /// A sentence that names the path and the place.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let wrong = |what: &str| PathError(format!("{text:?} is not a path: {what}"));
        let mut steps = Vec::new();
        let mut rest = text;
        loop {
            let (step, after) = if let Some(inside) = rest.strip_prefix('[') {
                bracketed(inside).map_err(wrong)?
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                let step = match &rest[..end] {
                    "" => return Err(wrong("a name is missing")),
                    "*" => Step::All,
                    name => Step::Member(name.to_owned()),
                };
                (step, &rest[end..])
            };
            steps.push(step);
            if steps.len() > STEPS_MAX {
                return Err(wrong("it has more than 32 steps"));
            }
            rest = match after.strip_prefix('.') {
                Some(more) if more.starts_with('[') => return Err(wrong("\".[\"")),
                Some(more) => more,
                None if after.is_empty() => return Ok(Self { steps }),
                None if after.starts_with('[') => after,
                None => return Err(wrong("after \"]\" comes \".\" or \"[\"")),
            };
        }
    }
}

/// One step in brackets; `inside` begins after the opening one. Answers what follows too.
fn bracketed(inside: &str) -> Result<(Step, &str), &'static str> {
    if inside.starts_with('"') {
        let mut strings = serde_json::Deserializer::from_str(inside).into_iter::<String>();
        let Some(Ok(name)) = strings.next() else {
            return Err("the quoted name does not end");
        };
        let after = &inside[strings.byte_offset()..];
        let after = after.strip_prefix(']').ok_or("\"]\" is missing")?;
        return Ok((Step::Member(name), after));
    }
    let (text, after) = inside.split_once(']').ok_or("\"]\" is missing")?;
    if text == "*" {
        return Ok((Step::Elements, after));
    }
    let number = text
        .parse()
        .map_err(|_| "brackets hold a position, * or a quoted name")?;
    Ok((Step::Element(number), after))
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Path, Step};

    #[test]
    fn paths_are_read_step_by_step() {
        let member = |name: &str| Step::Member(name.to_owned());
        let cases = [
            ("customer.email", vec![member("customer"), member("email")]),
            (
                "items[*].price",
                vec![member("items"), Step::Elements, member("price")],
            ),
            ("[0][1]", vec![Step::Element(0), Step::Element(1)]),
            ("*.secret", vec![Step::All, member("secret")]),
            (r#"["a.b[\"]"].c"#, vec![member("a.b[\"]"), member("c")]),
        ];
        for (text, steps) in cases {
            assert_eq!(Path::parse(text), Ok(Path { steps }), "{text}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused_by_name() {
        let long = "a.".repeat(40) + "a";
        let wrong = [
            "", ".", "a.", ".a", "a..b", "a[", "a[]", "a[x]", "a[-1]", "a[0]b", "a.[0]", "[\"a]",
            "[\"a\"", &long,
        ];
        for text in wrong {
            let why = Path::parse(text).unwrap_err().to_string();
            assert!(why.contains("is not a path"), "{text}: {why}");
        }
    }
}
