//! The two ways out, and what both have in common.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Response;
use http_body_util::combinators::UnsyncBoxBody;
use tower::BoxError;

use crate::direct::Direct;
use crate::request::Post;
use crate::tunnel::Tunnel;

/// Chosen once, by whether a proxy is configured.
pub(crate) enum Way {
    Direct(Direct),
    Tunnel(Box<Tunnel>),
}

/// An answer whose head has come.
pub(crate) struct Answer {
    pub(crate) response: Response<UnsyncBoxBody<Bytes, BoxError>>,
    /// Of the connection that it came over.
    pub(crate) local: Option<SocketAddr>,
}

impl Way {
    /// Sends once. What an error means is found in its causes by [`fault`](crate::fault).
    ///
    /// `keeps`: whether the connection may be kept for the next one.
    ///
    /// # Cancel safety
    /// Dropping the future drops the connection.
    pub(crate) async fn send(&self, post: Post, keeps: bool) -> Result<Answer, BoxError> {
        match self {
            Self::Direct(direct) => direct.send(post, keeps).await,
            Self::Tunnel(tunnel) => tunnel.send(post, keeps).await,
        }
    }
}
