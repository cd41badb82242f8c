//! Components that are not as the contract says: each is refused with what is due and how to mend
//! it, in the words of WIT and not in those of the engine.

use crate::alone::alone;
use crate::scene::{self, GOOD};
use crate::wat::{text, whole};

const OPEN: &str = "(component\n";
const TRANSFORM: &str = "`transform: func(event: event, target: target, config: string) \
                         -> result<outcome, failure>`";
/// What the engine would say, or leave unsaid.
const NOT_FOR_AUTHORS: [&str; 4] = [
    "tuple",
    "type mismatch",
    "matching implementation",
    "linker",
];

/// Another text, and words that its refusal has.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

/// The good one, with every `from` in the text of its component put as `to`.
fn edited(edits: &[(&str, &str)]) -> Vec<u8> {
    let mut whole = whole(&text(GOOD));
    for (from, to) in edits {
        assert!(whole.contains(from), "there is no {from}");
        whole = whole.replace(from, to);
    }
    wat::parse_str(&whole).unwrap_or_else(|why| panic!("{edits:?}: {why}"))
}

async fn told(cases: &[Case<'_>]) {
    for (edits, words) in cases {
        let reason = scene::refused(&edited(edits)).await;
        for word in *words {
            assert!(
                reason.contains(word),
                "{edits:?}: {word} is not in: {reason}"
            );
        }
        for word in NOT_FOR_AUTHORS {
            assert!(!reason.contains(word), "{edits:?}: {reason}");
        }
        assert!(
            reason.contains("wit/whisperer.wit"),
            "how to mend it: {reason}"
        );
    }
}

#[tokio::test]
async fn a_function_that_is_another_is_told_in_wit() {
    let _alone = alone().await;
    told(&[
        (
            &[(r#"(param "config" string)"#, r#"(param "config" u32)"#)],
            &[
                "its parameter `config` is `u32` in place of `string`",
                TRANSFORM,
                "it has `transform: func(event: event, target: target, config: u32)",
                "`whisperer plugin new`",
            ],
        ),
        (
            &[(r#"(param "config" string)"#, "")],
            &["it takes 2 parameters in place of 3", TRANSFORM],
        ),
        (
            &[(
                "(result (result $outcome (error $failure)))",
                "(result $outcome)",
            )],
            &[
                "what it gives is `outcome` in place of `result<outcome, failure>`",
                TRANSFORM,
            ],
        ),
        (
            &[("(error $failure)", "(error string)")],
            &[
                "`string` in place of `failure`",
                "-> result<outcome, string>`",
            ],
        ),
        (
            &[(
                r#"(field "payload" (list u8))
      (field "headers""#,
                r#"(field "payload" (list u8)) (field "trace" string)
      (field "headers""#,
            )],
            &[
                "the field `trace: string` of the record `event` is not in the contract",
                TRANSFORM,
            ],
        ),
        (
            &[(r#"(field "hook-id" string)"#, "")],
            &["the field `hook-id: string` of the record `target` is missing"],
        ),
        (
            &[(r#"(case "unchanged")"#, r#"(case "as-it-was")"#)],
            &["the case `unchanged` of the variant `outcome` is missing"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_is_missing_or_of_another_version_is_named() {
    let _alone = alone().await;
    told(&[
        (
            &[(r#"(export "transform" (func"#, r#"(export "transmute" (func"#)],
            &["whisperer:plugin/transform@1.0.0 without the function", TRANSFORM],
        ),
        (
            &[(r#"(export "whisperer:plugin/transform@1.0.0""#, r#"(export "acme:shop/orders@1.0.0""#)],
            &["it exports acme:shop/orders@1.0.0, and a plugin exports whisperer:plugin/transform@1.0.0"],
        ),
        (
            &[("@1.0.0", "@2.0.0")],
            &["types@2.0.0, and this server speaks version 1.0.0", "`whisperer plugin new`"],
        ),
        (
            &[(r#"transform@1.0.0""#, r#"transform@2.3.0""#)],
            &["it exports whisperer:plugin/transform@2.3.0, and this server speaks version 1.0.0"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_the_contract_does_not_give_is_named() {
    let _alone = alone().await;
    let log = |functions: &str| {
        format!(
            r#"{OPEN}(import "whisperer:plugin/log@1.4.0" (instance
                 (type $levels (enum "debug" "info" "warn" "error"))
                 (export "level" (type $level (eq $levels)))
                 {functions}))"#
        )
    };
    let newer = log(r#"(export "count" (func (param "name" string)))"#);
    let other = log(r#"(export "write" (func (param "level" $level) (param "line" (list u8))))"#);
    told(&[
        (
            &[(
                OPEN,
                r#"(component (import "whisperer:plugin/clock@1.2.0" (instance))"#,
            )],
            &["it imports whisperer:plugin/clock@1.2.0, which version 1.0.0 of the contract"],
        ),
        (
            &[(OPEN, &newer)],
            &["the function `count` of whisperer:plugin/log@1.4.0, which version 1.0.0"],
        ),
        (
            &[(OPEN, &other)],
            &[
                "its parameter `message` is `list<u8>` in place of `string`",
                "`write: func(level: level, message: string)`",
                "it has `write: func(level: level, line: list<u8>)`",
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn an_import_that_is_not_granted_is_named_with_the_way_out() {
    let _alone = alone().await;
    for (import, words) in [
        ("wasi:http/outgoing-handler@0.2.3", "--disable http"),
        ("wasi:cli/environment@0.3.0", "WASI 0.2"),
        ("wasi:nn/tensor@0.2.0", "WASI 0.2"),
        ("acme:shop/orders@1.0.0", "whisperer:plugin/log"),
    ] {
        let open = format!(r#"{OPEN}(import "{import}" (instance))"#);
        let reason = scene::refused(&edited(&[(OPEN, &open)])).await;
        let named = reason.contains(&format!("it imports {import}, which"));
        assert!(named && reason.contains(words), "{import}: {reason}");
    }
}

/// What is newer and not used is in nobody's way.
#[tokio::test]
async fn a_plugin_for_a_later_version_runs_if_it_uses_nothing_newer() {
    let _alone = alone().await;
    let bench = scene::with(&edited(&[("@1.0.0", "@1.7.0")])).await;
    let run = scene::call(&bench, scene::BAD).await;
    let unchanged = matches!(run.result, whisperer_domain::port::Chained::Unchanged);
    assert!(unchanged, "{:?}", bench.status(scene::BAD));
}
