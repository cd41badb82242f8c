//! One pass over a JSON document, which makes nothing of what it passes: no values, no lists.
//!
//! Everything is checked on the way, so what was passed is JSON. Only what a path leads into
//! takes calls within calls; all else is passed in a loop, so depth costs a byte a level.

use std::borrow::Cow;

use crate::path::Step;

/// The document is not JSON. Where and why is for a parser that takes its time.
#[derive(Debug)]
pub(super) struct Malformed;

pub(super) struct Scan<'json> {
    text: &'json str,
    at: usize,
    /// The brackets that must yet come, inside a value that is passed.
    closing: Vec<u8>,
}

/// An object or a list that the scan is in.
pub(super) struct Within {
    close: u8,
    children: usize,
}

/// A member or an element; the scan stands before its value.
pub(super) struct Child<'json> {
    /// Where the comma before it is; for the first, where it starts.
    pub(super) comma: usize,
    /// Where it starts: its name, if it has one.
    pub(super) start: usize,
    key: Key<'json>,
}

enum Key<'json> {
    Member(Name<'json>),
    Element(usize),
}

/// As it is written between its quotes.
struct Name<'json> {
    written: &'json str,
    escaped: bool,
}

impl<'json> Scan<'json> {
    pub(super) fn new(text: &'json str) -> Self {
        Self {
            text,
            at: 0,
            closing: Vec::new(),
        }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Passes a value, and answers it.
    pub(super) fn value(&mut self) -> Result<&'json str, Malformed> {
        self.blank();
        let start = self.at;
        self.pass()?;
        self.text.get(start..self.at).ok_or(Malformed)
    }

    /// Goes into an object or a list; none: the value is something else, and not passed.
    pub(super) fn enter(&mut self) -> Option<Within> {
        self.blank();
        let close = match self.byte() {
            b'{' => b'}',
            b'[' => b']',
            _ => return None,
        };
        self.at += 1;
        Some(Within { close, children: 0 })
    }

