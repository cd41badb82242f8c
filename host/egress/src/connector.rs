//! Makes the connections: name, policy, TCP or tunnel, policy once more, TLS.
//!
//! The only place that dials. Whatever led to a connection, its peer is held against the policy
//! once more before a byte goes over it, TLS's included: the tripwire. If that ever refuses
//! something which the earlier checks let through, one of them has a hole.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower::{BoxError, Service};
use whisperer_domain::address::AddressPolicy;
use whisperer_domain::hook::TIMEOUT_MAX;
use whisperer_domain::port::BoxFuture;

use crate::dial::dial;
use crate::error::{Barred, is_exhaustion};
use crate::link::{Connections, Link, Origin, Stream};
use crate::meter::{Meter, Metered};
use crate::progress::Progress;
use crate::proxy::{Tunnels, server_name};
use crate::resolve::Names;

#[derive(Clone)]
pub(crate) struct Connector(pub(crate) Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) names: Names,
    pub(crate) policy: Arc<AddressPolicy>,
    pub(crate) tls: TlsConnector,
    pub(crate) tunnels: Option<Tunnels>,
    pub(crate) connections: Arc<Connections>,
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
        let port = target.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let addresses = self.names.permitted(host, port, progress).await?;
        let open = self.connections.enter();
        let (stream, local) = match &self.tunnels {
            None => {
                progress.dials();
                self.direct(&addresses).await?
            }
            Some(tunnels) => {
                progress.tunnels();
                tunnels.open(&self.names, &addresses).await?
            }
        };
        let meter = Meter::new();
        let stream: Stream = Box::new(Metered::new(stream, Arc::clone(&meter)));
        let (stream, http2) = if secure {
            progress.secures();
            self.secured(host, stream).await?
        } else {
            (stream, false)
        };
        Ok(Link {
            io: TokioIo::new(stream),
            origin: Origin { local, meter },
            http2,
            open,
        })
    }

    async fn direct(&self, addresses: &[SocketAddr]) -> Result<(Stream, SocketAddr), BoxError> {
        let stream = dial(addresses).await.map_err(|error| -> BoxError {
            if is_exhaustion(&error) {
                Barred::Exhausted(error).into()
            } else {
                error.into()
            }
        })?;
        let local = self.tripwire(&stream)?;
        Ok((Box::new(stream), local))
    }

    fn tripwire(&self, stream: &TcpStream) -> Result<SocketAddr, BoxError> {
        // A peer that is gone already is an error of the connection, not of the policy.
        let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
        let checked = self.policy.check_connected(local, peer);
        checked.map_err(Barred::PolicyOfName)?;
        Ok(local)
    }

    async fn secured(&self, host: &str, stream: Stream) -> Result<(Stream, bool), BoxError> {
        let name = server_name(host).ok_or(rustls::Error::General("not a host name".to_owned()))?;
        let stream = self.tls.connect(name, stream).await?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok((Box::new(stream), http2))
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;
    use whisperer_domain::address::AddressPolicy;

    use crate::egress::{EgressConfig, parts};
    use crate::fault;
    use crate::system_lookup::SystemLookup;

    struct NoClock;

    impl whisperer_domain::port::Clock for NoClock {
        fn now(&self) -> whisperer_domain::time::Timestamp {
            whisperer_domain::time::Timestamp(0)
        }

        fn sleep(
            &self,
            wait: std::time::Duration,
        ) -> whisperer_domain::port::BoxFuture<'static, ()> {
            Box::pin(tokio::time::sleep(wait))
        }
    }

    /// Everything before the tripwire is left out here, as if it had a hole.
    #[tokio::test]
    async fn invariant_6_a_forbidden_peer_is_refused_though_it_was_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = EgressConfig::new(
            AddressPolicy::default().into(),
            std::sync::Arc::new(NoClock),
        );
        let parts = parts(&config, std::sync::Arc::new(SystemLookup::new())).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let error = parts.tripwire(&stream).unwrap_err();
        let words = format!(
            "{:?}",
            fault::judge(error.as_ref(), "http://target.example")
        );
        assert!(words.starts_with("Blocked"), "{words}");
    }
}
