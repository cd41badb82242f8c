//! What may be said in a request's headers by a hook or a plugin, and what only we may say.
//!
//! One policy for both, because a header does the same harm whoever set it: hyper obeys a
//! `Content-Length` it is given, and a second `webhook-id` would let a hook speak in our name.
//! Names are compared without regard to case, as receivers do, and to tell what is ours `_` counts
//! as `-`: behind CGI and WSGI gateways `Webhook_Id` and `webhook-id` are one variable.

use crate::secret::Secret;

pub const HEADERS_MAX: usize = 32;
pub const HEADER_NAME_BYTES_MAX: usize = 128;
pub const HEADER_VALUE_BYTES_MAX: usize = 4096;
/// Names and values of all headers of a hook, or of a plugin's patch, together.
pub const HEADERS_BYTES_MAX: usize = 16 << 10;

/// Framing, hop-by-hop and routing headers: the HTTP client's, or nobody's.
const RESERVED: [&str; 13] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "content-encoding",
    "date",
    "forwarded",
    "via",
];

const RESERVED_PREFIXES: [&str; 5] = [
    "proxy-",
    "x-forwarded-",
    "webhook-",
    "x-whisperer-",
    "x-hub-signature",
];

/// One change that a plugin makes to the headers of the request. Its value is a secret: it may be a
/// credential from the plugin's configuration, or made of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderOp {
    Set { name: String, value: Secret },
    Append { name: String, value: Secret },
    Remove { name: String },
}

impl HeaderOp {
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Set { name, .. } | Self::Append { name, .. } | Self::Remove { name } => name,
        }
    }

    #[must_use]
    pub fn value(&self) -> Option<&Secret> {
        match self {
            Self::Set { value, .. } | Self::Append { value, .. } => Some(value),
            Self::Remove { .. } => None,
        }
    }
}

/// What a header of a request says. What the hook's owner or a plugin says may be a credential and
/// stays closed until it is sent; what we say by ourselves is not, and need not be closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Plain(String),
    Closed(Secret),
}

impl Value {
    /// The text itself, for as long as `read` takes.
    pub fn read<T>(&self, read: impl FnOnce(&str) -> T) -> T {
        match self {
            Self::Plain(text) => read(text),
            Self::Closed(secret) => read(&secret.expose()),
        }
    }

    /// In bytes, without opening it.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Plain(text) => text.len(),
            Self::Closed(secret) => secret.len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Plain(text)
    }
}

impl From<Secret> for Value {
    fn from(secret: Secret) -> Self {
        Self::Closed(secret)
    }
}

/// Checks one header of a hook. `User-Agent` and `Authorization` are free: they say who the
/// sender is, which is the owner's to decide. `Content-Type` is not: it must follow the body,
/// which the envelope and the plugins make.
///
/// # Errors
/// A sentence that names the header and the rule, never the value.
pub fn check(name: &str, value: &str) -> Result<(), String> {
    check_name(name)?;
    if as_receivers_know(name) == "content-type" {
        return Err("\"content-type\" follows from the body and cannot be set.".to_owned());
    }
    check_value(value).map_err(|rule| format!("\"{name}\": {rule}"))
}

/// Checks all headers of a hook: each as [`check`], no name twice, and the sums.
///
/// # Errors
/// The first broken rule, as a sentence.
pub fn check_all(headers: &[(&str, &str)]) -> Result<(), String> {
    if headers.len() > HEADERS_MAX {
        return Err(format!("At most {HEADERS_MAX} headers."));
    }
    for (position, (name, value)) in headers.iter().enumerate() {
        check(name, value)?;
        let earlier = &headers[..position];
        if earlier
            .iter()
            .any(|(other, _)| other.eq_ignore_ascii_case(name))
        {
            return Err(format!("\"{name}\" is given twice."));
        }
    }
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if bytes > HEADERS_BYTES_MAX {
        return Err(format!(
            "At most {HEADERS_BYTES_MAX} bytes of headers in all."
        ));
    }
    Ok(())
}

/// Checks one change by a plugin; removing what it may not set is refused as well.
///
/// # Errors
/// A sentence that names the header and the rule, never the value.
pub fn check_op(op: &HeaderOp) -> Result<(), String> {
    let name = op.name();
    check_name(name)?;
    if as_receivers_know(name) == "content-type" {
        return Err("\"content-type\" is set by patch.content-type alone.".to_owned());
    }
    match op.value() {
        Some(value) => check_value(&value.expose()).map_err(|rule| format!("\"{name}\": {rule}")),
        None => Ok(()),
    }
}

/// Checks what a header says. TAB and bytes above ASCII are refused although HTTP lets them
/// through: receivers decode them in different ways, or not at all.
///
/// # Errors
/// A sentence that names the rule.
pub fn check_value(value: &str) -> Result<(), String> {
    if value.len() > HEADER_VALUE_BYTES_MAX {
        return Err(format!(
            "A header value has at most {HEADER_VALUE_BYTES_MAX} bytes."
        ));
    }
    if !value.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
        return Err("A header value has only printable ASCII characters and spaces.".to_owned());
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > HEADER_NAME_BYTES_MAX {
        return Err(format!(
            "A header name has 1 to {HEADER_NAME_BYTES_MAX} bytes, not {}.",
            name.len()
        ));
    }
    // RFC 9110, section 5.6.2. A colon is none of them, so pseudo-headers fall here too.
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !name.bytes().all(token) {
        return Err(format!("\"{}\" is not a header name.", name.escape_debug()));
    }
    let known = as_receivers_know(name);
    let reserved = RESERVED.contains(&known.as_str())
        || RESERVED_PREFIXES
            .iter()
            .any(|prefix| known.starts_with(prefix));
    if reserved {
        return Err(format!("\"{name}\" is set by Whisperer alone."));
    }
    Ok(())
}

