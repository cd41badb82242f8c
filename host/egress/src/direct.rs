//! Straight to the receiver, by reqwest: the way of every server without an egress proxy.
//!
//! reqwest makes the connections; the policy is asked where it lets us in: its resolver is ours,
//! and a layer sees each connection before a byte of HTTP goes over it.

mod resolver;
mod tripwire;

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::connect::HttpInfo;
use reqwest::{Body, Client, Method, Request, redirect, retry};
use tower::BoxError;

use crate::egress::EgressConfig;
use crate::error::EgressError;
use crate::request::Post;
use crate::resolve::Names;
use crate::way::Answer;
use resolver::GuardedResolver;
use tripwire::TripwireLayer;

pub(crate) struct Direct {
    keeping: Client,
    /// Keeps no connection.
    single: Client,
}

impl Direct {
    pub(crate) fn new(
        config: &EgressConfig,
        names: &Arc<Names>,
        tls: &rustls::ClientConfig,
    ) -> Result<Self, EgressError> {
        let client = |idle_per_host| client(config, names, tls.clone(), idle_per_host);
        Ok(Self {
            keeping: client(config.pool_idle_per_host)?,
            single: client(0)?,
        })
    }

    pub(crate) async fn send(&self, post: Post, keeps: bool) -> Result<Answer, BoxError> {
        let client = if keeps { &self.keeping } else { &self.single };
        let mut request = Request::new(Method::POST, post.url);
        *request.headers_mut() = post.headers;
        *request.body_mut() = Some(post.body.into());
        let response = client.execute(request).await?;
        let response: Response<Body> = response.into();
        let local = response.extensions().get().map(HttpInfo::local_addr);
        Ok(Answer {
            response: response.map(|body| body.map_err(Into::into).boxed_unsync()),
            local,
        })
    }
}

/// All that reqwest does by default and a webhook sender must not.
fn client(
    config: &EgressConfig,
    names: &Arc<Names>,
    tls: rustls::ClientConfig,
    idle_per_host: usize,
) -> Result<Client, EgressError> {
    Client::builder()
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(retry::never())
        .no_proxy()
        .pool_max_idle_per_host(idle_per_host)
        .pool_idle_timeout(config.pool_idle_timeout)
        .connect_timeout(config.connect_timeout)
        .http1_only()
        .tcp_keepalive(None::<Duration>)
        .tls_backend_preconfigured(tls)
        .dns_resolver(GuardedResolver(Arc::clone(names)))
        .connector_layer(TripwireLayer {
            policy: Arc::clone(&config.policy),
        })
        .build()
        .map_err(EgressError::Client)
}