    /// The next one; none: the scan is behind the end of the object or list.
    pub(super) fn child(&mut self, within: &mut Within) -> Result<Option<Child<'json>>, Malformed> {
        self.blank();
        let comma = self.at;
        let first = within.children == 0;
        match self.byte() {
            close if close == within.close => {
                self.at += 1;
                return Ok(None);
            }
            b',' if !first => {
                self.at += 1;
                self.blank();
            }
            _ if first => {}
            _ => return Err(Malformed),
        }
        let start = self.at;
        let key = if within.close == b'}' {
            Key::Member(self.name()?)
        } else {
            Key::Element(within.children)
        };
        within.children += 1;
        Ok(Some(Child { comma, start, key }))
    }

    /// Nothing but white space may follow the document.
    pub(super) fn end(&mut self) -> Result<(), Malformed> {
        self.blank();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    /// Passes a value, however deep.
    pub(super) fn pass(&mut self) -> Result<(), Malformed> {
        self.closing.clear();
        loop {
            self.blank();
            match self.byte() {
                b'"' => self.string().map(|_| ())?,
                b'-' | b'0'..=b'9' => self.number()?,
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                b'n' => self.word("null")?,
                open @ (b'{' | b'[') => {
                    let close = if open == b'{' { b'}' } else { b']' };
                    self.at += 1;
                    self.blank();
                    if self.byte() != close {
                        self.closing.push(close);
                        if close == b'}' {
                            self.name()?;
                        }
                        continue;
                    }
                    self.at += 1;
                }
                _ => return Err(Malformed),
            }
            if self.close()? {
                return Ok(());
            }
        }
    }

    /// Behind a value: passes what closes, up to where the next value starts. Answers whether
    /// everything is closed.
    fn close(&mut self) -> Result<bool, Malformed> {
        while let Some(&close) = self.closing.last() {
            self.blank();
            let byte = self.byte();
            self.at += 1;
            if byte == b',' {
                if close == b'}' {
                    self.name()?;
                }
                return Ok(false);
            }
            if byte != close {
                return Err(Malformed);
            }
            self.closing.pop();
        }
        Ok(true)
    }

    fn name(&mut self) -> Result<Name<'json>, Malformed> {
        self.blank();
        if self.byte() != b'"' {
            return Err(Malformed);
        }
        let start = self.at + 1;
        let escaped = self.string()?;
        let written = self.text.get(start..self.at - 1).ok_or(Malformed)?;
        self.blank();
        if self.byte() != b':' {
            return Err(Malformed);
        }
        self.at += 1;
        Ok(Name { written, escaped })
    }

    /// From quote to quote; answers whether there are escapes in it.
    fn string(&mut self) -> Result<bool, Malformed> {
        self.at += 1;
        let mut escaped = false;
        loop {
            self.plain();
            match self.byte() {
                b'"' => {
                    self.at += 1;
                    return Ok(escaped);
                }
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return Err(Malformed),
            }
        }
    }

    /// Eight bytes at a time up to a quote, a backslash, a control character or the end. In each
    /// of the three terms the lowest bit that is set is a true one: borrows run upwards only.
    fn plain(&mut self) {
        const ONES: u64 = u64::from_ne_bytes([1; 8]);
        const HIGH: u64 = ONES * 0x80;
        let bytes = self.text.as_bytes();
        while let Some(&eight) = bytes.get(self.at..).and_then(|rest| rest.first_chunk()) {
            let word = u64::from_le_bytes(eight);
            let quote = word ^ (ONES * u64::from(b'"'));
            let slash = word ^ (ONES * u64::from(b'\\'));
            let stops = (quote.wrapping_sub(ONES) & !quote)
                | (slash.wrapping_sub(ONES) & !slash)
                | (word.wrapping_sub(ONES * 0x20) & !word);
            let stops = stops & HIGH;
            if stops != 0 {
                self.at += (stops.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += 8;
        }
        while let Some(byte) = bytes.get(self.at) {
            if matches!(byte, b'"' | b'\\' | 0..0x20) {
                return;
            }
            self.at += 1;
        }
    }

    fn escape(&mut self) -> Result<(), Malformed> {
        self.at += 1;
        let kind = self.byte();
        self.at += 1;
        match kind {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => {
                let digits = self.text.as_bytes().get(self.at..self.at + 4);
                let digits = digits.ok_or(Malformed)?;
                self.at += 4;
                if digits.iter().all(u8::is_ascii_hexdigit) {
                    Ok(())
                } else {
                    Err(Malformed)
                }
            }
            _ => Err(Malformed),
        }
    }

    fn number(&mut self) -> Result<(), Malformed> {
        if self.byte() == b'-' {
            self.at += 1;
        }
        if self.byte() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.byte(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// One at least.
    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start {
            Err(Malformed)
        } else {
            Ok(())
        }
    }

    fn word(&mut self, word: &str) -> Result<(), Malformed> {
        let end = self.at + word.len();
        if self.text.as_bytes().get(self.at..end) != Some(word.as_bytes()) {
            return Err(Malformed);
        }
        self.at = end;
        Ok(())
    }

    fn blank(&mut self) {
        while matches!(self.byte(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// Zero at the end: that byte is allowed nowhere, so no one takes it for anything.
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }
}

impl Child<'_> {
    pub(super) fn fits(&self, step: &Step) -> bool {
        match (&self.key, step) {
            (_, Step::All) | (Key::Element(_), Step::Elements) => true,
            (Key::Member(name), Step::Member(wanted)) => name.reads(wanted),
            (Key::Element(position), Step::Element(wanted)) => position == wanted,
            (Key::Member(_), Step::Element(_) | Step::Elements)
            | (Key::Element(_), Step::Member(_)) => false,
        }
    }
}

impl Name<'_> {
    /// Escapes that stand for no character (half a surrogate pair) read as no name at all.
    fn reads(&self, wanted: &str) -> bool {
        if !self.escaped {
            return self.written == wanted;
        }
        let quoted = format!("\"{}\"", self.written);
        serde_json::from_str::<Cow<'_, str>>(&quoted).is_ok_and(|name| name == wanted)
    }
}
