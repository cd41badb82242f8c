//! A JSON value laid out to be looked into: borrowed from its text where that is possible, with
//! numbers by their exact value and members in the order of their names, so that finding one
//! takes few steps however many there are. A name that stands twice counts as its last, as with
//! every parser.
//!
//! Beyond `serde_json`'s own values this keeps every digit, and its size is bounded.

use std::borrow::Cow;

use super::DEPTH_MAX;
use super::decimal::Decimal;

/// The most values that a tree holds, in all: each takes 32 bytes, a member 56. A payload of the
/// default length, 1 MiB, has fewer in any case.
pub const VALUES_MAX: usize = 1_000_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree<'a> {
    Null,
    Bool(bool),
    Number(Decimal<'a>),
    Text(Cow<'a, str>),
    List(Box<[Tree<'a>]>),
    /// By name, each once.
    Object(Box<[(Cow<'a, str>, Tree<'a>)]>),
}

impl<'a> Tree<'a> {
    /// None: it is no JSON, or holds more than [`VALUES_MAX`] values. `super::check` says what is
    /// wrong with a text; this only keeps from going on.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader {
            text: std::str::from_utf8(bytes).ok()?,
            at: 0,
            values: 0,
        };
        let tree = reader.value(0)?;
        reader.skip_space();
        (reader.at == bytes.len()).then_some(tree)
    }

    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        let place = members.binary_search_by(|(known, _)| (**known).cmp(name));
        place
            .ok()
            .and_then(|place| members.get(place))
            .map(|(_, value)| value)
    }

    /// As JSON, cut after about `chars_max` characters.
    #[must_use]
    pub fn show(&self, chars_max: usize) -> String {
        let mut shown = String::new();
        self.write(&mut shown, chars_max);
        if let Some((end, _)) = shown.char_indices().nth(chars_max) {
            shown.truncate(end);
            shown.push('…');
        }
        shown
    }

    fn write(&self, out: &mut String, enough: usize) {
        // What is cut off in the end need not be written first.
        if out.len() > 4 * enough {
            return;
        }
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::Text(text) => write_text(out, text, enough),
            Self::List(elements) => {
                out.push('[');
                for (place, element) in elements.iter().take(enough).enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    element.write(out, enough);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (place, (name, value)) in members.iter().take(enough).enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    write_text(out, name, enough);
                    out.push(':');
                    value.write(out, enough);
                }
                out.push('}');
            }
        }
    }
}

