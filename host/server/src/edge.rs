//! The edge of the network: connections in, each with its timeouts, all under one cap.
//!
//! Not `axum::serve`, which sets no timer: hyper then waits for a request's head for ever. Here
//! a connection has so long to bring a head, counted from when it went idle, and bodies have
//! their own time where they are read. Told to stop, it accepts nothing more, lets the requests
//! under way finish, and closes the idle connections.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::util::MapRequest;

use crate::api::Peer;

/// A request's head may be this long; hyper's own default is six times as much.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// How long to leave the socket alone after an error that is not the connection's, such as
/// too many open files: it would come again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(250);

#[derive(Clone, Copy, Debug)]
pub struct EdgeConfig {
    /// Open at one time; more wait in the system's queue.
    pub connections_max: usize,
    /// From idle to a whole head, so also how long a connection may idle.
    pub header_timeout: Duration,
}

/// Serves until `stop`. Each connection is a task of `tracker`, which then is empty when the
/// last request is answered.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    config: EdgeConfig,
    tracker: TaskTracker,
    stop: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(
        config.connections_max.min(Semaphore::MAX_PERMITS),
    ));
    loop {
        let slot = tokio::select! {
            () = stop.cancelled() => return,
            slot = Arc::clone(&slots).acquire_owned() => slot,
        };
        // The semaphore is never closed; if it were, there would be nothing to serve with.
        let Ok(slot) = slot else { return };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (router, stop) = (router.clone(), stop.clone());
                tracker.spawn(async move {
                    connection(stream, router, config, stop).await;
                    drop(slot);
                });
            }
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted just now");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    config: EdgeConfig,
    stop: CancellationToken,
) {
    // Answers are small and whole: waiting for more to send only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    // Who has no address any more is gone: the connection will find out.
    let peer = stream.peer_addr().ok().map(Peer);
    let told = MapRequest::new(
        router.into_service(),
        move |mut request: Request<Incoming>| {
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
            request
        },
    );
    let service = TowerToHyperService::new(told);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// The peer gave up before it was accepted: nothing is wrong here.
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use super::{EdgeConfig, serve};

    async fn started(
        router: Router,
        header_timeout: Duration,
    ) -> (TcpStream, TaskTracker, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let config = EdgeConfig {
            connections_max: 4,
            header_timeout,
        };
        tracker.spawn(serve(
            listener,
            router,
            config,
            tracker.clone(),
            stop.clone(),
        ));
        (TcpStream::connect(address).await.unwrap(), tracker, stop)
    }

    #[tokio::test]
    async fn a_head_that_never_ends_is_cut_off() {
        let router = Router::new().route("/", get(|| async { "hello" }));
        let (mut client, ..) = started(router, Duration::from_millis(50)).await;
        client.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
        let mut answer = Vec::new();
        // Ends because the server closes: nothing else would end it.
        client.read_to_end(&mut answer).await.unwrap();
        assert!(!String::from_utf8_lossy(&answer).contains("200"));
    }

    #[tokio::test]
    async fn a_request_under_way_is_answered_after_stop_and_the_rest_is_closed() {
        let (begun, release) = (CancellationToken::new(), CancellationToken::new());
        let (in_begun, in_release) = (begun.clone(), release.clone());
        let handler = move || async move {
            in_begun.cancel();
            in_release.cancelled().await;
            "late"
        };
        let router = Router::new().route("/", get(handler));
        let (mut client, tracker, stop) = started(router, Duration::from_secs(30)).await;
        client
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        begun.cancelled().await;
        stop.cancel();
        release.cancel();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert!(String::from_utf8_lossy(&answer).ends_with("late"));
        tracker.close();
        tracker.wait().await;
    }
}
