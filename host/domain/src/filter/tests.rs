//! Filters by example, what is no filter, and the evaluator against a plain model of the rules.

mod model;

use proptest::prelude::{Just, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value, json};

use super::{CONDITIONS_MAX, Filter};
use crate::json::Tree;
use model::{plain, rule};

const ORDER: &str = r#"{"country": "DE", "total": 99.50, "note": null, "big": 9007199254740993,
    "items": [{"sku": "a-1", "price": 5}, {"sku": "b-2", "price": 25}], "tags": ["x", "y"],
    "address": {"zip": "10115", "city": "Berlin"}, "empty": [], "paid": true}"#;

fn filter(text: &str) -> Filter {
    Filter::parse(text).unwrap_or_else(|faults| panic!("{text}: {faults:?}"))
}

fn matches(text: &str, payload: &str) -> bool {
    let filter = filter(text);
    let payload = Tree::of(payload.as_bytes()).unwrap();
    let decision = filter.decide(&payload);
    assert_eq!(decision.matches, filter.matches(&payload), "{text}");
    decision.matches
}

#[test]
fn conditions_hold_for_what_they_say() {
    for (condition, expected) in [
        (r#"{"path": "country", "eq": "DE"}"#, true),
        (r#"{"path": "country", "eq": "de"}"#, false),
        (r#"{"path": "country", "ne": "DE"}"#, false),
        (r#"{"path": "nothing", "ne": "DE"}"#, true),
        (r#"{"path": "nothing", "eq": null}"#, false),
        (r#"{"path": "note", "eq": null}"#, true),
        (r#"{"path": "note", "exists": true}"#, true),
        (r#"{"path": "nothing", "exists": false}"#, true),
        (r#"{"path": "note", "exists": false}"#, false),
        (r#"{"path": "empty[*]", "exists": false}"#, true),
        (r#"{"path": "country", "in": ["AT", "DE"]}"#, true),
        (r#"{"path": "country", "in": ["AT"]}"#, false),
        (r#"{"path": "total", "eq": 99.5}"#, true),
        (r#"{"path": "total", "gte": 99.5, "lt": 100}"#, true),
        (r#"{"path": "total", "gt": 99.5}"#, false),
        // Another kind meets nothing.
        (r#"{"path": "country", "gt": 1}"#, false),
        (r#"{"path": "total", "eq": "99.5"}"#, false),
        (r#"{"path": "total", "prefix": "9"}"#, false),
        (r#"{"path": "paid", "eq": 1}"#, false),
        (r#"{"path": "paid", "eq": true}"#, true),
        (r#"{"path": "country", "prefix": "D"}"#, true),
        // Beyond what floats tell apart.
        (r#"{"path": "big", "eq": 9007199254740993}"#, true),
        (r#"{"path": "big", "eq": 9007199254740992}"#, false),
        (r#"{"path": "big", "gt": 9007199254740992}"#, true),
        (r#"{"path": "big", "eq": 9007199254740993.0}"#, true),
        // Several values.
        (r#"{"path": "items[*].sku", "eq": "b-2"}"#, true),
        (r#"{"path": "items[*].sku", "ne": "b-2"}"#, false),
        (r#"{"path": "items[*].sku", "ne": "c"}"#, true),
        (r#"{"path": "items[*].price", "gt": 5, "lt": 30}"#, true),
        // One is above 5, the other below 25, but none is both.
        (r#"{"path": "items[*].price", "gt": 5, "lt": 25}"#, false),
        (r#"{"path": "items[*].price", "gt": 5, "ne": 5}"#, false),
        // Whole values.
        (r#"{"path": "tags", "eq": ["x", "y"]}"#, true),
        (r#"{"path": "tags", "eq": ["y", "x"]}"#, false),
        (r#"{"path": "tags[*]", "eq": "y"}"#, true),
        (
            r#"{"path": "address", "eq": {"city": "Berlin", "zip": "10115"}}"#,
            true,
        ),
        (r#"{"path": "address", "eq": {"city": "Berlin"}}"#, false),
        // Joined.
        (
            r#"{"all": [{"path": "country", "eq": "DE"}, {"not": {"path": "total", "gt": 100}}]}"#,
            true,
        ),
        (
            r#"{"any": [{"path": "country", "eq": "FR"}, {"path": "total", "gt": 100}]}"#,
            false,
        ),
        (
            r#"{"not": {"any": [{"path": "country", "eq": "FR"}]}}"#,
            true,
        ),
    ] {
        assert_eq!(matches(condition, ORDER), expected, "{condition}");
    }
}

#[test]
fn a_name_that_stands_twice_counts_as_its_last() {
    let payload = r#"{"a": 1, "a": 2}"#;
    assert!(matches(r#"{"path": "a", "eq": 2}"#, payload));
    assert!(!matches(r#"{"path": "a", "eq": 1}"#, payload));
}

#[test]
fn what_decided_is_named() {
    let text = r#"{"all": [{"path": "country", "eq": "DE"}, {"any": [{"path": "total", "lt": 5}, {"path": "items[*].price", "gt": 20}]}, {"not": {"path": "paid", "eq": true}}]}"#;
    let payload = Tree::of(ORDER.as_bytes()).unwrap();
    let decision = filter(text).decide(&payload);
    assert_eq!(
        (decision.matches, decision.at.join(".")),
        (false, "all.2.not".to_owned())
    );
    let found = decision.found.unwrap();
    assert_eq!((found.count, found.values), (1, vec!["true".to_owned()]));

    let decision = filter(r#"{"any": [{"path": "a", "eq": 1}, {"path": "country", "eq": "DE"}]}"#)
        .decide(&payload);
    assert_eq!(
        (decision.matches, decision.at.join(".")),
        (true, "any.1".to_owned())
    );
    let decision =
        filter(r#"{"any": [{"path": "a", "eq": 1}, {"path": "b", "eq": 1}]}"#).decide(&payload);
    assert_eq!(
        (decision.matches, decision.at.len(), decision.found),
        (false, 0, None)
    );
}

#[test]
fn what_is_no_filter_is_told_by_its_place() {
    let deep = (0..9).fold(
        json!({"path": "a", "eq": 1}),
        |inner, _| json!({"not": inner}),
    );
    let many = json!({"all": vec![json!({"path": "a", "eq": 1}); CONDITIONS_MAX]});
    let values = json!({"path": "a", "in": vec![1; 501]});
    for (given, place, word) in [
        (json!([]), "", "Expected a condition"),
        (json!({}), "", "A condition has"),
        (json!({"path": "a"}), "", "compared with nothing"),
        (json!({"eq": 1}), "path", "required"),
        (json!({"path": 5, "eq": 1}), "path", "string"),
        (json!({"path": "a..b", "eq": 1}), "path", "name is missing"),
        (
            json!({"path": "a", "equals": 1}),
            "equals",
            "Unknown condition",
        ),
        (json!({"type": "package.*"}), "type", "event_type"),
        (json!({"all": []}), "all", "empty"),
        (json!({"any": {"path": "a", "eq": 1}}), "any", "list"),
        (
            json!({"all": [{"path": "a", "gt": "5"}]}),
            "all.0.gt",
            "number",
        ),
        (
            json!({"all": [{"not": {"any": [5]}}]}),
            "all.0.not.any.0",
            "condition",
        ),
        (json!({"path": "a", "in": []}), "in", "at least one"),
        (json!({"path": "a", "in": 5}), "in", "list"),
        (json!({"path": "a", "prefix": ""}), "prefix", "string"),
        (
            json!({"path": "a", "exists": "yes"}),
            "exists",
            "true or false",
        ),
        (
            json!({"path": "a", "exists": false, "eq": 1}),
            "exists",
            "no other",
        ),
        (
            json!({"all": [{"path": "a", "eq": 1}], "eq": 2}),
            "eq",
            "beside a path",
        ),
        (
            json!({"all": [{"path": "a", "eq": 1}], "path": "b", "eq": 2}),
            "",
            "one of",
        ),
        (deep, "not.not.not.not.not.not.not.not", "nest"),
        (many, "", "64"),
        (values, "in.500", "500"),
        (json!({"path": "a", "eq": "x".repeat(20_000)}), "", "16384"),
    ] {
        let faults = Filter::parse(&given.to_string()).unwrap_err();
        let named = |fault: &super::FilterFault| {
            fault.at.join(".") == place && fault.message.contains(word)
        };
        assert!(faults.iter().any(named), "{given}: {faults:?}");
    }
    assert!(
        Filter::parse("{").unwrap_err()[0]
            .message
            .contains("line 1")
    );
    let several = Filter::parse(r#"{"all": [{"path": "a", "gt": "x"}, {"path": "", "eq": 1}]}"#);
    assert_eq!(several.unwrap_err().len(), 2);
}

/// The bound on steps that the head of the module speaks of: every part of it at its most.
#[test]
fn the_costliest_filter_ends() {
    let path = "*.*.a.a.a.a.a.a.a.a.a.a.a.a.a.a";
    let leaf = json!({"path": path, "in": [0, 1, 2, 3, 4, 5, 6]});
    let text = json!({"any": vec![leaf; CONDITIONS_MAX - 1]}).to_string();
    let inner = (0..14).fold("9".to_owned(), |inner, _| format!("{{\"a\":{inner}}}"));
    let payload = format!("[[{}]]", vec![inner; 2_000].join(","));
    assert!(!matches(&text, &payload));
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_filter_decides_as_the_model_does(rule in rule(), payload in plain()) {
        prop_assert_eq!(matches(&rule.text(), &payload.text()), rule.holds(&payload), "{} over {}", rule.text(), payload.text());
    }

    #[test]
    fn any_text_is_a_filter_or_is_refused(text in "[{}\\[\\]:,\" a-z0-9.*]{0,40}") {
        if let Err(faults) = Filter::parse(&text) {
            prop_assert!(!faults.is_empty());
        }
    }

    /// Words of filters in any arrangement: a refusal always says why.
    #[test]
    fn any_json_is_a_filter_or_is_refused(words in proptest::collection::vec((prop_oneof![Just("all"), Just("any"), Just("not"), Just("path"), Just("eq"), Just("in"), Just("lt"), Just("exists"), Just("x")], plain()), 0..5)) {
        let members: serde_json::Map<String, Value> = words
            .iter()
            .map(|(word, value)| ((*word).to_owned(), serde_json::from_str(&value.text()).unwrap()))
            .collect();
        if let Err(faults) = Filter::parse(&Value::Object(members).to_string()) {
            prop_assert!(!faults.is_empty());
        }
    }
}
