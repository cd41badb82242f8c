//! Where something is in a JSON document: `customer.email`, `items[*].price`, `lines[0]`,
//! `*.secret`, `["odd.name"]`. The grammar is that of the SDK's paths, so that a condition means
//! the same in a hook as in a plugin's configuration.
//!
//! Following a path takes a bounded number of steps whatever the document is: one of a few steps,
//! few of which spread, and [`PLACES_MAX`] places at most.

use std::fmt;

use super::tree::Tree;

pub const PATH_BYTES_MAX: usize = 512;
const STEPS_MAX: usize = 16;
/// Steps that lead to several places: with each the places multiply.
const SPREADING_MAX: usize = 2;
/// Where a path leads to more places than this, the rest is not looked at.
pub const PLACES_MAX: usize = 1_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// `name` or `["name"]`
    Member(String),
    /// `[3]`
    Element(usize),
    /// `[*]`: every element of a list
    Elements,
    /// `*`: every member of an object, every element of a list
    All,
}

impl Path {
    /// # Errors
    /// A sentence that says what is wrong and how a path looks.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > PATH_BYTES_MAX {
            return Err(format!(
                "Ensure this path has no more than {PATH_BYTES_MAX} bytes."
            ));
        }
        let steps = steps(text).map_err(|what| {
            format!("Not a path: {what}. Paths are customer.country, items[*].sku, lines[0], [\"odd.name\"].")
        })?;
        let spreading = steps
            .iter()
            .filter(|step| matches!(step, Step::Elements | Step::All));
        if spreading.count() > SPREADING_MAX {
            return Err(format!(
                "Ensure this path has no more than {SPREADING_MAX} of * and [*]."
            ));
        }
        Ok(Self { steps })
    }

    /// The values that it leads to, [`PLACES_MAX`] at most.
    #[must_use]
    pub fn find<'t, 'a>(&self, root: &'t Tree<'a>) -> Vec<&'t Tree<'a>> {
        let mut places = vec![root];
        for step in &self.steps {
            places = match step {
                Step::Member(name) => places
                    .iter()
                    .filter_map(|place| place.member(name))
                    .collect(),
                Step::Element(position) => places
                    .iter()
                    .filter_map(|place| match place {
                        Tree::List(elements) => elements.get(*position),
                        Tree::Null
                        | Tree::Bool(_)
                        | Tree::Number(_)
                        | Tree::Text(_)
                        | Tree::Object(_) => None,
                    })
                    .collect(),
                Step::Elements => spread(&places, false),
                Step::All => spread(&places, true),
            };
            if places.is_empty() {
                break;
            }
        }
        places
    }
}

fn spread<'t, 'a>(places: &[&'t Tree<'a>], members_too: bool) -> Vec<&'t Tree<'a>> {
    let mut found = Vec::new();
    for place in places {
        let room = PLACES_MAX - found.len();
        match place {
            Tree::List(elements) => found.extend(elements.iter().take(room)),
            Tree::Object(members) if members_too => {
                found.extend(members.iter().map(|(_, value)| value).take(room));
            }
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::Object(_) => {}
        }
    }
    found
}

fn steps(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = text;
    loop {
        let (step, after) = match rest.strip_prefix('[') {
            Some(inside) => bracketed(inside)?,
            None => {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                let step = match &rest[..end] {
                    "" => return Err("a name is missing".to_owned()),
                    "*" => Step::All,
                    name => Step::Member(name.to_owned()),
                };
                (step, &rest[end..])
            }
        };
        steps.push(step);
        if steps.len() > STEPS_MAX {
            return Err(format!("it has more than {STEPS_MAX} steps"));
        }
        rest = match after.strip_prefix('.') {
            Some(more) if more.starts_with('[') => {
                return Err("no dot stands before \"[\"".to_owned());
            }
            Some(more) => more,
            None if after.is_empty() => return Ok(steps),
            None if after.starts_with('[') => after,
            None => return Err("after \"]\" comes \".\" or \"[\"".to_owned()),
        };
    }
}

