//! A receiver that tells back all it was sent, head and body; at times it fails, or breaks off.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// By path.
type Counts = Arc<Mutex<HashMap<String, usize>>>;

pub(crate) struct Echo {
    pub(crate) base: String,
    pub(crate) resets: String,
    /// Its own, so that its connections end with it.
    runtime: Option<Runtime>,
}

impl Echo {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let bind = || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            let address = listener.local_addr().unwrap();
            let _inside = runtime.enter();
            (TcpListener::from_std(listener).unwrap(), address)
        };
        let router = Router::new().fallback(echo).with_state(Counts::default());
        let (listener, address) = bind();
        let base = format!("http://{address}");
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let (listener, address) = bind();
        let resets = format!("http://{address}/");
        runtime.spawn(reset(listener));
        Self {
            base,
            resets,
            runtime: Some(runtime),
        }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Not by waiting: this may be within another runtime.
            runtime.shutdown_background();
        }
    }
}

async fn echo(State(counts): State<Counts>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let mut text = String::new();
    for (name, value) in &headers {
        text.push_str(&format!(
            "{name}: {}\n",
            String::from_utf8_lossy(value.as_bytes())
        ));
    }
    text.push_str(&String::from_utf8_lossy(&body));
    // Every other time it does what was asked: a receiver that only fails is left alone.
    let well = {
        let mut counts = counts.lock().unwrap();
        let count = counts.entry(uri.path().to_owned()).or_default();
        *count += 1;
        count.is_multiple_of(2)
    };
    let status = if uri.path().contains("fails") && !well {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::OK
    };
    let mut told = HeaderMap::new();
    for name in ["authorization", "x-partner", "x-plugin-token"] {
        if let Some(value) = headers.get(name) {
            told.insert(name, HeaderValue::clone(value));
        }
    }
    // Long answers are cut where they are kept: once amid what they tell.
    let filler = if uri.path().contains("long") {
        "x".repeat(16_300)
    } else {
        String::new()
    };
    (status, told, filler + &text).into_response()
}

/// Breaks every other connection off once something has come.
async fn reset(listener: TcpListener) {
    let mut count = 0_usize;
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut some = vec![0; 64 << 10];
        let _ = stream.read(&mut some).await;
        if count.is_multiple_of(2) {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(answer).await;
        }
        count += 1;
    }
}
