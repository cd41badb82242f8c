//! A filter decides by its rules and by nothing else, within its bounds.
//!
//! Input: the filter up to a line feed, the payload behind it. The rules stand here once more, over
//! `serde_json`'s values; the two are held against each other wherever those values are exact and
//! the payload has fewer places than a path may lead to.

use serde_json::{Map, Value};
use whisperer_domain::filter::{CONDITIONS_MAX, DEPTH_MAX, Filter, TEXT_BYTES_MAX, VALUES_MAX};
use whisperer_domain::json::{PLACES_MAX, Path, Tree};

use crate::event_json::numbers;

/// Decimals of so many digits are all told apart by a float.
const DIGITS_EXACT: usize = 15;

/// # Panics
/// The property does not hold.
pub fn filter_expr(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else {
        return;
    };
    let (text, payload) = input.split_once('\n').unwrap_or((input, "null"));
    check_path(text);
    let filter = match Filter::parse(text) {
        Ok(filter) => filter,
        Err(faults) => {
            assert!(!faults.is_empty() && faults.len() <= 20);
            assert!(
                faults.iter().all(|fault| fault.message.ends_with('.')),
                "{faults:?}"
            );
            return;
        }
    };
    assert_eq!(&**filter.text(), text);
    let again = Filter::parse(filter.text()).expect("what was written is read again");
    let rule: Value = serde_json::from_str(text).expect("a filter is JSON");
    check_bounds(text, &rule);
    let Some(tree) = Tree::of(payload.as_bytes()) else {
        return;
    };
    let matches = filter.matches(&tree);
    assert_eq!(again.matches(&tree), matches);
    let decision = filter.decide(&tree);
    assert_eq!(decision.matches, matches, "{text} over {payload}");
    check_place(&rule, &decision.at);
    let Ok(value) = serde_json::from_str::<Value>(payload) else {
        return;
    };
    if payload.len() < PLACES_MAX && is_exact(text) && is_exact(payload) {
        assert_eq!(matches, holds(&rule, &value), "{text} over {payload}");
    }
}

/// Anything that reads as a path is shown so that it reads the same.
fn check_path(text: &str) {
    if let Ok(path) = Path::parse(text) {
        let shown = path.to_string();
        assert_eq!(
            Path::parse(&shown).as_ref(),
            Ok(&path),
            "{text} is shown as {shown}"
        );
    }
}

fn check_bounds(text: &str, rule: &Value) {
    assert!(text.len() <= TEXT_BYTES_MAX);
    let (mut conditions, mut values) = (0, 0);
    let mut open = vec![(rule, 0)];
    while let Some((rule, depth)) = open.pop() {
        conditions += 1;
        assert!(depth <= DEPTH_MAX, "{text}");
        let rule = rule.as_object().expect("a condition is an object");
        let operands = ["eq", "ne", "in"].iter().filter_map(|word| rule.get(*word));
        values += operands
            .map(|operand| match operand {
                // The list itself is compared with nothing.
                Value::Array(elements) if rule.get("in") == Some(operand) => {
                    elements.iter().map(count).sum()
                }
                operand => count(operand),
            })
            .sum::<usize>();
        for join in ["all", "any"] {
            let inner = rule.get(join).and_then(Value::as_array);
            open.extend(inner.into_iter().flatten().map(|rule| (rule, depth + 1)));
        }
        open.extend(rule.get("not").map(|rule| (rule, depth + 1)));
    }
    assert!(
        conditions <= CONDITIONS_MAX && values <= VALUES_MAX,
        "{conditions}, {values}: {text}"
    );
}

fn count(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
        Value::Array(elements) => 1 + elements.iter().map(count).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(count).sum::<usize>(),
    }
}

/// What decided is a place in the filter.
fn check_place(rule: &Value, at: &[String]) {
    let mut place = rule;
    for step in at {
        let inner = match place {
            Value::Array(elements) => step.parse().ok().and_then(|at: usize| elements.get(at)),
            place => place.get(step),
        };
        place = inner.unwrap_or_else(|| panic!("there is no {at:?} in {rule}"));
    }
}

