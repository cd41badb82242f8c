//! The scan of JSON beside a model that takes the slow way, through values: whatever the
//! document, its white space and its escapes, both find and change the same; and what one calls
//! no JSON is none for the other.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use whisperer_sdk::Path;
use whisperer_sdk::json::{Edit, find, rewrite};

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Member(&'static str),
    Element(usize),
    Elements,
    All,
}

fn path_of(steps: &[Step]) -> Path {
    let text: Vec<String> = steps
        .iter()
        .map(|step| match step {
            Step::Member(name) => format!("[{}]", json!(name)),
            Step::Element(position) => format!("[{position}]"),
            Step::Elements => "[*]".to_owned(),
            Step::All => ".*".to_owned(),
        })
        .collect();
    Path::parse(text.concat().trim_start_matches('.')).unwrap()
}

/// What is left of the paths that lead to this child.
fn further<'a>(paths: &[&'a [Step]], fits: impl Fn(&Step) -> bool) -> Vec<&'a [Step]> {
    let split = paths.iter().filter_map(|path| path.split_first());
    split
        .filter(|(step, _)| **step == Step::All || fits(step))
        .map(|(_, rest)| rest)
        .collect()
}

/// The value after the edits; none: it is removed. What was found goes into `found`.
fn model(value: &Value, paths: &[&[Step]], edit: &Edit, found: &mut Vec<Value>) -> Option<Value> {
    if paths.iter().any(|path| path.is_empty()) {
        found.push(value.clone());
        return match edit {
            Edit::Keep => Some(value.clone()),
            Edit::Replace(new) => Some(serde_json::from_str(new).unwrap()),
            Edit::Remove => None,
        };
    }
    Some(match value {
        Value::Object(members) => {
            let mut kept = Map::new();
            for (name, member) in members {
                let further = further(paths, |step| matches!(step, Step::Member(n) if n == name));
                if let Some(member) = model(member, &further, edit, found) {
                    kept.insert(name.clone(), member);
                }
            }
            kept.into()
        }
        Value::Array(elements) => {
            let mut kept = Vec::new();
            for (position, element) in elements.iter().enumerate() {
                let further = further(paths, |step| {
                    matches!(step, Step::Elements) || *step == Step::Element(position)
                });
                kept.extend(model(element, &further, edit, found));
            }
            kept.into()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    })
}

const NAMES: [&str; 4] = ["a", "b", "é\"\\", "a long name, more than 8 bytes"];

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => select(NAMES.to_vec()).prop_map(Step::Member),
        1 => (0_usize..3).prop_map(Step::Element),
        1 => Just(Step::Elements),
        1 => Just(Step::All),
    ];
    vec(step, 1..4)
}

fn any_document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        // Such as are read again as the same number.
        any::<i16>().prop_map(|n| json!(f64::from(n) / 4.0)),
        Just(json!(1e22)),
        "[ -~é\u{1F600}\n\"\\\\]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let members = vec((select(NAMES.to_vec()), inner.clone()), 0..5);
        prop_oneof![
            vec(inner, 0..5).prop_map(Value::from),
            members.prop_map(|members| {
                let members = members.into_iter().map(|(name, it)| (name.to_owned(), it));
                Value::Object(members.collect())
            }),
        ]
    })
}

/// Written with white space and escapes as `chance` has them.
fn written(value: &Value, chance: &mut impl Iterator<Item = u8>, out: &mut String) {
    let blank = |out: &mut String, chance: &mut dyn Iterator<Item = u8>| {
        let blanks = ["", "", "", " ", "\n", "\t\r ", "          "];
        out.push_str(blanks[usize::from(chance.next().unwrap()) % blanks.len()]);
    };
    blank(out, chance);
    match value {
        Value::Object(members) => {
            out.push('{');
            for (position, (name, member)) in members.iter().enumerate() {
                out.push_str(if position == 0 { "" } else { "," });
                blank(out, chance);
                match chance.next().unwrap() % 3 {
                    0 => {
                        let units = name.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
                        out.push_str(&format!("\"{}\"", units.collect::<String>()));
                    }
                    _ => out.push_str(&json!(name).to_string()),
                }
                blank(out, chance);
                out.push(':');
                written(member, chance, out);
            }
            blank(out, chance);
            out.push('}');
        }
        Value::Array(elements) => {
            out.push('[');
            for (position, element) in elements.iter().enumerate() {
                out.push_str(if position == 0 { "" } else { "," });
                written(element, chance, out);
            }
            blank(out, chance);
            out.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push_str(&value.to_string());
        }
    }
    blank(out, chance);
}

