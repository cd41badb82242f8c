//! A partner's endpoint: keeps what it got and answers as told.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::serve::ListenerExt as _;
use tokio::task::JoinSet;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) at: Instant,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap_or("?"))
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }
}

/// What is answered: a status, and headers beside the usual ones.
pub(crate) struct Reply {
    status: StatusCode,
    headers: Vec<(HeaderName, String)>,
}

impl Reply {
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let name = HeaderName::from_static(name);
        self.headers.push((name, value.into()));
        self
    }
}

impl From<StatusCode> for Reply {
    fn from(status: StatusCode) -> Self {
        Self {
            status,
            headers: Vec::new(),
        }
    }
}

/// Says what to answer to the request with this number, counted from 0.
type Answer = Box<dyn Fn(usize, &Received) -> Reply + Send + Sync>;

struct Shared {
    answer: Answer,
    /// How long it thinks, after it has taken the request down.
    delay: Duration,
    got: Mutex<Vec<Received>>,
    /// Made to it so far.
    connections: AtomicUsize,
}

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    /// Ends with the receiver.
    _tasks: JoinSet<()>,
}

impl Receiver {
    pub(crate) async fn accepting() -> Self {
        Self::answering(|_, _| StatusCode::OK).await
    }

    pub(crate) async fn answering<R: Into<Reply>>(
        answer: impl Fn(usize, &Received) -> R + Send + Sync + 'static,
    ) -> Self {
        let answer: Answer = Box::new(move |number, received| answer(number, received).into());
        Self::serve(answer, Duration::ZERO).await
    }

    /// Accepts everything, each time after `delay`.
    pub(crate) async fn slow(delay: Duration) -> Self {
        Self::serve(Box::new(|_, _| StatusCode::OK.into()), delay).await
    }

    async fn serve(answer: Answer, delay: Duration) -> Self {
        let shared = Arc::new(Shared {
            answer,
            delay,
            got: Mutex::default(),
            connections: AtomicUsize::default(),
        });
        let router = Router::new().fallback(take).with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let counting = Arc::clone(&shared);
        let listener = listener.tap_io(move |_| {
            counting.connections.fetch_add(1, Ordering::Relaxed);
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            axum::serve(listener, router)
                .await
                .expect("serving does not end");
        });
        Self {
            address,
            shared,
            _tasks: tasks,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn got(&self) -> Vec<Received> {
        self.shared.got.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.shared.got.lock().unwrap().len()
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Waits until at least `count` requests came, and answers them all.
    pub(crate) async fn wait(&self, count: usize, within: Duration) -> Vec<Received> {
        super::eventually(&format!("{count} requests"), within, async || {
            (self.count() >= count).then(|| self.got())
        })
        .await
    }
}

async fn take(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let received = Received {
        at: Instant::now(),
        path: uri.path().to_owned(),
        headers,
        body,
    };
    let reply = {
        let mut got = shared.got.lock().unwrap();
        let reply = (shared.answer)(got.len(), &received);
        got.push(received);
        reply
    };
    tokio::time::sleep(shared.delay).await;
    (reply.status, AppendHeaders(reply.headers)).into_response()
}
