//! A partner's endpoint: verifies, shows, and at `/flaky` fails twice before it accepts.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::ensure;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use tokio::task::JoinSet;

/// What all hooks of the demo share.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// How often `/flaky` refuses a delivery.
const REFUSALS: usize = 2;

#[derive(Default)]
struct Seen {
    /// By delivery: how often it came.
    tries: Mutex<HashMap<String, usize>>,
    accepted: AtomicUsize,
    refused: AtomicUsize,
    forged: AtomicUsize,
}

pub(crate) struct Receiver {
    address: SocketAddr,
    seen: Arc<Seen>,
    _tasks: JoinSet<()>,
}

impl Receiver {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let seen = Arc::new(Seen::default());
        let router = Router::new().fallback(take).with_state(Arc::clone(&seen));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("the receiver ended: {error}");
            }
        });
        Ok(Self {
            address,
            seen,
            _tasks: tasks,
        })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn counts(&self) -> (usize, usize) {
        (
            self.seen.accepted.load(Ordering::SeqCst),
            self.seen.refused.load(Ordering::SeqCst),
        )
    }

    /// Waits until `accepted` deliveries were taken.
    pub(crate) async fn wait(&self, accepted: usize, within: Duration) -> anyhow::Result<()> {
        let start = Instant::now();
        while self.counts().0 < accepted {
            ensure!(
                start.elapsed() < within,
                "only {} of {accepted} deliveries came within {within:?}",
                self.counts().0
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        ensure!(
            self.seen.forged.load(Ordering::SeqCst) == 0,
            "a signature did not hold"
        );
        Ok(())
    }
}

async fn take(
    State(seen): State<Arc<Seen>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or("")
    };
    let uuid = header("webhook-id").to_owned();
    let try_number = {
        let mut tries = seen
            .tries
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let count = tries.entry(uuid.clone()).or_default();
        *count += 1;
        *count
    };
    let genuine = standardwebhooks::Webhook::new(SECRET)
        .is_ok_and(|webhook| webhook.verify(&body, &headers).is_ok());
    let status = if !genuine {
        seen.forged.fetch_add(1, Ordering::SeqCst);
        StatusCode::UNAUTHORIZED
    } else if uri.path() == "/flaky" && try_number <= REFUSALS {
        seen.refused.fetch_add(1, Ordering::SeqCst);
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    show(uri.path(), &headers, &body, genuine, try_number, status);
    if status == StatusCode::OK {
        seen.accepted.fetch_add(1, Ordering::SeqCst);
    }
    status
}

/// One request, printed in one piece so that two do not mix.
fn show(
    path: &str,
    headers: &HeaderMap,
    body: &Bytes,
    genuine: bool,
    try_number: usize,
    status: StatusCode,
) {
    let mut text = format!("\n--> POST {path}   try {try_number}\n");
    for (name, value) in headers {
        let name = name.as_str();
        let told = name.starts_with("webhook-") || name.starts_with("x-") || name == "content-type";
        if told {
            text.push_str(&format!("    {name}: {}\n", value.to_str().unwrap_or("?")));
        }
    }
    text.push_str(&format!("    {}\n", String::from_utf8_lossy(body)));
    let verdict = if genuine {
        "signature verified"
    } else {
        "SIGNATURE DOES NOT HOLD"
    };
    text.push_str(&format!("<-- {status}   {verdict}"));
    println!("{text}");
}
