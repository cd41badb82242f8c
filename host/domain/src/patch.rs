//! The one validator of what a plugin made, and the sum of what a chain made so far.
//!
//! A plugin may answer anything. Invariant: what [`Progress`] holds is fit to be sent, see
//! [`Made`].

use bytes::Bytes;

use crate::envelope::is_json;
use crate::event::Event;
use crate::header::{self, HEADERS_BYTES_MAX, HEADERS_MAX, HeaderOp, check_op};
use crate::json;
use crate::port::{Chained, Made};
use crate::secret::Secret;

const CONTENT_TYPE_BYTES_MAX: usize = 256;

/// What a plugin wants changed, as it said it. Headers are names with values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// None: as it was.
    pub payload: Option<Bytes>,
    /// None: as it was.
    pub content_type: Option<String>,
    /// Send the payload alone, without the hook's envelope.
    pub bare: bool,
    pub remove_headers: Vec<String>,
    pub set_headers: Vec<(String, String)>,
    pub append_headers: Vec<(String, String)>,
}

/// What the plugins of a chain have made of an event so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    payload: Option<Bytes>,
    content_type: Option<String>,
    bare: bool,
    header_ops: Vec<HeaderOp>,
}

impl Progress {
    #[must_use]
    pub fn payload<'a>(&'a self, event: &'a Event) -> &'a Bytes {
        self.payload.as_ref().unwrap_or(&event.payload)
    }

    #[must_use]
    pub fn content_type<'a>(&'a self, event: &'a Event) -> &'a str {
        self.content_type.as_deref().unwrap_or(&event.content_type)
    }

    /// The headers as the operations so far leave them, for the next plugin to see.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, header::Value)> {
        header::apply(Vec::new(), &self.header_ops)
    }

    /// Takes a patch over, whole or not at all.
    ///
    /// # Errors
    /// A sentence about what in it must not be sent.
    pub fn apply(&mut self, patch: Patch, event: &Event) -> Result<(), String> {
        let mut next = self.clone();
        let remade = patch.payload.is_some() || patch.content_type.is_some();
        if let Some(payload) = patch.payload {
            next.payload = Some(payload);
        }
        if let Some(content_type) = patch.content_type {
            check_content_type(&content_type)?;
            next.content_type = Some(content_type);
        }
        next.bare |= patch.bare;
        if remade {
            if is_json(next.content_type(event)) {
                json::check_payload(next.payload(event))
                    .map_err(|why| format!("the payload is not JSON, as its type says: {why}"))?;
            } else {
                // An envelope can only hold JSON.
                next.bare = true;
            }
        }
        next.header_ops.extend(ops(
            patch.remove_headers,
            patch.set_headers,
            patch.append_headers,
        ));
        check_headers(&next.header_ops)?;
        *self = next;
        Ok(())
    }

    #[must_use]
    pub fn finish(self) -> Chained {
        let untouched = self.payload.is_none()
            && self.content_type.is_none()
            && !self.bare
            && self.header_ops.is_empty();
        if untouched {
            return Chained::Unchanged;
        }
        Chained::Made(Made {
            payload: self.payload,
            content_type: self.content_type,
            bare: self.bare,
            header_ops: self.header_ops,
        })
    }
}

/// In the order that the contract names.
fn ops(
    remove: Vec<String>,
    set: Vec<(String, String)>,
    append: Vec<(String, String)>,
) -> impl Iterator<Item = HeaderOp> {
    let removed = remove.into_iter().map(|name| HeaderOp::Remove { name });
    let set = set.into_iter().map(|(name, value)| HeaderOp::Set {
        name,
        value: Secret::new(value),
    });
    let appended = append.into_iter().map(|(name, value)| HeaderOp::Append {
        name,
        value: Secret::new(value),
    });
    removed.chain(set).chain(appended)
}

/// The bounds hold over the whole chain: the request has one head.
fn check_headers(ops: &[HeaderOp]) -> Result<(), String> {
    if ops.len() > HEADERS_MAX {
        return Err(format!("more than {HEADERS_MAX} changes to headers"));
    }
    let bytes: usize = ops
        .iter()
        .map(|op| op.name().len() + op.value().map_or(0, Secret::len))
        .sum();
    if bytes > HEADERS_BYTES_MAX {
        return Err(format!("more than {HEADERS_BYTES_MAX} bytes of headers"));
    }
    ops.iter().try_for_each(check_op)
}

/// `type/subtype`, perhaps with parameters, all of it visible ASCII.
fn check_content_type(text: &str) -> Result<(), String> {
    let token = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    // Spaces alone: what else counts as white space, line ends among it, is no part of a header.
    let names = essence.trim_end_matches(' ').split_once('/');
    let good = names.is_some_and(|(kind, subtype)| token(kind) && token(subtype))
        && parameters
            .bytes()
            .all(|b| b == b' ' || b.is_ascii_graphic());
    if text.len() > CONTENT_TYPE_BYTES_MAX || !good {
        return Err(format!("\"{}\" is not a content type", text.escape_debug()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_content_type;

    #[test]
    fn content_types_are_checked() {
        for good in [
            "application/json",
            "text/plain; charset=utf-8",
            "application/a.b+json",
        ] {
            assert_eq!(check_content_type(good), Ok(()), "{good}");
        }
        let long = format!("text/{}", "x".repeat(300));
        for bad in [
            "",
            "text",
            "/",
            "text/",
            "text/plain\r\nx: y",
            "text/plain\r\n",
            "text/plain\u{c};a=b",
            "text/plain\u{2003}",
            "te xt/plain",
            "ä/b",
            &long,
        ] {
            assert!(check_content_type(bad).is_err(), "{bad:?}");
        }
    }
}