/// One step in brackets; `inside` begins after the opening one. Answers what follows too.
fn bracketed(inside: &str) -> Result<(Step, &str), String> {
    if inside.starts_with('"') {
        let mut strings = serde_json::Deserializer::from_str(inside).into_iter::<String>();
        let Some(Ok(name)) = strings.next() else {
            return Err("the quoted name does not end".to_owned());
        };
        let after = inside.get(strings.byte_offset()..).unwrap_or("");
        let after = after.strip_prefix(']').ok_or("\"]\" is missing")?;
        return Ok((Step::Member(name), after));
    }
    let (text, after) = inside.split_once(']').ok_or("\"]\" is missing")?;
    if text == "*" {
        return Ok((Step::Elements, after));
    }
    let position = text
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok());
    let position = position
        .flatten()
        .ok_or("brackets hold a position, * or a quoted name")?;
    Ok((Step::Element(position), after))
}

impl fmt::Display for Path {
    /// As it was written, or another spelling of the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.steps.iter().enumerate() {
            let dot = if place == 0 { "" } else { "." };
            match step {
                Step::Member(name)
                    if name.is_empty() || name == "*" || name.contains(['.', '[']) =>
                {
                    write!(f, "[{}]", serde_json::Value::from(name.as_str()))?;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::{PLACES_MAX, Path};
    use crate::json::Tree;

    const ORDER: &str = r#"{"customer": {"country": "DE", "odd.name": 1, "": 2, "*": 3},
        "lines": [[1, 2], [3]], "items": [{"sku": "a"}, {"sku": "b"}, 5, {"none": 1}]}"#;

    fn found(path: &str) -> String {
        let tree = Tree::of(ORDER.as_bytes()).unwrap();
        let path = Path::parse(path).unwrap();
        path.find(&tree)
            .iter()
            .map(|place| place.show(100))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn a_path_leads_where_it_says() {
        for (path, expected) in [
            ("customer.country", "\"DE\""),
            ("customer[\"country\"]", "\"DE\""),
            ("customer[\"odd.name\"]", "1"),
            ("customer[\"\"]", "2"),
            ("customer[\"*\"]", "3"),
            ("customer.*", "2 3 \"DE\" 1"),
            ("items[*].sku", "\"a\" \"b\""),
            ("items.*.sku", "\"a\" \"b\""),
            ("items[1].sku", "\"b\""),
            ("items[9].sku", ""),
            ("lines[*][*]", "1 2 3"),
            ("lines[*][0]", "1 3"),
            ("customer[*]", ""),
            ("customer.country.more", ""),
            ("nothing", ""),
        ] {
            assert_eq!(found(path), expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        let long = "a.".repeat(16) + "a";
        for (path, word) in [
            ("", "missing"),
            (".", "missing"),
            ("a.", "missing"),
            ("a..b", "missing"),
            ("a.[0]", "dot"),
            ("a[", "\"]\""),
            ("a[]", "brackets"),
            ("a[x]", "brackets"),
            ("a[-1]", "brackets"),
            ("a[+1]", "brackets"),
            ("a[99999999999999999999999]", "brackets"),
            ("a[0]b", "after"),
            ("[\"a]", "end"),
            ("[\"a\"", "]"),
            (&long, "steps"),
            ("*.*.*", "no more than 2"),
            (&"a".repeat(513), "512"),
        ] {
            let why = Path::parse(path).unwrap_err();
            assert!(why.contains(word), "{path}: {why}");
        }
    }

    #[test]
    fn a_path_leads_to_a_bounded_number_of_places() {
        let many = format!("[{}0]", "[0,0,0],".repeat(PLACES_MAX));
        let tree = Tree::of(many.as_bytes()).unwrap();
        for path in ["[*]", "*", "[*][*]"] {
            assert_eq!(
                Path::parse(path).unwrap().find(&tree).len(),
                PLACES_MAX,
                "{path}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_shown_so_that_it_reads_the_same(text in "[a.*\\[\\]\"0-9 \\\\ü]{0,16}") {
            if let Ok(path) = Path::parse(&text) {
                prop_assert_eq!(Path::parse(&path.to_string()), Ok(path));
            }
        }
    }
}
