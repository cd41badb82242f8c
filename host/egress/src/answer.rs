//! Reads an answer: bounded, inside the deadline, and never the cause of a failure.
//!
//! A head is an answer. What the body does after it, too long, too slow or broken off, changes
//! nothing about what the receiver said, and is only marked as truncated.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use tokio::time::{Instant, timeout_at};
use whisperer_domain::attempt::{RESPONSE_KEPT_BYTES_MAX, Response};

/// More than is kept, so that the connection of a chatty receiver can be used again; beyond it
/// the connection is dropped.
const BODY_READ_BYTES_MAX: usize = 64 << 10;
const HEADERS_KEPT_MAX: usize = 64;
const HEADER_NAME_BYTES_MAX: usize = 128;
const HEADER_VALUE_BYTES_MAX: usize = 1 << 10;

/// Reads what is kept of an answer whose head has come.
pub(crate) async fn read(mut answer: reqwest::Response, deadline: Instant) -> Response {
    let (body, truncated) = read_body(&mut answer, deadline).await;
    Response {
        status: answer.status().as_u16(),
        headers: kept_headers(answer.headers()),
        body,
        truncated,
    }
}

async fn read_body(answer: &mut reqwest::Response, deadline: Instant) -> (Bytes, bool) {
    let mut kept = BytesMut::new();
    let mut read_bytes: usize = 0;
    let whole = loop {
        match timeout_at(deadline, answer.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                // Copied, not shared: a chunk can be a small part of a large buffer.
                let room = RESPONSE_KEPT_BYTES_MAX - kept.len();
                kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
                read_bytes = read_bytes.saturating_add(chunk.len());
                if read_bytes > BODY_READ_BYTES_MAX {
                    break false;
                }
            }
            Ok(Ok(None)) => break true,
            Ok(Err(_)) | Err(_) => break false,
        }
    };
    (
        kept.freeze(),
        !whole || read_bytes > RESPONSE_KEPT_BYTES_MAX,
    )
}

fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let cut = |bytes: &[u8], max: usize| {
        String::from_utf8_lossy(&bytes[..bytes.len().min(max)]).into_owned()
    };
    headers
        .iter()
        .take(HEADERS_KEPT_MAX)
        .map(|(name, value)| {
            (
                cut(name.as_str().as_bytes(), HEADER_NAME_BYTES_MAX),
                cut(value.as_bytes(), HEADER_VALUE_BYTES_MAX),
            )
        })
        .collect()
}
