//! Reads an answer: bounded, inside the deadline, and never the cause of a failure.
//!
//! A head is an answer. What the body does after it, too long, too slow or broken off, changes
//! nothing about what the receiver said, and is only marked as truncated.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::{Instant, timeout_at};
use tower::BoxError;
use whisperer_domain::attempt::{RESPONSE_KEPT_BYTES_MAX, Response};

type Body = UnsyncBoxBody<Bytes, BoxError>;

/// More than is kept, so that the connection of a chatty receiver can be used again; beyond it
/// the connection is dropped.
const BODY_READ_BYTES_MAX: usize = 64 << 10;
const HEADERS_KEPT_MAX: usize = 64;
const HEADER_NAME_BYTES_MAX: usize = 128;
const HEADER_VALUE_BYTES_MAX: usize = 1 << 10;

/// Reads what is kept of an answer whose head has come.
pub(crate) async fn read(answer: http::Response<Body>, deadline: Instant) -> Response {
    let (head, body) = answer.into_parts();
    let (body, truncated) = read_body(body, deadline).await;
    Response {
        status: head.status.as_u16(),
        headers: kept_headers(&head.headers),
        body,
        truncated,
    }
}

async fn read_body(mut answer: Body, deadline: Instant) -> (Bytes, bool) {
    let mut kept = BytesMut::new();
    let mut read_bytes: usize = 0;
    let whole = loop {
        match timeout_at(deadline, answer.frame()).await {
            Ok(Some(Ok(frame))) => {
                // Trailers say nothing to us.
                let Ok(chunk) = frame.into_data() else {
                    continue;
                };
                // Copied, not shared: a chunk can be a small part of a large buffer.
                let room = RESPONSE_KEPT_BYTES_MAX - kept.len();
                kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
                read_bytes = read_bytes.saturating_add(chunk.len());
                if read_bytes > BODY_READ_BYTES_MAX {
                    break false;
                }
            }
            Ok(None) => break true,
            Ok(Some(Err(_))) | Err(_) => break false,
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
