//! That the comparison sees what it is there for: the contract, changed in one place each.

use crate::comparison::broken;
use crate::package::Package;

const PUBLISHED: &str = include_str!("plugin-1.0.0.wit");

/// The published text with the first `old` in it replaced.
fn changed(old: &str, new: &str) -> Vec<String> {
    assert!(PUBLISHED.contains(old), "{old} is not in the text");
    let text = PUBLISHED.replacen(old, new, 1);
    broken(&Package::parse(PUBLISHED), &Package::parse(&text))
}

#[test]
fn a_change_of_what_was_published_is_found() {
    let cases = [
        (
            "a field's type",
            "occurred-at-ms: u64,",
            "occurred-at-ms: s64,",
        ),
        ("a field's name", "bare: bool,", "naked: bool,"),
        ("a field more", "bare: bool,", "bare: bool, urgent: bool,"),
        ("a field less", "bare: bool,", ""),
        (
            "fields in another order",
            "code: string,",
            "zone: string, code: string,",
        ),
        ("a case more", "unchanged,", "unchanged, later,"),
        ("a case's content", "discard(reason),", "discard(string),"),
        ("a case less", "retry(reason),", ""),
        ("a level more", "debug,", "debug, trace,"),
        (
            "an alias",
            "list<tuple<string, string>>",
            "list<tuple<string, u32>>",
        ),
        ("a parameter", "config: string)", "config: list<u8>)"),
        (
            "a parameter more",
            "config: string)",
            "config: string, turn: u32)",
        ),
        ("a result", "result<outcome, failure>", "result<outcome>"),
        ("an async function", "write: func", "write: async func"),
        (
            "a function less",
            "write: func(level: level, message: string);",
            "",
        ),
        ("an import less", "import log;", ""),
        ("an export less", "include plugin;", ""),
        (
            "the package's name",
            "whisperer:plugin@",
            "whisperer:plugins@",
        ),
        ("a later major version", "plugin@1.0.0", "plugin@2.0.0"),
        ("an earlier version", "plugin@1.0.0", "plugin@0.9.0"),
    ];
    for (what, old, new) in cases {
        assert!(!changed(old, new).is_empty(), "{what} went unseen");
    }
}

#[test]
fn what_asks_plugins_for_more_is_found() {
    let function = "more: func() -> string;";
    for (what, old, new) in [
        (
            "transform",
            "transform: func",
            &*format!("{function} transform: func"),
        ),
        (
            "describe",
            "describe: func",
            &*format!("{function} describe: func"),
        ),
        (
            "plugin",
            "export transform;",
            "export transform; export more: func();",
        ),
        (
            "a stream",
            "world plugin {",
            "interface late { take: func(what: stream<u8>); } world plugin {",
        ),
    ] {
        assert!(!changed(old, new).is_empty(), "{what} went unseen");
    }
}

#[test]
fn what_old_plugins_do_not_notice_passes() {
    for (what, old, new) in [
        ("nothing", "", ""),
        (
            "other words",
            "/// Send it as it is.",
            "/// Sent as it was.",
        ),
        ("a later version", "plugin@1.0.0", "plugin@1.4.0"),
        (
            "a host function",
            "write: func",
            "flush: func(); write: func",
        ),
        (
            "a type for it",
            "enum level",
            "record place { line: u32 } enum level",
        ),
        (
            "a host interface",
            "world plugin {",
            "interface kv { read: func(key: string) -> option<string>; } world plugin { import kv;",
        ),
        (
            "an optional export",
            "world describer {",
            "interface warm { warm: func(); } world warmer { export warm; } world describer {",
        ),
    ] {
        assert_eq!(changed(old, new), [""; 0], "{what}");
    }
}

#[test]
fn a_missing_doc_comment_is_found() {
    let text = PUBLISHED.replacen("/// Send it as it is.", "", 1);
    assert_eq!(Package::parse(&text).mute, ["types.outcome.unchanged"]);
    assert_eq!(Package::parse(PUBLISHED).mute, [""; 0]);
}
