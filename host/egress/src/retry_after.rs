//! `Retry-After` (RFC 9110, section 10.2.3), as receivers really send it.
//!
//! Seconds, fractions of them (not in the RFC, but seen), or a date in any of HTTP's three
//! formats. Anything else is ignored: the schedule knows what to do without it.

#[cfg(any(test, fuzzing))]
mod property;

use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;
use http::header::RETRY_AFTER;
use whisperer_domain::step::RETRY_AFTER_MAX;
use whisperer_domain::time::Timestamp;

#[cfg(fuzzing)]
pub use property::retry_after as holds;

/// How long the receiver asks us to wait from `now`; the first one it says counts.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = seconds(text).or_else(|| until(text, now))?;
    Some(wait.min(RETRY_AFTER_MAX))
}

fn seconds(text: &str) -> Option<Duration> {
    let digits_and_dot = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if !digits_and_dot || !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let seconds: f64 = text.parse().ok()?;
    // Clamped before the conversion, which refuses what is too large for a Duration.
    Duration::try_from_secs_f64(seconds.min(RETRY_AFTER_MAX.as_secs_f64())).ok()
}

/// A date that has passed means now.
fn until(text: &str, now: Timestamp) -> Option<Duration> {
    let date = httpdate::parse_http_date(text).ok()?;
    let since_epoch = date.duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(since_epoch.saturating_sub(Duration::from_millis(now.0)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::header::RETRY_AFTER;
    use http::{HeaderMap, HeaderValue};
    use whisperer_domain::time::Timestamp;

    use super::retry_after;

    /// 1994-11-06 08:49:00 UTC: 37 s before the date of RFC 9110's examples.
    const NOW: Timestamp = Timestamp(784_111_740_000);

    fn parsed(value: &[u8]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_bytes(value).unwrap());
        let wait = retry_after(&headers, NOW)?;
        Some(u64::try_from(wait.as_millis()).unwrap())
    }

    /// T-05
    #[test]
    fn what_receivers_send() {
        let day = Some(24 * 3_600_000);
        let cases: [(&str, Option<u64>); 35] = [
            ("120", Some(120_000)),
            (" 120 ", Some(120_000)),
            ("120.6", Some(120_600)),
            ("0", Some(0)),
            ("0.0", Some(0)),
            ("000120", Some(120_000)),
            ("86400", day),
            ("86401", day),
            ("99999999999999999999", day),
            (&"9".repeat(400), day),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37_000)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(37_000)),
            ("Sun Nov  6 08:49:37 1994", Some(37_000)),
            ("Sun, 06 Nov 1994 08:48:00 GMT", Some(0)),
            ("Sunday, 06-Nov-94 08:48:00 GMT", Some(0)),
            ("Sun Nov  6 08:48:00 1994", Some(0)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", day),
            ("Saturday, 31-Dec-50 23:59:59 GMT", day),
            ("Fri Dec 31 23:59:59 9999", day),
            // Dates that are none, or of no time zone that HTTP has.
            ("Sun, 31 Feb 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 +0100", None),
            ("1994-11-06T08:49:37Z", None),
            ("-5", None),
            ("-0", None),
            ("+5", None),
            ("1e9", None),
            ("0x78", None),
            ("1.2.3", None),
            (".5", None),
            ("inf", None),
            ("soon", None),
            ("", None),
            ("120, 240", None),
        ];
        for (value, wait) in cases {
            assert_eq!(parsed(value.as_bytes()), wait, "{value:?}");
        }
        assert_eq!(parsed(b"\xff120"), None);
    }

    #[test]
    fn the_first_of_two_counts_and_none_is_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after(&headers, NOW), None);
        headers.append(RETRY_AFTER, HeaderValue::from_static("7"));
        headers.append(RETRY_AFTER, HeaderValue::from_static("9"));
        assert_eq!(retry_after(&headers, NOW), Some(Duration::from_secs(7)));
        // What cannot be read is not skipped: which of the others was meant, nobody knows.
        headers.insert(RETRY_AFTER, HeaderValue::from_static("soon"));
        headers.append(RETRY_AFTER, HeaderValue::from_static("9"));
        assert_eq!(retry_after(&headers, NOW), None);
    }
}
