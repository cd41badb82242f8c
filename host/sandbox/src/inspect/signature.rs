//! What functions take and give, as WIT writes it, and where two of them first differ.
//!
//! wasmtime tells a wrong signature by the place in its own type checker ("expected 3-tuple");
//! whoever wrote the plugin knows WIT.

use std::fmt;

/// The longest text that one signature is shown as.
const TEXT_CHARS_MAX: usize = 600;

/// Of one function.
#[derive(Clone, Debug)]
pub(super) struct Signature {
    pub(super) params: Vec<(String, Type)>,
    pub(super) result: Option<Type>,
}

#[derive(Clone, Debug)]
pub(super) struct Type {
    /// What the contract calls it; none: it is told by its parts.
    pub(super) name: Option<String>,
    pub(super) shape: Shape,
}

#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// `bool`, `string` …, and the words for what no function of the contract has.
    Plain(&'static str),
    /// Of a record, variant, enum or flags, by that word: its parts.
    Named(&'static str, Vec<(String, Option<Type>)>),
    /// A list, option, tuple or result, by that word; none: `_`.
    Built(&'static str, Vec<Option<Type>>),
}

impl Signature {
    /// In words; none if they are the same. What parameters are called makes no difference.
    pub(super) fn difference(&self, has: &Self) -> Option<String> {
        if self.params.len() != has.params.len() {
            let (due, has) = (self.params.len(), has.params.len());
            return Some(format!("it takes {has} parameters in place of {due}"));
        }
        let pairs = self.params.iter().zip(&has.params);
        let mut params = pairs.filter_map(|((name, due), (_, has))| {
            due.difference(has, &format!("its parameter `{name}`"))
        });
        params.next().or_else(|| {
            let (due, has) = (self.result.as_ref(), has.result.as_ref());
            difference(due, has, "what it gives")
        })
    }

    /// `transform: func(event: event) -> string`, cut off where it gets too long to read.
    pub(super) fn of(&self, function: &str) -> String {
        let params = self.params.iter().map(|(name, ty)| format!("{name}: {ty}"));
        let params: Vec<String> = params.collect();
        let mut text = format!("{function}: func({})", params.join(", "));
        if let Some(result) = &self.result {
            text += &format!(" -> {result}");
        }
        match text.char_indices().nth(TEXT_CHARS_MAX) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}

impl Type {
    /// Whether it is worth looking at its parts.
    pub(super) fn resembles(&self, other: &Self) -> bool {
        match (&self.shape, &other.shape) {
            (Shape::Plain(one), Shape::Plain(other)) => one == other,
            (Shape::Named(one, parts), Shape::Named(other, others)) => {
                one == other && parts.len() == others.len()
            }
            (Shape::Built(one, types), Shape::Built(other, others)) => {
                one == other && types.len() == others.len()
            }
            (Shape::Plain(_) | Shape::Named(..) | Shape::Built(..), _) => false,
        }
    }

    /// `place` is what the difference is told of.
    pub(super) fn difference(&self, has: &Self, place: &str) -> Option<String> {
        match (&self.shape, &has.shape) {
            (Shape::Plain(due), Shape::Plain(has)) if due == has => None,
            (Shape::Named(due, parts), Shape::Named(has, its)) if due == has => {
                let owner = match &self.name {
                    Some(name) => format!("the {due} `{name}`"),
                    None => place.to_owned(),
                };
                part_difference(parts, its, part_word(due), &owner)
            }
            (Shape::Built(due, types), Shape::Built(has, its))
                if due == has && types.len() == its.len() =>
            {
                let place = format!("what is in the {due} of {place}");
                let mut pairs = types.iter().zip(its);
                pairs.find_map(|(due, has)| difference(due.as_ref(), has.as_ref(), &place))
            }
            (Shape::Plain(_) | Shape::Named(..) | Shape::Built(..), _) => {
                Some(format!("{place} is `{has}` in place of `{self}`"))
            }
        }
    }
}

fn difference(due: Option<&Type>, has: Option<&Type>, place: &str) -> Option<String> {
    match (due, has) {
        (None, None) => None,
        (Some(due), Some(has)) => due.difference(has, place),
        (Some(due), None) => Some(format!("{place} is missing, `{due}` is due")),
        (None, Some(has)) => Some(format!("{place} is `{has}`, and there is none to be")),
    }
}

fn part_word(kind: &str) -> &'static str {
    match kind {
        "record" => "field",
        "flags" => "flag",
        _ => "case",
    }
}

fn part_difference(
    due: &[(String, Option<Type>)],
    has: &[(String, Option<Type>)],
    word: &str,
    owner: &str,
) -> Option<String> {
    let lacks =
        |parts: &[(String, Option<Type>)], name: &str| parts.iter().all(|(other, _)| other != name);
    if let Some(part) = due.iter().find(|(name, _)| lacks(has, name)) {
        return Some(format!("the {word} `{}` of {owner} is missing", Part(part)));
    }
    if let Some(part) = has.iter().find(|(name, _)| lacks(due, name)) {
        let part = Part(part);
        return Some(format!(
            "the {word} `{part}` of {owner} is not in the contract"
        ));
    }
    let mut pairs = due.iter().zip(has);
    if due.len() != has.len() || pairs.any(|((due, _), (has, _))| due != has) {
        return Some(format!("the {word}s of {owner} are in another order"));
    }
    due.iter().zip(has).find_map(|((name, due), (_, has))| {
        let place = format!("the {word} `{name}` of {owner}");
        difference(due.as_ref(), has.as_ref(), &place)
    })
}

/// `name: type`, or the name of one without.
struct Part<'a>(&'a (String, Option<Type>));

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            (name, Some(ty)) => write!(f, "{name}: {ty}"),
            (name, None) => f.write_str(name),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            return f.write_str(name);
        }
        match &self.shape {
            Shape::Plain(word) => f.write_str(word),
            Shape::Named(word, parts) => {
                write!(f, "{word} {{ ")?;
                for (number, part) in parts.iter().enumerate() {
                    let comma = if number == 0 { "" } else { ", " };
                    write!(f, "{comma}{}", Part(part))?;
                }
                f.write_str(" }")
            }
            Shape::Built(word, types) => {
                write!(f, "{word}<")?;
                for (number, ty) in types.iter().enumerate() {
                    let comma = if number == 0 { "" } else { ", " };
                    match ty {
                        Some(ty) => write!(f, "{comma}{ty}")?,
                        None => write!(f, "{comma}_")?,
                    }
                }
                f.write_str(">")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Shape, Signature, Type};

    fn plain(word: &'static str) -> Type {
        let shape = Shape::Plain(word);
        Type { name: None, shape }
    }

    fn record(fields: &[(&str, &'static str)]) -> Type {
        let fields = fields
            .iter()
            .map(|(name, ty)| ((*name).to_owned(), Some(plain(ty))));
        Type {
            name: None,
            shape: Shape::Named("record", fields.collect()),
        }
    }

    fn named(name: &str, ty: Type) -> Type {
        Type {
            name: Some(name.to_owned()),
            ..ty
        }
    }

    fn of(kind: &'static str, types: Vec<Option<Type>>) -> Type {
        Type {
            name: None,
            shape: Shape::Built(kind, types),
        }
    }

    fn takes(ty: Type) -> Signature {
        Signature {
            params: vec![("it".to_owned(), ty)],
            result: None,
        }
    }

    #[test]
    fn the_first_difference_is_told_by_its_place() {
        let due = || named("pair", record(&[("a", "string"), ("b", "u64")]));
        let cases = [
            (
                due(),
                plain("string"),
                "its parameter `it` is `string` in place of `pair`",
            ),
            (
                due(),
                record(&[("a", "string")]),
                "the field `b: u64` of the record `pair` is missing",
            ),
            (
                due(),
                record(&[("a", "string"), ("b", "u64"), ("c", "bool")]),
                "the field `c: bool` of the record `pair` is not in the contract",
            ),
            (
                due(),
                record(&[("b", "u64"), ("a", "string")]),
                "the fields of the record `pair` are in another order",
            ),
            (
                due(),
                record(&[("a", "string"), ("b", "u32")]),
                "the field `b` of the record `pair` is `u32` in place of `u64`",
            ),
            (
                of("list", vec![Some(due())]),
                of("list", vec![Some(plain("u8"))]),
                "what is in the list of its parameter `it` is `u8` in place of `pair`",
            ),
            (
                of("result", vec![Some(plain("u8")), None]),
                of("result", vec![Some(plain("u8")), Some(plain("u8"))]),
                "what is in the result of its parameter `it` is `u8`, and there is none to be",
            ),
        ];
        for (due, has, words) in cases {
            let told = takes(due).difference(&takes(has));
            assert_eq!(told.as_deref(), Some(words));
        }
        assert_eq!(takes(due()).difference(&takes(due())), None);
    }

    #[test]
    fn a_signature_reads_as_wit_and_has_an_end() {
        let result = of("result", vec![Some(named("outcome", record(&[]))), None]);
        let signature = Signature {
            params: vec![("event".to_owned(), record(&[("id", "string")]))],
            result: Some(result),
        };
        assert_eq!(
            signature.of("transform"),
            "transform: func(event: record { id: string }) -> result<outcome, _>"
        );
        let long = takes(plain("ä")).of(&"ä".repeat(10_000));
        assert_eq!(long.chars().count(), super::TEXT_CHARS_MAX + 1);
    }
}
