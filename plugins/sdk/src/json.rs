//! Looking into JSON and changing it without reading it into values: what is not touched keeps
//! its bytes, so numbers of any length, the order of members and even doubled ones survive.
//!
//! A member that stands twice in an object is found twice: redacting one of two would leak the
//! other.

use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::path::{Path, Step};

/// What to do with a value that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    Keep,
    /// By this JSON text.
    Replace(String),
    /// With its name, if it is a member.
    Remove,
}

/// Every value that `path` leads to, in the order of the document, as JSON text.
///
/// # Errors
/// Where and why the document is not JSON.
pub fn find<'json>(json: &'json [u8], path: &Path) -> Result<Vec<&'json str>, serde_json::Error> {
    let mut found: Vec<&RawValue> = vec![serde_json::from_slice(json)?];
    for step in &path.steps {
        let mut next = Vec::new();
        for value in found {
            for (key, inner) in Children::of(value)?.list {
                if key.fits(step) {
                    next.push(inner);
                }
            }
        }
        found = next;
    }
    Ok(found.into_iter().map(RawValue::get).collect())
}

/// A value for people: a string as it reads, everything else as it is written, so that numbers
/// keep their digits.
#[must_use]
pub fn readable(json: &str) -> String {
    if json.starts_with('"') {
        serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())
    } else {
        json.to_owned()
    }
}

/// Asks `edit` about every value that one of the paths leads to, and answers the document with
/// the edits made; none, if nothing was found or everything kept. Inside a value that a path
/// leads to, the others find nothing more.
///
/// # Errors
/// Where and why the document is not JSON.
pub fn rewrite(
    json: &[u8],
    paths: &[Path],
    mut edit: impl FnMut(&str) -> Edit,
) -> Result<Option<Vec<u8>>, serde_json::Error> {
    let document: &RawValue = serde_json::from_slice(json)?;
    let steps: Vec<&[Step]> = paths.iter().map(|path| path.steps.as_slice()).collect();
    let changed = descend(document, &steps, &mut edit)?;
    Ok(match changed {
        Edit::Keep => None,
        Edit::Replace(text) => Some(text.into_bytes()),
        // A path has at least one step, so none leads to the document itself.
        Edit::Remove => Some(b"null".to_vec()),
    })
}

/// As deep as the longest path at most: a document cannot make this recurse further.
fn descend(
    value: &RawValue,
    paths: &[&[Step]],
    edit: &mut impl FnMut(&str) -> Edit,
) -> Result<Edit, serde_json::Error> {
    if paths.iter().any(|steps| steps.is_empty()) {
        return Ok(edit(value.get()));
    }
    let children = Children::of(value)?;
    let mut edits = Vec::new();
    for (position, (key, inner)) in children.list.iter().enumerate() {
        let further: Vec<&[Step]> = paths
            .iter()
            .filter_map(|steps| steps.split_first())
            .filter(|(step, _)| key.fits(step))
            .map(|(_, rest)| rest)
            .collect();
        if further.is_empty() {
            continue;
        }
        match descend(inner, &further, edit)? {
            Edit::Keep => {}
            made => edits.push((position, made)),
        }
    }
    if edits.is_empty() {
        return Ok(Edit::Keep);
    }
    let removes = edits.iter().any(|(_, made)| *made == Edit::Remove);
    Ok(Edit::Replace(if removes {
        children.rebuilt(&edits)
    } else {
        spliced(value.get(), &children, &edits)
    }))
}

/// Puts replacements where the old values stood; every other byte stays, white space too.
fn spliced(text: &str, children: &Children<'_>, edits: &[(usize, Edit)]) -> String {
    let start = text.as_ptr() as usize;
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (position, made) in edits {
        if let (Some((_, old)), Edit::Replace(new)) = (children.list.get(*position), made) {
            // `old` is borrowed from `text`: its address tells its place.
            let from = (old.get().as_ptr() as usize).saturating_sub(start);
            out.push_str(text.get(copied..from).unwrap_or_default());
            out.push_str(new);
            copied = from + old.get().len();
        }
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

enum Key<'json> {
    /// As it is written, and as it reads.
    Member(&'json str, String),
    Element(usize),
}

impl Key<'_> {
    fn fits(&self, step: &Step) -> bool {
        match (self, step) {
            (_, Step::All) | (Self::Element(_), Step::Elements) => true,
            (Self::Member(_, name), Step::Member(wanted)) => name == wanted,
            (Self::Element(position), Step::Element(wanted)) => position == wanted,
            (Self::Member(..), Step::Element(_) | Step::Elements)
            | (Self::Element(_), Step::Member(_)) => false,
        }
    }
}

/// What is directly in an object or a list; nothing in anything else.
struct Children<'json> {
    list: Vec<(Key<'json>, &'json RawValue)>,
    object: bool,
}