fn as_receivers_know(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

/// The headers after the changes, in their order. `Set` replaces every header of that name in
/// the place of the first.
#[must_use]
pub fn apply(base: Vec<(String, Value)>, ops: &[HeaderOp]) -> Vec<(String, Value)> {
    ops.iter().fold(base, |headers, op| match op {
        HeaderOp::Set { name, value } => set(headers, name, value.clone().into()),
        HeaderOp::Append { name, value } => {
            let mut headers = headers;
            headers.push((name.clone(), value.clone().into()));
            headers
        }
        HeaderOp::Remove { name } => {
            let mut headers = headers;
            headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
            headers
        }
    })
}

/// The headers with this one in the place of every other of its name.
#[must_use]
pub fn set(mut headers: Vec<(String, Value)>, name: &str, value: Value) -> Vec<(String, Value)> {
    let place = headers
        .iter()
        .position(|(other, _)| other.eq_ignore_ascii_case(name))
        .unwrap_or(headers.len());
    headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    headers.insert(place, (name.to_owned(), value));
    headers
}

#[cfg(test)]
mod tests {
    use super::{HeaderOp, Value, apply, check, check_all, check_op};
    use crate::secret::Secret;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn what_is_ours_is_refused_in_any_casing() {
        for name in [
            "host",
            "Content-Length",
            "TRANSFER-ENCODING",
            "connection",
            "Keep-Alive",
            "te",
            "Trailer",
            "upgrade",
            "Proxy-Authorization",
            "Expect",
            "content-encoding",
            "Date",
            "Forwarded",
            "X-Forwarded-For",
            "via",
            "Webhook-Id",
            "X-Whisperer-Signature",
            "X-Hub-Signature",
            "x-hub-signature-256",
            ":authority",
            "Content-Type",
            "",
            "a b",
            "a\r\nb",
            "naïve",
        ] {
            assert!(check(name, "v").is_err(), "{name:?}");
            let op = HeaderOp::Remove {
                name: name.to_owned(),
            };
            assert!(check_op(&op).is_err(), "remove {name:?}");
        }
        for name in [
            "Authorization",
            "User-Agent",
            "X-Anything",
            "webhook",
            "hosts",
            "Cookie",
        ] {
            assert_eq!(check(name, "v"), Ok(()), "{name:?}");
        }
    }

    #[test]
    fn what_a_gateway_would_take_for_ours_is_refused() {
        for name in [
            "Webhook_Id",
            "webhook_signature",
            "X_Whisperer-Signature",
            "Content_Length",
            "content_type",
        ] {
            assert!(check(name, "v").is_err(), "{name:?}");
            let name = name.to_owned();
            let value = "v".to_owned();
            assert!(
                check_op(&HeaderOp::Append {
                    name,
                    value: value.into()
                })
                .is_err()
            );
        }
        assert_eq!(check("X_Request_Id", "v"), Ok(()));
    }

    #[test]
    fn values_are_printable_ascii_and_never_repeated_in_the_reason() {
        for value in ["a\tb", "a\r\nb", "a\0b", "é", &"x".repeat(4097)] {
            let reason = check("x-a", value).unwrap_err();
            assert!(!reason.contains(value), "{reason}");
        }
        assert_eq!(check("x-a", ""), Ok(()));
        assert_eq!(check("x-a", &"x".repeat(4096)), Ok(()));
    }

    #[test]
    fn sums_and_doubles_are_refused() {
        let names: Vec<String> = (0..33).map(|i| format!("x-{i}")).collect();
        let headers: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
        assert_eq!(check_all(&headers[..32]), Ok(()));
        assert!(check_all(&headers).is_err());

        let long = "v".repeat(4096);
        let headers: Vec<(&str, &str)> = headers[..4]
            .iter()
            .map(|(n, _)| (*n, long.as_str()))
            .collect();
        assert!(check_all(&headers).is_err());
        assert!(check_all(&[("X-A", "1"), ("x-a", "2")]).is_err());
    }

    #[test]
    fn a_plugin_is_told_how_to_set_the_content_type() {
        let op = HeaderOp::Set {
            name: "Content-Type".to_owned(),
            value: secret("text/plain"),
        };
        assert!(check_op(&op).unwrap_err().contains("patch.content-type"));
    }

    #[test]
    fn changes_apply_in_order_without_regard_to_case() {
        let header = |name: &str, value: &str| (name.to_owned(), Value::from(secret(value)));
        let base = vec![
            header("User-Agent", "w"),
            header("X-A", "1"),
            header("x-a", "2"),
        ];
        let op = |name: &str, value: &str| HeaderOp::Set {
            name: name.to_owned(),
            value: secret(value),
        };
        let ops = [
            op("x-A", "3"),
            HeaderOp::Append {
                name: "X-a".to_owned(),
                value: secret("4"),
            },
            HeaderOp::Remove {
                name: "user-agent".to_owned(),
            },
            op("X-New", "5"),
        ];
        let after = apply(base, &ops);
        assert_eq!(
            after,
            [header("x-A", "3"), header("X-a", "4"), header("X-New", "5")]
        );
    }
}
