//! Where the tokens of JSON end. Each function takes the document and the place where a token
//! starts, and answers the place behind it; none: it is no such token.
//!
//! Places are passed by value, so that they stay in registers: this is where a call spends its
//! time.

/// Zero at the end: that byte is allowed nowhere, so no one takes it for anything.
#[inline(always)]
pub(super) fn byte(json: &[u8], at: usize) -> u8 {
    json.get(at).copied().unwrap_or(0)
}

/// Behind white space, if there is any.
#[inline(always)]
pub(super) fn blank(json: &[u8], mut at: usize) -> usize {
    while matches!(byte(json, at), b' ' | b'\n' | b'\r' | b'\t') {
        at += 1;
    }
    at
}

pub(super) fn string(json: &[u8], at: usize) -> Option<usize> {
    if byte(json, at) != b'"' {
        return None;
    }
    let mut at = plain(json, at + 1);
    loop {
        match byte(json, at) {
            b'"' => return Some(at + 1),
            b'\\' => at = plain(json, escape(json, at + 1)?),
            _ => return None,
        }
    }
}

/// Up to a quote, a backslash, a control character or the end, eight bytes at a time. In each of
/// the three terms the lowest bit that is set is a true one: borrows run upwards only.
fn plain(json: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES * 0x80;
    while let Some(&eight) = json.get(at..).and_then(|rest| rest.first_chunk()) {
        let word = u64::from_le_bytes(eight);
        let quote = word ^ (ONES * 0x22);
        let slash = word ^ (ONES * 0x5c);
        let stops = (quote.wrapping_sub(ONES) & !quote)
            | (slash.wrapping_sub(ONES) & !slash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let stops = stops & HIGH;
        if stops != 0 {
            return at + (stops.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = json.get(at)
        && !matches!(byte, b'"' | b'\\' | 0..0x20)
    {
        at += 1;
    }
    at
}

/// `at` is behind the backslash.
fn escape(json: &[u8], at: usize) -> Option<usize> {
    match byte(json, at) {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
        b'u' => {
            let digits = json.get(at + 1..at + 5)?;
            digits.iter().all(u8::is_ascii_hexdigit).then_some(at + 5)
        }
        _ => None,
    }
}

#[inline]
pub(super) fn number(json: &[u8], mut at: usize) -> Option<usize> {
    let mut next = byte(json, at);
    if next == b'-' {
        at += 1;
        next = byte(json, at);
    }
    at = if next == b'0' {
        at + 1
    } else {
        digits(json, at)?
    };
    next = byte(json, at);
    if next == b'.' {
        at = digits(json, at + 1)?;
        next = byte(json, at);
    }
    if matches!(next, b'e' | b'E') {
        let signed = matches!(byte(json, at + 1), b'+' | b'-');
        at = digits(json, at + 1 + usize::from(signed))?;
    }
    Some(at)
}

/// One at least.
#[inline(always)]
fn digits(json: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while byte(json, at).is_ascii_digit() {
        at += 1;
    }
    (at > start).then_some(at)
}

pub(super) fn word(json: &[u8], at: usize, word: &str) -> Option<usize> {
    let end = at + word.len();
    (json.get(at..end) == Some(word.as_bytes())).then_some(end)
}
