//! The body of a batch as it arrives: in pieces, each with its share of the memory that all
//! bodies have together.
//!
//! A batch that finds no memory free waits: what it has on its way to the store will give some
//! back. So a long batch slows down where a single event would be refused.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::split::{Broken, Piece, Shape, Splitter};
use crate::api::Api;
use crate::api::body::{self, SHARE_BYTES};
use crate::api::problem::Problem;

/// A batch may take this many times as long as one event's body.
const TIME_FACTOR: u32 = 10;

pub(super) struct Source {
    body: Body,
    splitter: Splitter,
    ready: VecDeque<Result<Piece, Broken>>,
    /// Has arrived, and waits for memory.
    chunk: Option<Bytes>,
    bytes_read: usize,
    bytes_max: usize,
    /// Of the pieces that were handed out and not released.
    bytes_out: usize,
    bytes_ready: usize,
    ended: bool,
    memory: Arc<Semaphore>,
    share: Option<OwnedSemaphorePermit>,
    pause_max: Duration,
    deadline: Instant,
}

impl Source {
    pub(super) fn new(api: &Api, body: Body, shape: Shape, bytes_max: usize) -> Self {
        let pause_max = api.limits.body_timeout;
        Self {
            body,
            splitter: Splitter::new(shape, api.limits.event_body_bytes_max),
            ready: VecDeque::new(),
            chunk: None,
            bytes_read: 0,
            bytes_max,
            bytes_out: 0,
            bytes_ready: 0,
            ended: false,
            memory: Arc::clone(&api.body_memory),
            share: None,
            pause_max,
            deadline: Instant::now() + pause_max.saturating_mul(TIME_FACTOR),
        }
    }

    /// The next element; none at the end. After a fault there is nothing more.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    pub(super) async fn next(&mut self) -> Option<Result<Piece, Problem>> {
        loop {
            match self.ready.pop_front() {
                Some(Ok(piece)) => {
                    self.bytes_ready -= piece.bytes.len();
                    self.bytes_out += piece.bytes.len();
                    return Some(Ok(piece));
                }
                Some(Err(broken)) => {
                    self.ended = true;
                    self.ready.clear();
                    let Broken {
                        line,
                        column,
                        message,
                    } = broken;
                    return Some(Err(body::broken(line, column, message)));
                }
                None if self.ended => return None,
                None => {}
            }
            let until = self.deadline.min(Instant::now() + self.pause_max);
            let more = tokio::time::timeout_at(until, self.more()).await;
            let late = |_| Err(self.late());
            if let Err(problem) = more.unwrap_or_else(late) {
                self.ended = true;
                return Some(Err(problem));
            }
        }
    }

    /// Gives back the memory of a piece.
    pub(super) fn release(&mut self, bytes: usize) {
        self.bytes_out -= bytes.min(self.bytes_out);
        self.shrink();
    }

    /// Reads on and throws away, within bounds, so that its client sees the answer.
    pub(super) async fn discard(&mut self) {
        body::discard_rest(std::mem::take(&mut self.body)).await;
    }

    /// Takes in what arrives next.
    async fn more(&mut self) -> Result<(), Problem> {
        if self.chunk.is_none() {
            match self.body.frame().await {
                Some(Ok(frame)) => self.chunk = frame.into_data().ok(),
                Some(Err(error)) => {
                    tracing::debug!(%error, "a batch's body broke off");
                    let words = "The body broke off.";
                    return Err(Problem::new(StatusCode::BAD_REQUEST, words));
                }
                None => {
                    self.ended = true;
                    let last = self.splitter.finish();
                    self.add(last);
                    return Ok(());
                }
            }
        }
        let Some(chunk) = &self.chunk else {
            return Ok(());
        };
        let bytes_read = self.bytes_read + chunk.len();
        if bytes_read > self.bytes_max {
            return Err(body::too_large(self.bytes_max));
        }
        let wanted = shares(self.held() + chunk.len());
        let missing = wanted.saturating_sub(self.share.as_ref().map_or(0, permits));
        if missing > 0 {
            let memory = Arc::clone(&self.memory);
            let missing = u32::try_from(missing).unwrap_or(u32::MAX);
            // Never closed; were it, there would be nothing to read with.
            if let Ok(more) = memory.acquire_many_owned(missing).await {
                match &mut self.share {
                    Some(share) => share.merge(more),
                    None => self.share = Some(more),
                }
            }
        }
        self.bytes_read = bytes_read;
        if let Some(chunk) = self.chunk.take() {
            let pieces = self.splitter.feed(&chunk);
            self.add(pieces);
        }
        self.shrink();
        Ok(())
    }

    fn add(&mut self, pieces: impl IntoIterator<Item = Result<Piece, Broken>>) {
        for piece in pieces {
            self.bytes_ready += piece.as_ref().map_or(0, |piece| piece.bytes.len());
            self.ready.push_back(piece);
        }
    }

    fn held(&self) -> usize {
        self.splitter.held() + self.bytes_ready + self.bytes_out
    }

    fn shrink(&mut self) {
        let spare = self.share.as_ref().map_or(0, permits);
        let spare = spare.saturating_sub(shares(self.held()));
        if let Some(share) = &mut self.share {
            drop(share.split(spare));
        }
    }

    fn late(&self) -> Problem {
        if self.chunk.is_some() {
            return Problem::unavailable(1, "Too much is being posted at once: come again.");
        }
        Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "The body did not arrive in time.",
        )
        .header(CONNECTION, HeaderValue::from_static("close"))
    }
}

fn permits(share: &OwnedSemaphorePermit) -> usize {
    share.num_permits()
}

fn shares(bytes: usize) -> usize {
    bytes.div_ceil(SHARE_BYTES)
}
