//! Whether bytes are one JSON value that every later reader will accept.
//!
//! Payloads are kept byte for byte and spliced into their envelope, so nothing ever parses them
//! on the way; `RawValue` skips them without a depth limit and lets lone surrogates and `1e400`
//! pass. What is wrong would then fail for ever in filters, plugins and receivers. So it is
//! checked once, when it is accepted: the whole syntax, without building values, in a loop
//! instead of recursion, so that no input can exhaust the stack.
//!
//! Invariant: what passes here, `serde_json::Value` parses too, and the other way round.

mod decimal;
mod path;
mod tree;

pub use decimal::Decimal;
pub use path::{PATH_BYTES_MAX, PLACES_MAX, Path};
pub use tree::{Tree, VALUES_MAX};

/// The deepest nesting of arrays and objects that passes: `serde_json` refuses 128.
pub const DEPTH_MAX: u32 = 127;

/// Where and why bytes are not JSON. Repeats nothing of the input beyond one character.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct JsonFault {
    /// From 1.
    pub line: usize,
    /// From 1, in bytes as `serde_json` counts them.
    pub column: usize,
    pub message: String,
}

/// # Errors
/// The first fault, by line and column.
pub fn check(bytes: &[u8]) -> Result<(), JsonFault> {
    check_within(bytes, DEPTH_MAX)
}

/// Whether bytes are a payload: JSON that is as well in an envelope, which is one level around it.
/// The payload of a body that passed [`check`] is one; what comes by itself is asked here.
///
/// # Errors
/// The first fault, by line and column.
pub fn check_payload(bytes: &[u8]) -> Result<(), JsonFault> {
    check_within(bytes, DEPTH_MAX - 1)
}

fn check_within(bytes: &[u8], depth_max: u32) -> Result<(), JsonFault> {
    let mut scan = Scan {
        bytes,
        at: 0,
        depth: 0,
        depth_max,
        objects: 0,
    };
    scan.document()
        .and_then(|()| match std::str::from_utf8(bytes) {
            Ok(_) => Ok(()),
            Err(error) => {
                scan.at = error.valid_up_to();
                Err("invalid UTF-8".to_owned())
            }
        })
        .map_err(|message| fault(bytes, scan.at, message))
}

fn fault(bytes: &[u8], at: usize, message: String) -> JsonFault {
    let before = &bytes[..at.min(bytes.len())];
    let line_start = before
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(0, |newline| newline + 1);
    JsonFault {
        line: before.iter().filter(|&&b| b == b'\n').count() + 1,
        column: before.len() - line_start + 1,
        message,
    }
}

/// A position in the text and the containers open around it.
struct Scan<'a> {
    bytes: &'a [u8],
    /// The byte looked at; where the fault is when a method fails.
    at: usize,
    depth: u32,
    /// [`DEPTH_MAX`] at most: `objects` has no bit for more.
    depth_max: u32,
    /// Bit n says that the container at depth n is an object.
    objects: u128,
}

type Step<T = ()> = Result<T, String>;

impl Scan<'_> {
    fn document(&mut self) -> Step {
        loop {
            self.skip_space();
            if self.value_is_whole()? && self.ends_containers()? {
                break;
            }
        }
        self.skip_space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err("there is more after the end of the value".to_owned()),
        }
    }

    /// Reads a value; of a container that is not empty, only up to its first value.
    fn value_is_whole(&mut self) -> Step<bool> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            Some(opening @ (b'{' | b'[')) => return self.opened_empty(opening == b'{'),
            _ => Err(self.unexpected("a value")),
        }?;
        Ok(true)
    }

    fn opened_empty(&mut self, object: bool) -> Step<bool> {
        if self.depth == self.depth_max {
            return Err(format!("nested deeper than {} levels", self.depth_max));
        }
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(if object { b'}' } else { b']' }) {
            self.at += 1;
            return Ok(true);
        }
        self.depth += 1;
        let bit = 1 << self.depth;
        self.objects = if object {
            self.objects | bit
        } else {
            self.objects & !bit
        };
        if object {
            self.member_name()?;
        }
        Ok(false)
    }

    /// After a whole value: closes what ends here. True at the end of the outermost value,
    /// false when another value must follow.
    fn ends_containers(&mut self) -> Step<bool> {
        while self.depth > 0 {
            self.skip_space();
            let object = self.objects & (1 << self.depth) != 0;
            match (self.peek(), object) {
                (Some(b','), true) => {
                    self.at += 1;
                    self.skip_space();
                    self.member_name()?;
                    return Ok(false);
                }
                (Some(b','), false) => {
                    self.at += 1;
                    return Ok(false);
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.at += 1;
                    self.depth -= 1;
                }
                (_, true) => return Err(self.unexpected("a comma or the end of the object")),
                (_, false) => return Err(self.unexpected("a comma or the end of the array")),
            }
        }
        Ok(true)
    }

    fn member_name(&mut self) -> Step {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a member's name in double quotes"));
        }
        self.string()?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.unexpected("a colon"));
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Step {
        self.at += 1;
        loop {
            let rest = &self.bytes[self.at..];
            let plain = rest
                .iter()
                .position(|&b| b == b'"' || b == b'\\' || b < 0x20);
            self.at += plain.unwrap_or(rest.len());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err("a control character in a string; escape it".to_owned()),
                None => return Err("the string does not end".to_owned()),
            }
        }
    }

    fn escape(&mut self) -> Step {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                return Ok(());
            }
            Some(b'u') => {}
            _ => return Err(self.unexpected("one of \" \\ / b f n r t u after a backslash")),
        }
        let whole = match self.hex4()? {
            0xD800..=0xDBFF => {
                self.bytes.get(self.at..self.at + 2) == Some(b"\\u") && {
                    self.at += 1;
                    matches!(self.hex4()?, 0xDC00..=0xDFFF)
                }
            }
            0xDC00..=0xDFFF => false,
            _ => true,
        };
        if whole {
            Ok(())
        } else {
            self.at = start;
            Err("half of a surrogate pair".to_owned())
        }
    }

    /// The four digits after the `u` that `at` stands on.
    fn hex4(&mut self) -> Step<u32> {
        let mut value = 0;
        for _ in 0..4 {
            self.at += 1;
            let digit = self.peek().and_then(|b| char::from(b).to_digit(16));
            match digit {
                Some(digit) => value = value * 16 + digit,
                None => return Err(self.unexpected("four hexadecimal digits after \\u")),
            }
        }
        self.at += 1;
        Ok(value)
    }

    fn number(&mut self) -> Step {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err("a number with a leading zero".to_owned());
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if exponent {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        // Below 1e300 without an exponent nothing can overflow. For the rest the library that
        // will read it has the last word, since at the very edge parsers round differently.
        let text = &self.bytes[start..self.at];
        if (exponent || text.len() > 300) && serde_json::from_slice::<f64>(text).is_err() {
            self.at = start;
            return Err("a number too large for a 64-bit float".to_owned());
        }
        Ok(())
    }

    fn digits(&mut self) -> Step {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.unexpected("a digit"));
        }
        Ok(())
    }

    fn word(&mut self, word: &'static [u8]) -> Step {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(self.unexpected("a value"));
        }
        self.at += word.len();
        Ok(())
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn unexpected(&self, wanted: &str) -> String {
        match self.peek() {
            None => format!("the text ends where {wanted} should be"),
            Some(b) if b.is_ascii_graphic() => {
                format!("expected {wanted}, found '{}'", char::from(b))
            }
            Some(b) => format!("expected {wanted}, found byte 0x{b:02x}"),
        }
    }
}

#[cfg(test)]
mod tests;
