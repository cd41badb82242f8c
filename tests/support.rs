//! What the black-box tests stand on: the real binary as a child process, a receiver to deliver
//! to, and guests to deliver through.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod guests;
pub(crate) mod odd_json;
pub(crate) mod process;
pub(crate) mod receiver;
pub(crate) mod server;
pub(crate) mod torture;
pub(crate) mod verify;
pub(crate) mod wire;

use std::future::Future;
use std::time::{Duration, Instant};

/// Asks `look` until it has an answer. Panics with `what` after `within`.
pub(crate) async fn eventually<T, F>(what: &str, within: Duration, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let start = Instant::now();
    loop {
        if let Some(answer) = look().await {
            return answer;
        }
        assert!(start.elapsed() < within, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