fn write_text(out: &mut String, text: &str, enough: usize) {
    let end = text
        .char_indices()
        .nth(enough)
        .map_or(text.len(), |(end, _)| end);
    out.push_str(&serde_json::Value::from(&text[..end]).to_string());
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: u32) -> Option<Tree<'a>> {
        self.values += 1;
        if self.values > VALUES_MAX {
            return None;
        }
        self.skip_space();
        match self.peek()? {
            b'"' => self.string().map(Tree::Text),
            b'[' if depth < DEPTH_MAX => self.list(depth + 1),
            b'{' if depth < DEPTH_MAX => self.object(depth + 1),
            b't' => self.word("true", Tree::Bool(true)),
            b'f' => self.word("false", Tree::Bool(false)),
            b'n' => self.word("null", Tree::Null),
            b'-' | b'0'..=b'9' => Some(self.number()),
            _ => None,
        }
    }

    fn list(&mut self, depth: u32) -> Option<Tree<'a>> {
        let mut elements = Vec::new();
        self.at += 1;
        if self.ends(b']') {
            return Some(Tree::List(Box::default()));
        }
        loop {
            elements.push(self.value(depth)?);
            if self.ends(b']') {
                return Some(Tree::List(elements.into_boxed_slice()));
            }
            self.take(b',')?;
        }
    }

    fn object(&mut self, depth: u32) -> Option<Tree<'a>> {
        let mut members = Vec::new();
        self.at += 1;
        if self.ends(b'}') {
            return Some(Tree::Object(Box::default()));
        }
        loop {
            self.skip_space();
            let name = self.string()?;
            self.skip_space();
            self.take(b':')?;
            members.push((name, self.value(depth)?));
            if self.ends(b'}') {
                return Some(Tree::Object(by_name(members).into_boxed_slice()));
            }
            self.take(b',')?;
        }
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        self.take(b'"')?;
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        loop {
            let rest = bytes.get(self.at..)?;
            self.at += rest.iter().position(|b| matches!(b, b'"' | b'\\'))?;
            if bytes[self.at] == b'"' {
                break;
            }
            escaped = true;
            // Whatever is escaped is no end of the string.
            self.at += 2;
        }
        let end = self.at;
        self.at += 1;
        if escaped {
            let quoted = self.text.get(start - 1..=end)?;
            serde_json::from_str(quoted).ok().map(Cow::Owned)
        } else {
            self.text.get(start..end).map(Cow::Borrowed)
        }
    }

    fn number(&mut self) -> Tree<'a> {
        let rest = &self.text[self.at..];
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        self.at += end;
        Tree::Number(Decimal::of(&rest[..end]))
    }

    fn word(&mut self, word: &str, tree: Tree<'a>) -> Option<Tree<'a>> {
        self.text[self.at..].starts_with(word).then(|| {
            self.at += word.len();
            tree
        })
    }

    /// Whether this closes the container; then it is read.
    fn ends(&mut self, closing: u8) -> bool {
        self.skip_space();
        self.take(closing).is_some()
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

fn by_name<'a>(mut members: Vec<(Cow<'a, str>, Tree<'a>)>) -> Vec<(Cow<'a, str>, Tree<'a>)> {
    if !members.is_sorted_by(|(one, _), (next, _)| one < next) {
        // Backwards, so that of equal names the last stands first and is the one that stays.
        members.reverse();
        members.sort_by(|(one, _), (other, _)| one.cmp(other));
        members.dedup_by(|(later, _), (kept, _)| later == kept);
    }
    members
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};
    use serde_json::Value;

    use super::{Tree, VALUES_MAX};

    /// Whether they hold the same; the tree may know numbers better.
    fn same(tree: &Tree<'_>, value: &Value) -> bool {
        match (tree, value) {
            (Tree::Null, Value::Null) => true,
            (Tree::Bool(one), Value::Bool(other)) => one == other,
            (Tree::Number(one), Value::Number(other)) => {
                one.to_string().parse::<f64>().ok() == other.as_f64()
            }
            (Tree::Text(one), Value::String(other)) => one == other,
            (Tree::List(one), Value::Array(other)) => {
                one.len() == other.len()
                    && one.iter().zip(other).all(|(one, other)| same(one, other))
            }
            (Tree::Object(one), Value::Object(other)) => {
                one.len() == other.len()
                    && other.iter().all(|(name, value)| {
                        tree.member(name).is_some_and(|member| same(member, value))
                    })
            }
            _ => false,
        }
    }

    #[test]
    fn what_is_read_is_what_serde_json_reads() {
        for text in [
            "null",
            " [ ] ",
            "{}",
            r#"{"b": 1, "a": [true, false, {"": null}], "b": 2, "a\u0062": "\ud83d\ude00\n\"\\"}"#,
            r#"{"z":1,"y":2,"x":3,"y":{"z":[]}}"#,
            r#"["\\", "\"", "", "ü"]"#,
            "-12.5e3",
            "[1,2,3]",
        ] {
            let tree = Tree::of(text.as_bytes()).unwrap();
            assert!(
                same(&tree, &serde_json::from_str(text).unwrap()),
                "{text}: {tree:?}"
            );
            let shown = tree.show(1_000);
            assert!(
                same(&tree, &serde_json::from_str(&shown).unwrap()),
                "{shown}"
            );
        }
    }

    #[test]
    fn what_is_too_much_is_refused_and_what_is_long_is_cut_when_shown() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(Tree::of(deep(127).as_bytes()).is_some());
        assert!(Tree::of(deep(128).as_bytes()).is_none());
        assert!(Tree::of(deep(100_000).as_bytes()).is_none());
        let many = |values: usize| format!("[{}0]", "0,".repeat(values - 2));
        assert!(Tree::of(many(VALUES_MAX).as_bytes()).is_some());
        assert!(Tree::of(many(VALUES_MAX + 1).as_bytes()).is_none());
        let long = many(10_000);
        assert_eq!(Tree::of(long.as_bytes()).unwrap().show(5), "[0,0,…");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Tree::of(&bytes);
        }

        /// Letters of JSON, so that it is met now and then.
        #[test]
        fn whatever_is_json_is_read(text in "[\\[\\]{}:,\" 01.e\\-truenlf\\\\]{0,24}") {
            let json = super::super::check(text.as_bytes()).is_ok();
            let tree = Tree::of(text.as_bytes());
            if json {
                let value: Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(tree.map(|tree| same(&tree, &value)), Some(true));
            }
        }
    }
}