/// Whether `serde_json` keeps every number of a text apart from every other.
fn is_exact(text: &str) -> bool {
    numbers(text).iter().all(|number| {
        let mantissa = number.split(['e', 'E']).next().unwrap_or("");
        let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
        let is_zero = !mantissa.bytes().any(|b| matches!(b, b'1'..=b'9'));
        let size = number.parse::<f64>().map_or(0.0, f64::abs);
        is_zero || (digits <= DIGITS_EXACT && (1e-290..1e290).contains(&size))
    })
}

fn holds(rule: &Value, payload: &Value) -> bool {
    let rule = rule.as_object().expect("a condition is an object");
    let list = |word: &str| rule.get(word).and_then(Value::as_array);
    if let Some(all) = list("all") {
        return all.iter().all(|rule| holds(rule, payload));
    }
    if let Some(any) = list("any") {
        return any.iter().any(|rule| holds(rule, payload));
    }
    if let Some(not) = rule.get("not") {
        return !holds(not, payload);
    }
    let path = rule.get("path").and_then(Value::as_str).expect("a path");
    let places = find(path, payload);
    let exists = rule.get("exists").and_then(Value::as_bool);
    if exists.is_some_and(|wanted| wanted == places.is_empty()) {
        return false;
    }
    if rule
        .get("ne")
        .is_some_and(|unwanted| places.iter().any(|place| equal(place, unwanted)))
    {
        return false;
    }
    let asks_more = ["eq", "in", "lt", "lte", "gt", "gte", "prefix"]
        .iter()
        .any(|word| rule.contains_key(*word));
    !asks_more || places.iter().any(|place| meets_all(place, rule))
}

fn meets_all(place: &Value, rule: &Map<String, Value>) -> bool {
    let meets = |(word, operand): (&String, &Value)| match (word.as_str(), place, operand) {
        ("eq", place, wanted) => equal(place, wanted),
        ("in", place, Value::Array(wanted)) => wanted.iter().any(|wanted| equal(place, wanted)),
        ("lt", Value::Number(one), Value::Number(other)) => one.as_f64() < other.as_f64(),
        ("lte", Value::Number(one), Value::Number(other)) => one.as_f64() <= other.as_f64(),
        ("gt", Value::Number(one), Value::Number(other)) => one.as_f64() > other.as_f64(),
        ("gte", Value::Number(one), Value::Number(other)) => one.as_f64() >= other.as_f64(),
        ("prefix", Value::String(text), Value::String(prefix)) => text.starts_with(prefix),
        ("path" | "ne" | "exists", _, _) => true,
        _ => false,
    };
    rule.iter().all(meets)
}

fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let known = |(name, one): (&String, &Value)| {
                other.get(name).is_some_and(|other| equal(one, other))
            };
            one.len() == other.len() && one.iter().all(known)
        }
        (one, other) => one == other,
    }
}

/// Where a path leads, read from its text.
fn find<'v>(path: &str, value: &'v Value) -> Vec<&'v Value> {
    if path.is_empty() {
        return vec![value];
    }
    let all = |value: &'v Value| -> Vec<&'v Value> {
        match value {
            Value::Array(elements) => elements.iter().collect(),
            Value::Object(members) => members.values().collect(),
            _ => Vec::new(),
        }
    };
    let (next, rest): (Vec<&Value>, &str) = if let Some(inside) = path.strip_prefix('[') {
        if inside.starts_with('"') {
            let mut strings = serde_json::Deserializer::from_str(inside).into_iter::<String>();
            let name = strings.next().and_then(Result::ok).expect("a quoted name");
            let rest = &inside[strings.byte_offset() + 1..];
            (
                value
                    .as_object()
                    .and_then(|members| members.get(&name))
                    .into_iter()
                    .collect(),
                rest,
            )
        } else {
            let (step, rest) = inside.split_once(']').expect("brackets close");
            let elements = value.as_array().map_or(&[][..], Vec::as_slice);
            match step.parse::<usize>() {
                Ok(place) => (elements.get(place).into_iter().collect(), rest),
                Err(_) => (elements.iter().collect(), rest),
            }
        }
    } else {
        let end = path.find(['.', '[']).unwrap_or(path.len());
        match &path[..end] {
            "*" => (all(value), &path[end..]),
            name => {
                let member = value.as_object().and_then(|members| members.get(name));
                (member.into_iter().collect(), &path[end..])
            }
        }
    };
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    next.into_iter().flat_map(|next| find(rest, next)).collect()
}
