//! The body of a list: a bare JSON array, cut when it grows too long for one answer.

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONTENT_TYPE, LINK};
use serde::Serialize;

use super::problem::Problem;

/// A list ends early, with its `Link`, when it has this much: a thousand payloads of 1 MiB
/// would not fit into memory together.
const BYTES_ENOUGH: usize = 16 << 20;

pub(super) struct List {
    bytes: Vec<u8>,
}

impl List {
    pub(super) fn new() -> Self {
        Self { bytes: vec![b'['] }
    }

    pub(super) fn push(&mut self, item: &impl Serialize) -> Result<(), Problem> {
        if self.bytes.len() > 1 {
            self.bytes.push(b',');
        }
        serde_json::to_writer(&mut self.bytes, item).map_err(|error| Problem::internal(&error))
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BYTES_ENOUGH
    }

    pub(super) fn answer(mut self, next: Option<HeaderValue>) -> Response {
        self.bytes.push(b']');
        let mut response = self.bytes.into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(link) = next {
            headers.insert(LINK, link);
        }
        response
    }
}
