//! The checker against known cases and, byte by byte, against `serde_json`.

use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest,
};
use serde_json::Value;

use super::{DEPTH_MAX, check, check_payload};

fn agrees(bytes: &[u8]) -> bool {
    check(bytes).is_ok() == serde_json::from_slice::<Value>(bytes).is_ok()
}

#[test]
fn good_json_passes() {
    let cases = [
        "0",
        "-0",
        "1.5e-400",
        "0e999999999999",
        "-12.50E+3",
        "\"\"",
        " [ ] ",
        "{}",
        "null",
        "[1, [2, {}], {\"a\": [true, false]}]",
        "\"\\u0000\\ud83d\\uDE00\\/\"",
        "\"ü\u{7f}\"",
        "123456789012345678901234567890",
        "{\"a\":1,\"a\":2}",
        "\r\n\t 7 \n",
        "1.7976931348623157e308",
    ];
    for text in cases {
        assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
        assert!(agrees(text.as_bytes()), "{text}");
    }
}

#[test]
fn bad_json_is_refused_where_it_is_bad() {
    let huge = "9".repeat(400);
    let cases: [(&[u8], usize, usize, &str); 34] = [
        (b"", 1, 1, "ends where a value"),
        (b" \n ", 2, 2, "ends where a value"),
        (b"[1,\n 2,]", 2, 4, "found ']'"),
        (b"{\"a\":1,}", 1, 8, "member's name"),
        (b"{a:1}", 1, 2, "member's name"),
        (b"{\"a\" 1}", 1, 6, "a colon"),
        (b"{\"a\":}", 1, 6, "found '}'"),
        (b"[1}", 1, 3, "end of the array"),
        (b"{\"a\":1]", 1, 7, "end of the object"),
        (b"[1 2]", 1, 4, "a comma"),
        (b"[", 1, 2, "ends where"),
        (b"1 2", 1, 3, "more after the end"),
        (b"{}x", 1, 3, "more after the end"),
        (b"\xef\xbb\xbf1", 1, 1, "0xef"),
        (b"01", 1, 2, "leading zero"),
        (b"+1", 1, 1, "found '+'"),
        (b"-", 1, 2, "a digit"),
        (b".5", 1, 1, "found '.'"),
        (b"1.", 1, 3, "a digit"),
        (b"1e", 1, 3, "a digit"),
        (b"NaN", 1, 1, "found 'N'"),
        (b"nul", 1, 1, "a value"),
        (b"[1e400]", 1, 2, "too large"),
        (huge.as_bytes(), 1, 1, "too large"),
        (b"'a'", 1, 1, "found '''"),
        (b"\"a", 1, 3, "does not end"),
        (b"\"a\n\"", 1, 3, "control character"),
        (b"\"\\x41\"", 1, 3, "after a backslash"),
        (b"\"\\u12g4\"", 1, 6, "hexadecimal"),
        (b"\"\\ud800\"", 1, 2, "surrogate"),
        (b"\"\\ud800\\u0041\"", 1, 2, "surrogate"),
        (b"\"\\udc00\"", 1, 2, "surrogate"),
        (b"[\"\xff\"]", 1, 3, "UTF-8"),
        (b"[\"\xed\xa0\x80\"]", 1, 3, "UTF-8"),
    ];
    for (bytes, line, column, why) in cases {
        let shown = String::from_utf8_lossy(bytes);
        let fault = check(bytes).expect_err(&shown);
        assert_eq!(
            (fault.line, fault.column),
            (line, column),
            "{shown}: {fault}"
        );
        assert!(fault.message.contains(why), "{shown}: {fault}");
        assert!(agrees(bytes), "{shown}");
    }
}

#[test]
fn depth_is_counted_without_recursion() {
    let deep = DEPTH_MAX as usize;
    let arrays = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let objects = |n: usize| format!("{}1{}", "{\"a\":".repeat(n), "}".repeat(n));
    for text in [
        arrays(deep),
        objects(deep),
        arrays(deep + 1),
        objects(deep + 1),
    ] {
        assert!(agrees(text.as_bytes()), "{text}");
    }
    assert!(check(arrays(deep).as_bytes()).is_ok());
    assert!(check_payload(arrays(deep - 1).as_bytes()).is_ok());
    let fault = check_payload(objects(deep).as_bytes()).unwrap_err();
    assert!(
        fault.message.contains("126"),
        "{fault}: in its envelope it would be too deep"
    );
    let fault = check("[".repeat(1_000_000).as_bytes()).unwrap_err();
    assert_eq!(fault.column, deep + 1);
    // Beside each other is not inside each other.
    assert!(check(format!("[{}[]]", "[],".repeat(1000)).as_bytes()).is_ok());
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_serde_writes_passes(value in json(), pretty in any::<bool>()) {
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        prop_assert_eq!(check(text.as_bytes()), Ok(()));
    }

    #[test]
    fn one_changed_byte_is_judged_as_serde_judges_it(
        value in json(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = value.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let judged = serde_json::from_slice::<Value>(&bytes).is_ok();
        prop_assert_eq!(check(&bytes).is_ok(), judged, "{:?}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn odd_text_is_judged_as_serde_judges_it(text in "[\\[\\]{}:,\"\\\\ud8c0eE+.0-9a \n-]{0,12}") {
        let judged = serde_json::from_str::<Value>(&text).is_ok();
        prop_assert_eq!(check(text.as_bytes()).is_ok(), judged, "{:?}", text);
    }
}
