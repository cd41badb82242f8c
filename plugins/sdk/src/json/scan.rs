//! One pass over a JSON document, which makes nothing of what it passes: no values, no lists.
//!
//! Everything is checked on the way, so what was passed is JSON. Only what a path leads into
//! takes calls within calls; all else is passed in a loop, so depth costs a byte a level.

use std::borrow::Cow;

use super::token::{blank, byte, number, string, word};
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
    /// As it is written, with its quotes.
    Member(&'json str),
    Element(usize),
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
        self.at = blank(self.text.as_bytes(), self.at);
        let start = self.at;
        self.pass()?;
        self.text.get(start..self.at).ok_or(Malformed)
    }

    /// Goes into an object or a list; none: the value is something else, and not passed.
    pub(super) fn enter(&mut self) -> Option<Within> {
        let json = self.text.as_bytes();
        self.at = blank(json, self.at);
        let close = match byte(json, self.at) {
            b'{' => b'}',
            b'[' => b']',
            _ => return None,
        };
        self.at += 1;
        Some(Within { close, children: 0 })
    }

    /// The next one; none: the scan is behind the end of the object or list.
    pub(super) fn child(&mut self, within: &mut Within) -> Result<Option<Child<'json>>, Malformed> {
        let json = self.text.as_bytes();
        let comma = blank(json, self.at);
        let first = within.children == 0;
        let start = match byte(json, comma) {
            close if close == within.close => {
                self.at = comma + 1;
                return Ok(None);
            }
            b',' if !first => blank(json, comma + 1),
            _ if first => comma,
            _ => return Err(Malformed),
        };
        let key = if within.close == b'}' {
            let end = string(json, start).ok_or(Malformed)?;
            self.at = colon(json, end).ok_or(Malformed)?;
            Key::Member(self.text.get(start..end).ok_or(Malformed)?)
        } else {
            self.at = start;
            Key::Element(within.children)
        };
        within.children += 1;
        Ok(Some(Child { comma, start, key }))
    }

    /// Nothing but white space may follow the document.
    pub(super) fn end(&mut self) -> Result<(), Malformed> {
        self.at = blank(self.text.as_bytes(), self.at);
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    /// Passes a value, however deep.
    pub(super) fn pass(&mut self) -> Result<(), Malformed> {
        self.closing.clear();
        let end = behind(self.text.as_bytes(), self.at, &mut self.closing);
        self.at = end.ok_or(Malformed)?;
        Ok(())
    }
}

/// Behind the value that starts here.
fn behind(json: &[u8], mut at: usize, closing: &mut Vec<u8>) -> Option<usize> {
    loop {
        at = blank(json, at);
        at = match byte(json, at) {
            b'"' => string(json, at)?,
            b'-' | b'0'..=b'9' => number(json, at)?,
            open @ (b'{' | b'[') => {
                let close = if open == b'{' { b'}' } else { b']' };
                at = blank(json, at + 1);
                if byte(json, at) != close {
                    closing.push(close);
                    if close == b'}' {
                        at = colon(json, string(json, at)?)?;
                    }
                    continue;
                }
                at + 1
            }
            b't' => word(json, at, "true")?,
            b'f' => word(json, at, "false")?,
            b'n' => word(json, at, "null")?,
            _ => return None,
        };
        // What closes, up to where the next value starts.
        loop {
            let Some(&close) = closing.last() else {
                return Some(at);
            };
            at = blank(json, at);
            let next = byte(json, at);
            at += 1;
            if next == close {
                closing.pop();
                continue;
            }
            if next != b',' {
                return None;
            }
            if close == b'}' {
                at = colon(json, string(json, blank(json, at))?)?;
            }
            break;
        }
    }
}

/// Behind the colon that must come.
#[inline(always)]
fn colon(json: &[u8], at: usize) -> Option<usize> {
    let at = blank(json, at);
    (byte(json, at) == b':').then_some(at + 1)
}

impl Child<'_> {
    pub(super) fn fits(&self, step: &Step) -> bool {
        match (&self.key, step) {
            (_, Step::All) | (Key::Element(_), Step::Elements) => true,
            (Key::Member(written), Step::Member(wanted)) => reads(written, wanted),
            (Key::Element(position), Step::Element(wanted)) => position == wanted,
            (Key::Member(_), Step::Element(_) | Step::Elements)
            | (Key::Element(_), Step::Member(_)) => false,
        }
    }
}

/// Escapes that stand for no character (half a surrogate pair) read as no name at all.
fn reads(written: &str, wanted: &str) -> bool {
    if written.as_bytes().contains(&b'\\') {
        return serde_json::from_str::<Cow<'_, str>>(written).is_ok_and(|name| name == wanted);
    }
    let between = written.as_bytes().get(1..written.len() - 1);
    between == Some(wanted.as_bytes())
}