impl<'json> Children<'json> {
    fn of(value: &'json RawValue) -> Result<Self, serde_json::Error> {
        let text = value.get();
        if !text.starts_with(['{', '[']) {
            return Ok(Self {
                list: Vec::new(),
                object: false,
            });
        }
        serde_json::Deserializer::from_str(text).deserialize_any(ChildrenVisitor)
    }

    fn rebuilt(&self, edits: &[(usize, Edit)]) -> String {
        let mut out = String::from(if self.object { "{" } else { "[" });
        let mut first = true;
        for (position, (key, old)) in self.list.iter().enumerate() {
            let made = edits.iter().find(|(at, _)| *at == position);
            let text = match made.map(|(_, made)| made) {
                Some(Edit::Remove) => continue,
                Some(Edit::Replace(new)) => new.as_str(),
                Some(Edit::Keep) | None => old.get(),
            };
            if !first {
                out.push(',');
            }
            first = false;
            if let Key::Member(written, _) = key {
                out.push_str(written);
                out.push(':');
            }
            out.push_str(text);
        }
        out.push(if self.object { '}' } else { ']' });
        out
    }
}

struct ChildrenVisitor;

impl<'json> Visitor<'json> for ChildrenVisitor {
    type Value = Children<'json>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'json>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            let name = serde_json::from_str(key.get()).map_err(serde::de::Error::custom)?;
            list.push((Key::Member(key.get(), name), value));
        }
        Ok(Children { list, object: true })
    }

    fn visit_seq<A: SeqAccess<'json>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element::<&RawValue>()? {
            list.push((Key::Element(list.len()), value));
        }
        Ok(Children {
            list,
            object: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Edit, find, rewrite};
    use crate::Path;

    fn edited(json: &str, paths: &[&str], edit: Edit) -> Option<String> {
        let paths: Vec<Path> = paths.iter().map(|p| Path::parse(p).unwrap()).collect();
        let made = rewrite(json.as_bytes(), &paths, |_| edit.clone()).unwrap();
        made.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    fn masked(json: &str, paths: &[&str]) -> Option<String> {
        edited(json, paths, Edit::Replace("0".to_owned()))
    }

    fn dropped(json: &str, paths: &[&str]) -> Option<String> {
        edited(json, paths, Edit::Remove)
    }

    #[test]
    fn what_is_not_touched_keeps_its_bytes() {
        let json = r#" { "n" : 123456789012345678901234567890.0010, "a":{ "b" :"x" }, "z": 1e400}"#;
        let made = masked(json, &["a.b"]).unwrap();
        assert_eq!(
            made,
            r#"{ "n" : 123456789012345678901234567890.0010, "a":{ "b" :0 }, "z": 1e400}"#
        );
        assert_eq!(masked(json, &["a.c", "q[0]", "n.x"]), None);
    }

    #[test]
    fn wildcards_go_through_lists_and_objects() {
        let json = r#"{"items":[{"p":1,"q":2},{"q":3},7,{"p":[4]}]}"#;
        assert_eq!(
            masked(json, &["items[*].p"]).unwrap(),
            r#"{"items":[{"p":0,"q":2},{"q":3},7,{"p":0}]}"#
        );
        assert_eq!(
            dropped(json, &["items[1]", "*[0].p"]).unwrap(),
            r#"{"items":[{"q":2},7,{"p":[4]}]}"#
        );
        assert_eq!(dropped(json, &["*"]).unwrap(), "{}");
    }

    #[test]
    fn a_member_is_found_however_it_is_written_and_however_often() {
        let json = r#"{"email":"a","\u0065mail":"b","e":1}"#;
        assert_eq!(dropped(json, &["email"]).unwrap(), r#"{"e":1}"#);
        assert_eq!(
            masked(json, &["email"]).unwrap(),
            r#"{"email":0,"\u0065mail":0,"e":1}"#
        );
    }

    #[test]
    fn paths_that_meet_are_edited_once() {
        let json = r#"{"a":{"b":1,"c":2}}"#;
        assert_eq!(
            masked(json, &["a.b", "a.b", "a.c"]).unwrap(),
            r#"{"a":{"b":0,"c":0}}"#
        );
        assert_eq!(masked(json, &["a.b", "a"]).unwrap(), r#"{"a":0}"#);
    }

    #[test]
    fn deep_documents_do_not_recurse() {
        let json = format!(
            "{{\"a\":{}1{},\"b\":2}}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert!(masked(&json, &["b"]).unwrap().ends_with("\"b\":0}"));
    }

    #[test]
    fn values_are_found_in_order() {
        let json = br#"{"a":[{"b":"x"},{"b":2}]}"#;
        let path = Path::parse("a[*].b").unwrap();
        assert_eq!(find(json, &path).unwrap(), ["\"x\"", "2"]);
        assert!(find(b"{", &path).is_err());
    }
}
