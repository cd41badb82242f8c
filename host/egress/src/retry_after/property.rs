//! What must hold for any `Retry-After` that a receiver sends; the fuzz target of the same name
//! looks for one that breaks it, and what it found worth keeping is held against it here again.
//!
//! Input: eight bytes of the time it is (milliseconds, little-endian), the header's value behind.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue};
use whisperer_domain::step::RETRY_AFTER_MAX;
use whisperer_domain::time::Timestamp;

use super::retry_after as read;

/// A time until which every format of HTTP's dates can be written: the end of the year 9999.
const DATES_END_MS: u64 = 253_402_300_799_999;

/// # Panics
/// The property does not hold.
#[cfg_attr(
    not(fuzzing),
    expect(unreachable_pub, reason = "the fuzzer comes in by it")
)]
pub fn retry_after(input: &[u8]) {
    let Some((now, value)) = input.split_first_chunk::<8>() else {
        return;
    };
    let now = Timestamp(u64::from_le_bytes(*now));
    let Ok(value) = HeaderValue::from_bytes(value) else {
        return;
    };
    let wait = read(&HeaderMap::from_iter([(RETRY_AFTER, value.clone())]), now);
    assert!(wait.is_none_or(|wait| wait <= RETRY_AFTER_MAX), "{wait:?}");
    let Some(text) = value.to_str().ok().map(str::trim) else {
        assert_eq!(wait, None, "no text, no wait");
        return;
    };
    match text.bytes().next() {
        Some(b'0'..=b'9') => check_number(text, wait),
        Some(_) | None => check_date(text, now, wait),
    }
    check_written(now, wait);
}

/// The same by whole digits, without floats: below the bound no millisecond is lost or won.
fn check_number(text: &str, wait: Option<Duration>) {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(part) {
        // Dates of three formats, and none of them begins with a digit.
        assert_eq!(wait, None, "{text}");
        return;
    }
    let seconds = whole.trim_start_matches('0').parse().unwrap_or(
        if whole.trim_start_matches('0').is_empty() {
            0
        } else {
            u64::MAX
        },
    );
    let wait = wait.unwrap_or_else(|| panic!("{text} is a number"));
    if Duration::from_secs(seconds) >= RETRY_AFTER_MAX {
        assert_eq!(wait, RETRY_AFTER_MAX, "{text}");
        return;
    }
    let micros: String = part.chars().chain("000000".chars()).take(6).collect();
    let exact = Duration::from_secs(seconds) + Duration::from_micros(micros.parse().unwrap_or(0));
    assert!(
        wait.abs_diff(exact) <= Duration::from_micros(1),
        "{text}: {wait:?}, not {exact:?}"
    );
}

fn check_date(text: &str, now: Timestamp, wait: Option<Duration>) {
    let Ok(date) = httpdate::parse_http_date(text) else {
        assert_eq!(wait, None, "{text} is neither a number nor a date");
        return;
    };
    let now = UNIX_EPOCH.checked_add(Duration::from_millis(now.0));
    // A clock beyond what a system can show is later than every date.
    let left = now.map_or(Duration::ZERO, |now| {
        date.duration_since(now).unwrap_or_default()
    });
    assert_eq!(wait, Some(left.min(RETRY_AFTER_MAX)), "{text}");
}

/// A wait that is written as a date comes back, but for what is below a second.
fn check_written(now: Timestamp, wait: Option<Duration>) {
    let Some(wait) = wait.filter(|_| now.0 < DATES_END_MS - 100_000_000) else {
        return;
    };
    let date: SystemTime = UNIX_EPOCH + Duration::from_millis(now.0) + wait;
    let written = HeaderValue::from_str(&httpdate::fmt_http_date(date)).expect("a date is ASCII");
    let again = read(&HeaderMap::from_iter([(RETRY_AFTER, written)]), now);
    let again = again.expect("a date that was written is read");
    assert!(
        again.abs_diff(wait) < Duration::from_secs(1),
        "{wait:?} came back as {again:?}"
    );
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    #[test]
    fn what_fuzzing_kept_holds() {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus/retry_after");
        let inputs: Vec<_> = fs::read_dir(folder).unwrap().collect();
        assert!(inputs.len() >= 10, "only {} inputs", inputs.len());
        for input in inputs {
            let path = input.unwrap().path();
            println!("{}", path.display());
            super::retry_after(&fs::read(path).unwrap());
        }
    }
}
