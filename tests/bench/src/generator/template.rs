//! A text with holes, cut at them once and filled in for every event: what is rendered again and
//! again is copied, never formatted as a whole.

use std::io::Write as _;

use anyhow::bail;

use crate::stamp::Stamp;

/// What comes into a body.
#[derive(Clone, Copy)]
pub(crate) struct Fill {
    pub(crate) stamp: Stamp,
}

/// The event types of a load.
#[derive(Clone, Debug)]
pub(crate) enum Types {
    One(String),
    /// `stem` and the rest of the event's number, of so many.
    Many {
        stem: String,
        count: u32,
    },
}

impl Types {
    /// The type of the event with this number.
    pub(crate) fn of(&self, number: u64) -> String {
        match self {
            Self::One(name) => name.clone(),
            Self::Many { stem, count } => format!("{stem}{}", number % u64::from(*count)),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Text(Vec<u8>),
    Id(String),
    Stamp,
    Type(Types),
}

const KNOWN: &str = "{id}, {type} and {payload}";

impl Template {
    /// `stem`: what ids begin with, so that no two loads have one in common. `rest`: the payload
    /// behind the stamp, which is the first thing in it.
    ///
    /// # Errors
    /// The text names something else.
    pub(crate) fn new(text: &str, stem: &str, types: &Types, rest: &str) -> anyhow::Result<Self> {
        let mut pieces = Vec::new();
        for cut in cut(text) {
            match cut {
                Cut::Text(text) => pieces.push(Piece::Text(text.as_bytes().to_vec())),
                Cut::Name("id") => pieces.push(Piece::Id(format!("{stem}-"))),
                Cut::Name("type") => pieces.push(Piece::Type(types.clone())),
                Cut::Name("payload") => {
                    pieces.push(Piece::Text(b"{".to_vec()));
                    pieces.push(Piece::Stamp);
                    pieces.push(Piece::Text(rest.as_bytes().to_vec()));
                }
                Cut::Name(other) => bail!("{{{other}}} is not known here; it may name {KNOWN}"),
            }
        }
        if !pieces.iter().any(|it| matches!(it, Piece::Stamp)) {
            bail!("{{payload}} does not stand in it, by which the receiver knows an event again");
        }
        Ok(Self(pieces))
    }

    pub(crate) fn fill(&self, fill: Fill) -> Vec<u8> {
        let number = fill.stamp.number;
        let mut text = Vec::with_capacity(self.length());
        for piece in &self.0 {
            // Writing into a vector does not fail.
            let _ = match piece {
                Piece::Text(piece) => text.write_all(piece),
                Piece::Id(stem) => write!(text, "{stem}{number}"),
                Piece::Stamp => {
                    fill.stamp.write(&mut text);
                    Ok(())
                }
                Piece::Type(Types::One(name)) => text.write_all(name.as_bytes()),
                Piece::Type(Types::Many { stem, count }) => {
                    write!(text, "{stem}{}", number % u64::from(*count))
                }
            };
        }
        text
    }

    /// About how long it is when it is filled.
    fn length(&self) -> usize {
        let lengths = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Id(stem) => stem.len() + 20,
            Piece::Stamp => 64,
            Piece::Type(Types::One(name)) => name.len(),
            Piece::Type(Types::Many { stem, .. }) => stem.len() + 20,
        });
        lengths.sum()
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cut<'a> {
    Text(&'a str),
    /// `{name}`: lower case letters and `_`, so that no other brace of JSON looks like one.
    Name(&'a str),
}

pub(crate) fn cut(text: &str) -> Vec<Cut<'_>> {
    let (mut cuts, mut from, mut at) = (Vec::new(), 0, 0);
    while let Some(brace) = text[at..].find('{') {
        let open = at + brace;
        let name = &text[open + 1..];
        let length = name.find(|it: char| it != '_' && !it.is_ascii_lowercase());
        let length = length.unwrap_or(name.len());
        at = open + 1;
        if length > 0 && name[length..].starts_with('}') {
            if open > from {
                cuts.push(Cut::Text(&text[from..open]));
            }
            cuts.push(Cut::Name(&name[..length]));
            at += length + 1;
            from = at;
        }
    }
    if from < text.len() {
        cuts.push(Cut::Text(&text[from..]));
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::{Cut, Fill, Template, Types, cut};
    use crate::stamp::Stamp;

    #[test]
    fn only_names_in_braces_are_holes() {
        let text = r#"{"a":{payload},"b":{},"c":{"{Upper}{id}"}"#;
        let expected = [
            Cut::Text(r#"{"a":"#),
            Cut::Name("payload"),
            Cut::Text(r#","b":{},"c":{"{Upper}"#),
            Cut::Name("id"),
            Cut::Text(r#""}"#),
        ];
        assert_eq!(cut(text), expected);
        assert_eq!(cut("{id"), [Cut::Text("{id")]);
        assert_eq!(cut(""), []);
    }

    #[test]
    fn a_body_is_what_its_template_says() {
        let text = r#"{"id":"{id}","type":"{type}","payload":{payload}}"#;
        let types = Types::Many {
            stem: "bench.n".to_owned(),
            count: 10,
        };
        let template = Template::new(text, "run7", &types, r#""pad":""}"#).unwrap();
        let stamp = Stamp {
            due_us: 5,
            number: 123,
        };
        let body = String::from_utf8(template.fill(Fill { stamp })).unwrap();
        let expected =
            r#"{"id":"run7-123","type":"bench.n3","payload":{"due_us":5,"number":123,"pad":""}}"#;
        assert_eq!(body, expected);
    }

    #[test]
    fn a_template_that_could_not_be_counted_is_refused() {
        let types = Types::One("a".to_owned());
        let why = |text: &str| {
            Template::new(text, "", &types, "}")
                .unwrap_err()
                .to_string()
        };
        assert!(why("{payload}{paylod}").contains("{paylod}"));
        assert!(why(r#"{"type":"{type}"}"#).contains("{payload}"));
    }
}
