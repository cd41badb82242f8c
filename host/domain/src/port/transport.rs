//! One HTTP exchange with a receiver.

use std::time::Duration;

use bytes::Bytes;

use super::BoxFuture;
use crate::attempt::Response;
use crate::header::Value;
use crate::outcome::{Asks, UnreachableCause};
use crate::target_url::TargetUrl;

pub trait Transport: Send + Sync {
    /// Sends once: no redirect, no retry, one deadline over connect, head and body.
    /// The address policy is applied to what is dialled.
    ///
    /// # Cancel safety
    /// Dropping the future closes the exchange; the receiver may have seen the request.
    fn send(&self, request: OutboundRequest) -> BoxFuture<'_, Exchange>;
}

#[derive(Debug)]
pub struct OutboundRequest {
    pub url: TargetUrl,
    /// Complete but for `host` and `content-length`, in the order to send.
    pub headers: Vec<(String, Value)>,
    pub body: Bytes,
    pub timeout: Duration,
}

#[derive(Debug)]
pub struct Exchange {
    pub result: Exchanged,
    /// Name look-up, TCP and TLS; zero on a connection that was kept alive.
    pub connect: Duration,
    pub total: Duration,
}

#[derive(Debug)]
pub enum Exchanged {
    /// A head arrived. A body that broke off or was too slow is `truncated`, nothing worse.
    Answered {
        response: Response,
        /// `Retry-After` in seconds from now (dates converted), as the receiver sent it.
        retry_after: Option<Duration>,
        asks: Option<Asks>,
    },
    Unreachable {
        cause: UnreachableCause,
        message: String,
    },
    TimedOut {
        while_doing: String,
    },
    Blocked {
        message: String,
    },
    /// Nothing was asked of the receiver: this server has no more files or memory.
    Internal {
        message: String,
    },
}
