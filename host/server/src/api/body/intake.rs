//! A body as it arrives, and its share of the memory that all bodies have together.
//!
//! The share grows with what is there, never with what was announced: otherwise a hundred
//! connections that announce 1 MiB each and then send nothing would lock everybody else out.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::api::problem::Problem;

/// The unit in which body memory is shared out: a semaphore counts in `u32`, bytes may not fit.
pub(in crate::api) const SHARE_BYTES: usize = 1 << 10;

/// What is set aside for a body before any of it is there; most are smaller.
const CAPACITY_FIRST: usize = 8 << 10;

/// A whole body. It holds its share of the body memory until it is dropped.
pub(in crate::api) struct Received {
    pub(in crate::api) bytes: Bytes,
    _share: OwnedSemaphorePermit,
}

/// Reads `body` to its end, at most `bytes_max` of it.
pub(super) async fn whole(
    memory: &Arc<Semaphore>,
    body: Body,
    announced_bytes: Option<usize>,
    bytes_max: usize,
) -> Result<Received, Problem> {
    let mut body = Limited::new(body, bytes_max);
    let mut share = more(memory, 0)?;
    let capacity = announced_bytes.unwrap_or(0).min(CAPACITY_FIRST);
    let mut bytes = Vec::with_capacity(capacity);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&*error, bytes_max))?;
        // Trailers say nothing here.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let shares = (bytes.len() + data.len()).div_ceil(SHARE_BYTES);
        let missing = shares.saturating_sub(share.num_permits());
        if missing > 0 {
            share.merge(more(memory, missing)?);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Received {
        // Without what the vector has to spare: the body may be kept for long.
        bytes: bytes.into_boxed_slice().into(),
        _share: share,
    })
}

fn more(memory: &Arc<Semaphore>, shares: usize) -> Result<OwnedSemaphorePermit, Problem> {
    let shares = u32::try_from(shares).unwrap_or(u32::MAX);
    Arc::clone(memory)
        .try_acquire_many_owned(shares)
        .map_err(|_| Problem::unavailable(1, "Too much is being posted at once: come again."))
}

fn broken(error: &(dyn std::error::Error + Send + Sync + 'static), bytes_max: usize) -> Problem {
    if error.is::<LengthLimitError>() {
        return super::too_large(bytes_max);
    }
    tracing::debug!(%error, "a request's body broke off");
    Problem::new(StatusCode::BAD_REQUEST, "The body broke off.")
}
