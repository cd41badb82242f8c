//! What is accepted as JSON is JSON to every later reader, and goes out as the bytes that came.
//!
//! Input: any bytes. The judge is `serde_json`: what it reads, `json::check` passes, and the other
//! way round; trees and numbers say what its values say; and a payload that passed is found again,
//! byte for byte, in a valid envelope of each kind.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use whisperer_domain::envelope::Envelope;
use whisperer_domain::event::Event;
use whisperer_domain::event_type::EventType;
use whisperer_domain::id::{DeliveryUuid, EventId, EventKey};
use whisperer_domain::json::{self, Decimal, Tree};
use whisperer_domain::time::Timestamp;

/// Numbers of one document that are compared with each other.
const NUMBERS_MAX: usize = 24;

#[derive(Deserialize)]
struct Posted<'a> {
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// # Panics
/// The property does not hold.
pub fn event_json(input: &[u8]) {
    let checked = json::check(input);
    let parsed = serde_json::from_slice::<Value>(input);
    match (&checked, &parsed) {
        (Ok(()), Ok(value)) => {
            check_tree(input, value);
            check_numbers(input);
            check_cut(input);
        }
        (Err(fault), Err(_)) => check_fault(input, fault.line, fault.column),
        (Ok(()), Err(error)) => panic!("passed, and serde_json refuses it: {error}"),
        (Err(fault), Ok(_)) => panic!("refused, and serde_json reads it: {fault}"),
    }
    // Whatever else it is given, it only must come back.
    let _ = Tree::of(input);
    check_spliced(input);
}

fn check_tree(input: &[u8], value: &Value) {
    let tree = Tree::of(input).expect("what passed can be laid out");
    assert!(same(&tree, value), "{tree:?} is not {value}");
    let shown = tree.show(usize::MAX / 8);
    let again = Tree::of(shown.as_bytes()).expect("what is shown is JSON");
    assert_eq!(again, tree, "{shown}");
    assert!(tree.show(7).chars().count() <= 8);
}

/// Whether they hold the same; the tree may know numbers better.
pub(crate) fn same(tree: &Tree<'_>, value: &Value) -> bool {
    match (tree, value) {
        (Tree::Null, Value::Null) => true,
        (Tree::Bool(one), Value::Bool(other)) => one == other,
        (Tree::Number(one), Value::Number(other)) => {
            one.to_string().parse::<f64>().ok() == other.as_f64()
        }
        (Tree::Text(one), Value::String(other)) => one == other,
        (Tree::List(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Tree::Object(one), Value::Object(other)) => {
            let known = |(name, value): (&String, &Value)| {
                tree.member(name).is_some_and(|member| same(member, value))
            };
            one.len() == other.len() && other.iter().all(known)
        }
        (
            Tree::Null
            | Tree::Bool(_)
            | Tree::Number(_)
            | Tree::Text(_)
            | Tree::List(_)
            | Tree::Object(_),
            _,
        ) => false,
    }
}

/// The numbers of a JSON text as they are spelled, strings left out.
pub(crate) fn numbers(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let (mut at, mut in_string) = (0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'-' | b'0'..=b'9' if !in_string => {
                let part = |b: &u8| b.is_ascii_digit() || b"+-.eE".contains(b);
                let end = bytes[at..].iter().position(|b| !part(b));
                let end = end.map_or(bytes.len(), |length| at + length);
                found.push(&text[at..end]);
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Rounding never turns an order round: where floats differ, exact values differ alike; and what
/// is shown of a number is that number.
fn check_numbers(input: &[u8]) {
    let text = std::str::from_utf8(input).expect("what passed is UTF-8");
    let known: Vec<(Decimal<'_>, f64, &str)> = numbers(text)
        .into_iter()
        .take(NUMBERS_MAX)
        .filter_map(|text| Some((Decimal::of(text), text.parse().ok()?, text)))
        .collect();
    for (one, float, spelled) in &known {
        let shown = one.to_string();
        assert_eq!(Decimal::of(&shown), *one, "{spelled} is shown as {shown}");
        for (other, other_float, other_spelled) in &known {
            let by_float = float.partial_cmp(other_float).expect("numbers are no NaN");
            assert_eq!(one.cmp(other), other.cmp(one).reverse());
            if by_float.is_ne() {
                assert_eq!(one.cmp(other), by_float, "{spelled} and {other_spelled}");
            }
        }
    }
}

/// As `POST /events/` takes a payload out of its body.
fn check_cut(input: &[u8]) {
    let Ok(Posted {
        payload: Some(payload),
    }) = serde_json::from_slice::<Posted<'_>>(input)
    else {
        return;
    };
    let payload = payload.get().as_bytes();
    assert!(input.windows(payload.len()).any(|part| part == payload));
    assert_eq!(json::check(payload), Ok(()), "a part of what passed");
    assert_eq!(
        json::check_payload(payload),
        Ok(()),
        "one level less than the body"
    );
}

/// A payload that was let in is whole in every envelope, and every envelope is JSON.
fn check_spliced(payload: &[u8]) {
    if json::check_payload(payload).is_err() {
        return;
    }
    let event = event();
    let uuid = DeliveryUuid(uuid::Uuid::from_u128(7));
    let payload = Bytes::copy_from_slice(payload);
    for envelope in [
        Envelope::Whisperer,
        Envelope::Standard,
        Envelope::CloudEvents,
        Envelope::Bare,
    ] {
        let wrapped = envelope.wrap(&event, uuid, &payload, "application/json");
        let (body, _) = wrapped.expect("JSON fits into every envelope");
        let value: Value = match serde_json::from_slice(&body) {
            Ok(value) => value,
            Err(error) => panic!("{envelope:?} of a payload that was let in: {error}"),
        };
        let member = match envelope {
            Envelope::Whisperer => &value["payload"],
            Envelope::Standard | Envelope::CloudEvents => &value["data"],
            Envelope::Bare => &value,
        };
        let own: Value = serde_json::from_slice(&payload).expect("it passed");
        assert_eq!(*member, own, "{envelope:?}");
        assert!(body.windows(payload.len()).any(|part| part == payload));
    }
}

pub(crate) fn event() -> Event {
    Event {
        key: EventKey(1),
        id: EventId::parse("e-1").expect("an id"),
        event_type: EventType::parse("package.created").expect("a type"),
        occurred_at: Timestamp(1_614_265_330_007),
        accepted_at: Timestamp(1_614_265_330_007),
        object_id: None,
        content_type: "application/json".to_owned(),
        cloud: None,
        payload: Bytes::new(),
    }
}

/// The place of a fault lies in the text, or just behind it.
fn check_fault(input: &[u8], line: usize, column: usize) {
    let lines: Vec<&[u8]> = input.split(|b| *b == b'\n').collect();
    let named = lines.get(line - 1).expect("the line is there");
    assert!(
        column >= 1 && column <= named.len() + 1,
        "column {column} of {}",
        named.len()
    );
}
