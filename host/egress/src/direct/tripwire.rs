//! The last look at each new connection, and the clock on its making.
//!
//! Whatever led to a connection, its peer is held against the policy once more before HTTP is
//! spoken on it. If this ever refuses something that the earlier checks let through, one of them
//! has a hole.

use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::{Connection, HttpInfo};
use tower::{BoxError, Layer, Service};
use whisperer_domain::address::AddressPolicy;
use whisperer_domain::port::BoxFuture;

use crate::error::Barred;
use crate::progress::Progress;

#[derive(Clone)]
pub(super) struct TripwireLayer {
    pub(super) policy: Arc<AddressPolicy>,
}

impl<S> Layer<S> for TripwireLayer {
    type Service = Tripwire<S>;

    fn layer(&self, inner: S) -> Tripwire<S> {
        Tripwire {
            inner,
            policy: Arc::clone(&self.policy),
        }
    }
}

/// A connector around reqwest's own.
#[derive(Clone)]
pub(super) struct Tripwire<S> {
    inner: S,
    policy: Arc<AddressPolicy>,
}

impl<S, Destination> Service<Destination> for Tripwire<S>
where
    S: Service<Destination, Error = BoxError>,
    S::Response: Connection + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, destination: Destination) -> Self::Future {
        let Some(progress) = Progress::current() else {
            return Box::pin(async { Err(Barred::Unaccounted.into()) });
        };
        progress.begins();
        progress.reaches();
        let connecting = self.inner.call(destination);
        let policy = Arc::clone(&self.policy);
        Box::pin(async move {
            let connection = connecting.await.inspect_err(|_| progress.failed())?;
            let mut told = http::Extensions::new();
            connection.connected().get_extras(&mut told);
            let info: &HttpInfo = told.get().ok_or(Barred::Unaccounted)?;
            let checked = policy.check_connected(info.local_addr(), info.remote_addr());
            if let Err(forbidden) = checked {
                progress.failed();
                return Err(Barred::PolicyOfName(forbidden).into());
            }
            progress.connected(info.local_addr());
            Ok(connection)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::AsyncReadExt;
    use whisperer_domain::address::AddressPolicy;

    use super::TripwireLayer;
    use crate::fault;
    use crate::progress::Progress;
    use crate::trust::client_config;

    /// Everything before the tripwire is left out here, as if it had a hole.
    #[tokio::test]
    async fn invariant_6_a_forbidden_peer_gets_no_byte() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_backend_preconfigured(client_config(&[], &[]).unwrap())
            .connector_layer(TripwireLayer {
                policy: Arc::new(AddressPolicy::default()),
            })
            .build()
            .unwrap();
        let request = client.post(format!("http://{address}/")).body("secret");
        let sending = Progress::new(address.port(), false).scope(request.send());
        let receiving = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut received = Vec::new();
            socket.read_to_end(&mut received).await.unwrap();
            received
        };
        let (sent, received) = tokio::join!(sending, receiving);
        assert!(received.is_empty());
        let judged = fault::judge(&sent.unwrap_err(), "http://target.example");
        let words = format!("{judged:?}");
        assert!(words.starts_with("Blocked"), "{words}");
        assert!(!words.contains("127.0.0"), "the operator's: {words}");
    }
}
