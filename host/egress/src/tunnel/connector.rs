//! Makes the connections: name, policy, tunnel, TLS.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower::{BoxError, Service};
use whisperer_domain::hook::TIMEOUT_MAX;
use whisperer_domain::port::BoxFuture;

use super::link::{Link, Origin, Stream};
use super::meter::{Meter, Metered};
use super::proxy::{Proxy, server_name};
use crate::error::Barred;
use crate::progress::Progress;
use crate::resolve::Names;

#[derive(Clone)]
pub(super) struct Connector(pub(super) Arc<Parts>);

pub(super) struct Parts {
    pub(super) names: Arc<Names>,
    pub(super) proxy: Proxy,
    pub(super) tls: TlsConnector,
}

impl Service<Uri> for Connector {
    type Response = Link;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Link, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let Some(progress) = Progress::current() else {
            return Box::pin(async { Err(Barred::Unaccounted.into()) });
        };
        progress.begins();
        let parts = Arc::clone(&self.0);
        Box::pin(async move {
            // The exchange's deadline ends every wait but one: a connection that is made in the
            // background because a kept one became free first.
            let made = timeout(TIMEOUT_MAX, parts.connect(&target, &progress)).await;
            match made.unwrap_or_else(|elapsed| Err(elapsed.into())) {
                Ok(link) => {
                    progress.connected(link.origin.local);
                    Ok(link)
                }
                Err(error) => {
                    progress.failed();
                    Err(error)
                }
            }
        })
    }
}

impl Parts {
    async fn connect(&self, target: &Uri, progress: &Progress) -> Result<Link, BoxError> {
        let secure = target.scheme_str() == Some("https");
        let host = target.host().ok_or(Barred::Unaccounted)?;
        let port = progress.port();
        let addresses = self.names.permitted(host, port, progress).await?;
        progress.tunnels();
        let (stream, local) = self.proxy.open(&self.names, &addresses).await?;
        let meter = Meter::new();
        let stream: Stream = Box::new(Metered::new(stream, Arc::clone(&meter)));
        let stream = if secure {
            progress.secures();
            self.secured(host, stream).await?
        } else {
            stream
        };
        Ok(Link {
            io: TokioIo::new(stream),
            origin: Origin { local, meter },
        })
    }

    async fn secured(&self, host: &str, stream: Stream) -> Result<Stream, BoxError> {
        let name = server_name(host).ok_or(rustls::Error::General("not a host name".to_owned()))?;
        Ok(Box::new(self.tls.connect(name, stream).await?))
    }
}
