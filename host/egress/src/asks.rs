//! `webhook-delivery`: what a receiver asks for beside its status.
//!
//! Standard Webhooks names two values, `disable` and `abort-message`. Several may stand in one
//! header, by commas, or in several headers; any casing; what is none of the two is ignored, for
//! receivers may learn words that we do not know.

use http::{HeaderMap, HeaderName, HeaderValue};
use whisperer_domain::outcome::Asks;

const WEBHOOK_DELIVERY: HeaderName = HeaderName::from_static("webhook-delivery");

/// Who asks for both gets `disable`: while the hook is off this one is not sent either.
pub(crate) fn asks(headers: &HeaderMap) -> Option<Asks> {
    let said = || {
        let values = headers.get_all(WEBHOOK_DELIVERY).iter();
        values.flat_map(words)
    };
    let is_said = |word: &str| said().any(|said| said.eq_ignore_ascii_case(word.as_bytes()));
    if is_said("disable") {
        Some(Asks::Disable)
    } else if is_said("abort-message") {
        Some(Asks::Abort)
    } else {
        None
    }
}

/// As bytes: a word that is no text must not hide its neighbours.
fn words(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value
        .as_bytes()
        .split(|b| *b == b',')
        .map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use whisperer_domain::outcome::Asks;

    use super::{WEBHOOK_DELIVERY, asks};

    fn asked(values: &[&[u8]]) -> Option<Asks> {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value).unwrap();
            headers.append(WEBHOOK_DELIVERY, value);
        }
        asks(&headers)
    }

    #[test]
    fn what_receivers_ask_for() {
        let (disable, abort) = (Some(Asks::Disable), Some(Asks::Abort));
        let cases: [(&[&[u8]], Option<Asks>); 17] = [
            (&[b"disable"], disable),
            (&[b"abort-message"], abort),
            (&[b"DISABLE"], disable),
            (&[b" Abort-Message\t"], abort),
            (&[b"abort-message, disable"], disable),
            (&[b"disable,abort-message"], disable),
            (&[b"abort-message", b"disable"], disable),
            (&[b"later", b"abort-message"], abort),
            (&[b",, later ,abort-message,"], abort),
            (&[b"\xff, disable"], disable),
            (&[b"disabled"], None),
            (&[b"do not disable"], None),
            (&[b"abort"], None),
            (&[b"abort_message"], None),
            (&[b"\"disable\""], None),
            (&[b""], None),
            (&[], None),
        ];
        for (values, expected) in cases {
            let shown: Vec<_> = values.iter().map(|it| it.escape_ascii()).collect();
            assert_eq!(asked(values), expected, "{shown:?}");
        }
    }
}
