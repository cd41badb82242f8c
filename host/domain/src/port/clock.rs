//! Time, so that tests can own it.

use std::time::Duration;

use super::BoxFuture;
use crate::time::Timestamp;

pub trait Clock: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Timestamp;

    /// # Cancel safety
    /// Dropping the future ends the wait.
    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()>;
}
