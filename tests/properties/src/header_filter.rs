//! Nobody but us says what is ours: whatever a hook or a plugin asks for, the head of the request
//! keeps our headers, stays within its bounds and has nothing in it that a receiver could read as
//! two headers.
//!
//! Input: lines `set NAME: VALUE`, `append NAME: VALUE`, `remove NAME`; others say nothing. What
//! is ours is listed here once more.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};
use whisperer_domain::header::{
    HEADER_VALUE_BYTES_MAX, HEADERS_BYTES_MAX, HEADERS_MAX, HeaderOp, Value, apply, check,
    check_all, check_op,
};
use whisperer_domain::secret::Secret;

const OURS: [&str; 17] = [
    "content-type",
    "content-length",
    "host",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "date",
    "via",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "x-whisperer-signature",
    "x-hub-signature-256",
    "x-forwarded-for",
];

/// # Panics
/// The property does not hold.
pub fn header_filter(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let asked: Vec<HeaderOp> = text.lines().filter_map(op).collect();
    check_hook(&asked);
    let passed: Vec<HeaderOp> = asked
        .into_iter()
        .filter(|op| check_op(op).is_ok())
        .collect();
    passed.iter().for_each(check_passed);
    let ours = OURS.map(|name| (name.to_owned(), "ours".to_owned()));
    let own = vec![("User-Agent".to_owned(), "whisperer".to_owned())];
    let base: Vec<(String, String)> = ours.iter().cloned().chain(own).collect();
    let head = shown(apply(plain(&base), &passed));
    let kept: Vec<_> = head.iter().filter(|(name, _)| is_ours(name)).collect();
    assert_eq!(
        kept,
        ours.iter().collect::<Vec<_>>(),
        "ours are as they were"
    );
    assert_eq!(by_name(&head), by_name(&model(base, &passed)));
}

pub(crate) fn op(line: &str) -> Option<HeaderOp> {
    let (word, rest) = line.split_once(' ')?;
    let split = || {
        rest.split_once(": ")
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    match word {
        "set" => split().map(|(name, value)| HeaderOp::Set {
            name,
            value: Secret::new(value),
        }),
        "append" => split().map(|(name, value)| HeaderOp::Append {
            name,
            value: Secret::new(value),
        }),
        "remove" => Some(HeaderOp::Remove {
            name: rest.to_owned(),
        }),
        _ => None,
    }
}

/// As a receiver knows names: case counts nowhere, and behind a CGI or WSGI gateway neither does
/// the difference between `-` and `_`.
pub(crate) fn is_ours(name: &str) -> bool {
    let name = name.to_lowercase().replace('_', "-");
    OURS.contains(&name.as_str())
        || [
            "proxy-",
            "webhook-",
            "x-whisperer-",
            "x-forwarded-",
            "x-hub-signature",
        ]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// One change that passed can be written into a request, and is not about what is ours.
pub(crate) fn check_passed(op: &HeaderOp) {
    let name = op.name();
    assert!(!is_ours(name), "{name} passed");
    assert!(HeaderName::from_bytes(name.as_bytes()).is_ok(), "{name}");
    if let Some(value) = op.value().map(Secret::expose) {
        assert!(value.len() <= HEADER_VALUE_BYTES_MAX);
        assert!(
            value.bytes().all(|b| (b' '..=b'~').contains(&b)),
            "{:?}",
            &*value
        );
        assert!(HeaderValue::from_str(&value).is_ok(), "{:?}", &*value);
    }
}

/// All that a hook may say for itself.
fn check_hook(asked: &[HeaderOp]) {
    let asked: Vec<(&str, String)> = asked
        .iter()
        .filter_map(|op| Some((op.name(), op.value()?.expose().to_string())))
        .collect();
    let headers: Vec<(&str, &str)> = asked
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    for (name, value) in &headers {
        if let Err(why) = check(name, value) {
            let harmless = value.len() < 8 || name.contains(value) || !why.contains(value);
            assert!(harmless, "the reason repeats a value: {why}");
        }
    }
    if check_all(&headers).is_ok() {
        assert!(headers.len() <= HEADERS_MAX);
        let bytes: usize = headers
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        assert!(bytes <= HEADERS_BYTES_MAX);
        for (place, (name, value)) in headers.iter().enumerate() {
            let (name, value) = ((*name).to_owned(), Secret::new((*value).to_owned()));
            let twice = headers[..place]
                .iter()
                .any(|(other, _)| other.eq_ignore_ascii_case(&name));
            assert!(!twice, "{name} twice");
            check_passed(&HeaderOp::Set { name, value });
        }
    }
}

fn plain(head: &[(String, String)]) -> Vec<(String, Value)> {
    head.iter()
        .map(|(name, value)| (name.clone(), Value::Plain(value.clone())))
        .collect()
}

pub(crate) fn shown(head: Vec<(String, Value)>) -> Vec<(String, String)> {
    head.into_iter()
        .map(|(name, value)| (name, value.read(str::to_owned)))
        .collect()
}

/// The changes as plainly as they can be made.
pub(crate) fn model(mut head: Vec<(String, String)>, ops: &[HeaderOp]) -> Vec<(String, String)> {
    for op in ops {
        if !matches!(op, HeaderOp::Append { .. }) {
            head.retain(|(name, _)| name.to_lowercase() != op.name().to_lowercase());
        }
        if let Some(value) = op.value() {
            head.push((op.name().to_owned(), value.expose().to_string()));
        }
    }
    head
}

/// What each name says, in order; the order between names means nothing (RFC 9110, section 5.3).
pub(crate) fn by_name(head: &[(String, String)]) -> BTreeMap<String, Vec<&str>> {
    let mut values: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, value) in head {
        values.entry(name.to_lowercase()).or_default().push(value);
    }
    values
}