fn text_of(document: &Value, chance: &[u8]) -> String {
    let mut out = String::new();
    written(document, &mut chance.iter().copied().cycle(), &mut out);
    out
}

proptest! {
    #[test]
    fn what_is_found_and_made_is_what_the_model_finds_and_makes(
        document in any_document(),
        chance in vec(any::<u8>(), 1..40),
        steps in vec(any_steps(), 0..4),
        edit in select(vec![Edit::Keep, Edit::Replace("{\"n\":0}".to_owned()), Edit::Remove]),
    ) {
        let text = text_of(&document, &chance);
        let paths: Vec<Path> = steps.iter().map(|steps| path_of(steps)).collect();
        let slices: Vec<&[Step]> = steps.iter().map(Vec::as_slice).collect();
        let mut found = Vec::new();
        let expected = model(&document, &slices, &edit, &mut found).unwrap();

        let mut asked = Vec::new();
        let made = rewrite(text.as_bytes(), &paths, |value| {
            asked.push(serde_json::from_str::<Value>(value).unwrap());
            edit.clone()
        }).unwrap();
        prop_assert_eq!(&asked, &found);
        prop_assert_eq!(made.is_none(), found.is_empty() || edit == Edit::Keep);
        if let Some(made) = made {
            prop_assert_eq!(serde_json::from_slice::<Value>(&made).unwrap(), expected);
        }
        for (path, steps) in paths.iter().zip(&slices) {
            let mut found = Vec::new();
            model(&document, &[steps], &Edit::Keep, &mut found);
            let values = find(text.as_bytes(), path).unwrap();
            let values: Vec<Value> = values.into_iter().map(|it| serde_json::from_str(it).unwrap()).collect();
            prop_assert_eq!(values, found);
        }
    }

    #[test]
    fn a_value_replaced_by_itself_leaves_every_byte(
        document in any_document(),
        chance in vec(any::<u8>(), 1..40),
        steps in vec(any_steps(), 1..4),
    ) {
        let text = text_of(&document, &chance);
        let paths: Vec<Path> = steps.iter().map(|steps| path_of(steps)).collect();
        let made = rewrite(text.as_bytes(), &paths, |value| Edit::Replace(value.to_owned())).unwrap();
        if let Some(made) = made {
            prop_assert_eq!(String::from_utf8(made).unwrap(), text.trim());
        }
    }

    #[test]
    fn what_is_no_json_for_the_parser_is_none_here(
        document in any_document(),
        chance in vec(any::<u8>(), 1..40),
        steps in any_steps(),
        damage in vec((any::<prop::sample::Index>(), select(b"{}[]\",:\\u0-1.eE+ \n\x00\x1f\xc3tn".to_vec()), 0..3), 1..4),
    ) {
        let mut text = text_of(&document, &chance).into_bytes();
        for (place, byte, kind) in damage {
            let at = place.index(text.len() + 1);
            match kind {
                0 => text.insert(at, byte),
                _ if at == text.len() => {}
                1 => text[at] = byte,
                _ => { text.remove(at); }
            }
        }
        let is_json = serde_json::from_slice::<&RawValue>(&text).is_ok();
        let path = path_of(&steps);
        prop_assert_eq!(find(&text, &path).is_ok(), is_json);
        prop_assert_eq!(rewrite(&text, &[path], |_| Edit::Remove).is_ok(), is_json);
    }
}
