//! Text with places for values: `Order {number} of {customer.name}`.
//!
//! `{path}` stands for a value of the payload, `{@type}` and `{@id}` for the event's own, and
//! `{{` and `}}` for braces.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::Path;
use crate::wire::bindings::whisperer::plugin::types::Event;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    /// `{@type}`
    Type,
    /// `{@id}`
    Id,
    /// `{path}`
    Value(Path),
}

impl Template {
    /// # Errors
    /// A sentence that names the place.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(place) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(place);
            plain.push_str(before);
            if from.starts_with("{{") || from.starts_with("}}") {
                plain.push_str(&from[..1]);
                rest = &from[2..];
                continue;
            }
            let Some((name, after)) = from.strip_prefix('{').and_then(|it| it.split_once('}'))
            else {
                return Err(format!(
                    "template: the brace at byte {} has no partner; write {{{{ or }}}} for the character",
                    text.len() - from.len()
                ));
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(match name {
                "@type" => Piece::Type,
                "@id" => Piece::Id,
                path => Piece::Value(Path::parse(path).map_err(|why| format!("template: {why}"))?),
            });
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self { pieces })
    }

    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The text, with what `value` finds at each path.
    ///
    /// # Errors
    /// The first path at which it finds nothing.
    pub fn fill<'path>(
        &'path self,
        event: &Event,
        mut value: impl FnMut(&Path) -> Option<String>,
    ) -> Result<String, &'path Path> {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Type => out.push_str(&event.event_type),
                Piece::Id => out.push_str(&event.id),
                Piece::Value(path) => out.push_str(&value(path).ok_or(path)?),
            }
        }
        Ok(out)
    }
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl JsonSchema for Template {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": 3000,
            "description": "Text; {path} for values of the payload, {@type} and {@id} for the event's own, {{ and }} for braces",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Piece, Template};
    use crate::Event;

    #[test]
    fn values_stand_in_their_places() {
        let event = Event::sample("package.created", br#"{"a": {"b": "x"}, "n": 1.50}"#);
        let fill = |text: &str| {
            let template = Template::parse(text).unwrap();
            template
                .fill(&event, |path| event.text_at(path))
                .map_err(ToString::to_string)
        };
        assert_eq!(
            fill("{a.b} at {n}, {{{@type}}}").unwrap(),
            "x at 1.50, {package.created}"
        );
        assert_eq!(fill("").unwrap(), "");
        assert_eq!(fill("{a.c}").unwrap_err(), "a.c");
    }

    #[test]
    fn what_is_no_template_is_refused_by_its_place() {
        for (text, word) in [("a {b", "byte 2"), ("a } b", "byte 2"), ("{a..b}", "a..b")] {
            let why = Template::parse(text).unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
        }
        assert!(matches!(
            Template::parse("{a}").unwrap().pieces(),
            [Piece::Value(_)]
        ));
    }
}
