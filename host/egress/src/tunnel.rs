//! Through the operator's egress proxy, by a client of our own on hyper-util.
//!
//! Not by reqwest: its proxies are asked for the target's name, and what they make of it is not
//! ours to check. Here the name is looked up and checked first, and the proxy is asked by CONNECT
//! for an address that passed. TLS and `Host` still go by the name, end to end.

mod connector;
mod dial;
mod link;
mod meter;
mod proxy;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio_rustls::TlsConnector;
use tower::BoxError;

use crate::egress::EgressConfig;
use crate::request::Post;
use crate::resolve::Names;
use crate::way::Answer;
use connector::{Connector, Parts};
use link::Origin;
use proxy::Proxy;
pub use proxy::{EgressProxy, ProxyUrlError};

/// What a connection has for reading, so about the longest head: at a fast peer's it fills up, and
/// a thousand peers may be fast at once.
const READ_BUFFER_BYTES: usize = 12 << 10;

pub(crate) struct Tunnel {
    keeping: Client<Connector, Full<Bytes>>,
    /// Keeps no connection.
    single: Client<Connector, Full<Bytes>>,
}

impl Tunnel {
    /// `to_proxy` and `to_receivers`: how either is secured.
    pub(crate) fn new(
        config: &EgressConfig,
        proxy: EgressProxy,
        names: &Arc<Names>,
        [to_proxy, to_receivers]: [rustls::ClientConfig; 2],
    ) -> Self {
        let connector = Connector(Arc::new(Parts {
            names: Arc::clone(names),
            proxy: Proxy::new(proxy, to_proxy),
            tls: TlsConnector::from(Arc::new(to_receivers)),
        }));
        Self {
            keeping: client(config, connector.clone(), config.pool_idle_per_host),
            single: client(config, connector, 0),
        }
    }

    pub(crate) async fn send(&self, post: Post, keeps: bool) -> Result<Answer, BoxError> {
        let client = if keeps { &self.keeping } else { &self.single };
        let mut request = Request::new(Full::new(post.body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = post.uri;
        *request.headers_mut() = post.headers;
        let response = client.request(request).await?;
        let origin: Option<&Origin> = response.extensions().get();
        let local = origin.map(|origin| {
            origin.meter.answered();
            origin.local
        });
        Ok(Answer {
            response: response.map(|body| body.map_err(Into::into).boxed_unsync()),
            local,
        })
    }
}

fn client(
    config: &EgressConfig,
    connector: Connector,
    idle_per_host: usize,
) -> Client<Connector, Full<Bytes>> {
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(idle_per_host)
        .pool_idle_timeout(config.pool_idle_timeout)
        // Of requests that were not begun only: a kept connection turned out to be closed.
        .retry_canceled_requests(true)
        .http1_max_buf_size(READ_BUFFER_BYTES)
        .build(connector)
}
