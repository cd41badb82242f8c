//! Looking into JSON and changing it without reading it into values: what is not touched keeps
//! its bytes, so numbers of any length, the order of members and even doubled ones survive.
//!
//! A member that stands twice in an object is found twice: redacting one of two would leak the
//! other.

mod rewrite;
mod scan;
mod token;

use serde_json::value::RawValue;

use crate::path::{Path, Step};
use rewrite::Rewrite;
use scan::{Malformed, Scan};

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
    let text = std::str::from_utf8(json).map_err(|_| fault(json))?;
    let mut scan = Scan::new(text);
    let mut found = Vec::new();
    collect(&mut scan, &path.steps, &mut found)
        .and_then(|()| scan.end())
        .map_err(|Malformed| fault(json))?;
    Ok(found)
}

/// As deep as the path at most.
fn collect<'json>(
    scan: &mut Scan<'json>,
    steps: &[Step],
    found: &mut Vec<&'json str>,
) -> Result<(), Malformed> {
    let Some((step, further)) = steps.split_first() else {
        found.push(scan.value()?);
        return Ok(());
    };
    let Some(mut within) = scan.enter() else {
        return scan.pass();
    };
    while let Some(child) = scan.child(&mut within)? {
        if child.fits(step) {
            collect(scan, further, found)?;
        } else {
            scan.pass()?;
        }
    }
    Ok(())
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
/// leads to, the others find nothing more. What is removed takes a comma with it; all other bytes
/// stay, white space too.
///
/// # Errors
/// Where and why the document is not JSON.
pub fn rewrite(
    json: &[u8],
    paths: &[Path],
    edit: impl FnMut(&str) -> Edit,
) -> Result<Option<Vec<u8>>, serde_json::Error> {
    let text = std::str::from_utf8(json).map_err(|_| fault(json))?;
    let steps = paths.iter().map(|path| path.steps.as_slice()).collect();
    let made = Rewrite::new(text, steps, edit)
        .run()
        .map_err(|Malformed| fault(json))?;
    Ok(made.map(String::into_bytes))
}

/// The scan knows only that something is wrong: `serde_json` tells the line.
fn fault(json: &[u8]) -> serde_json::Error {
    match serde_json::from_slice::<&RawValue>(json) {
        Err(why) => why,
        Ok(_) => serde::de::Error::custom("not JSON"),
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
    fn what_is_removed_takes_one_comma_along() {
        let cases = [
            ("a", r#"{ "b" : [ 2 ] , "c":3 }"#),
            ("b", r#"{ "a" : 1  , "c":3 }"#),
            ("c", r#"{ "a" : 1 , "b" : [ 2 ]  }"#),
            ("b[0]", r#"{ "a" : 1 , "b" : [  ] , "c":3 }"#),
            ("*", "{  }"),
        ];
        for (path, left) in cases {
            let made = dropped(r#"{ "a" : 1 , "b" : [ 2 ] , "c":3 }"#, &[path]);
            assert_eq!(made.unwrap(), left, "{path}");
        }
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
