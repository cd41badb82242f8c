//! The receiver's own process: takes what comes, notes it, and answers as the path says.
//!
//! hyper and nothing above it, on one thread, so that it cannot take both cores from the server.
//! The paths under `/-/` are for the benchmark itself.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::pending;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use super::book::{Book, Came};
use super::place::Manner;
use super::tally::{Counted, Hooks, Tally};
use crate::child::end_with_stdin;
use crate::stamp::{Stamp, WITHIN_BYTES};
use crate::wall;

struct State {
    noted: Mutex<Noted>,
    /// Rung when as many deliveries came as somebody waits for.
    complete: Notify,
}

struct Noted {
    book: Book,
    tally: Tally,
    wanted: u64,
}

impl State {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Serves until standard input ends; the first line of standard output says where.
pub(crate) fn serve() -> anyhow::Result<()> {
    end_with_stdin();
    let nothing = Counted {
        hooks: Hooks::Every(0),
        first: 0,
    };
    let state = Arc::new(State {
        noted: Mutex::new(Noted {
            book: Book::new(),
            tally: Tally::new(nothing),
            wanted: u64::MAX,
        }),
        complete: Notify::new(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("http://{}", listener.local_addr()?);
        let connections = TaskTracker::new();
        loop {
            let (stream, _) = listener.accept().await.context("the receiver ended")?;
            connections.spawn(connection(stream, Arc::clone(&state)));
        }
    })
}

async fn connection(stream: TcpStream, state: Arc<State>) {
    // Only a matter of speed: without it the answer still goes out.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(request, Arc::clone(&state)));
    // A connection that breaks is the client's affair: it sends again.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<State>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    let answered = match path.strip_prefix("/count/") {
        Some(hook) => {
            let hook = hook.parse().ok();
            count(hook, request.into_body(), &state).await
        }
        None if path.starts_with("/-/") => asked(request, &state).await,
        None => take(request, &state).await,
    };
    let (status, text) = answered.unwrap_or_else(|why| {
        eprintln!("the receiver got what nobody posted: {why:#}");
        (StatusCode::IM_A_TEAPOT, format!("{why:#}"))
    });
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}

type Answer = anyhow::Result<(StatusCode, String)>;

async fn count(hook: Option<u32>, body: Incoming, state: &State) -> Answer {
    let stamp = stamp_of(body).await?;
    let at_us = wall::now_us();
    let mut noted = state.noted();
    let distinct = noted.tally.note(hook, stamp, at_us);
    if distinct >= noted.wanted {
        state.complete.notify_waiters();
    }
    Ok((StatusCode::OK, String::new()))
}

async fn take(request: Request<Incoming>, state: &State) -> Answer {
    let (head, body) = request.into_parts();
    let stamp = stamp_of(body).await?;
    let path = head.uri.path();
    let came = Came::read(path, &head.headers, stamp, wall::now_us())
        .with_context(|| format!("at {path}"))?;
    let status = state.noted().book.note(&came);
    match came.place.manner {
        Manner::Fast | Manner::Flaky => {}
        Manner::Slow => tokio::time::sleep(Duration::from_millis(came.place.number.into())).await,
        Manner::Hole => pending().await,
    }
    Ok((status, String::new()))
}

/// Reads a body to its end and keeps of it only what the stamp can be in.
async fn stamp_of(mut body: Incoming) -> anyhow::Result<Option<Stamp>> {
    let (mut head, mut found) = (Vec::new(), None);
    while let Some(frame) = body.frame().await {
        let frame = frame.context("a body was cut off")?;
        let Some(data) = frame.data_ref().filter(|_| found.is_none()) else {
            continue;
        };
        // Most come whole, and need no copy.
        if head.is_empty() {
            found = Stamp::find(data);
        }
        if found.is_none() && head.len() < WITHIN_BYTES {
            head.extend_from_slice(&data[..data.len().min(WITHIN_BYTES)]);
            found = Stamp::find(&head);
        }
    }
    Ok(found)
}

/// What the benchmark itself asks for.
async fn asked(request: Request<Incoming>, state: &State) -> Answer {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let text = std::str::from_utf8(&body)?;
    let told = match head.uri.path() {
        "/-/count" => {
            let counted = serde_json::from_str(text)?;
            let mut noted = state.noted();
            noted.tally = Tally::new(counted);
            noted.wanted = u64::MAX;
            String::new()
        }
        "/-/until" => {
            until(text.parse()?, state).await;
            String::new()
        }
        "/-/summary" => serde_json::to_string(&state.noted().tally.summary(text.parse()?))?,
        "/-/taken" => state.noted().book.taken(text.parse()?).to_string(),
        "/-/receipts" => {
            let receipts = state.noted().book.hand_over();
            let mut lines = String::with_capacity(receipts.len() * 80);
            for receipt in receipts {
                // Writing into a string does not fail.
                let _ = writeln!(lines, "{receipt}");
            }
            lines
        }
        other => bail!("{other} is none of this receiver's paths"),
    };
    Ok((StatusCode::OK, told))
}

async fn until(count: u64, state: &State) {
    loop {
        // Before the look, so that what comes in between is heard.
        let complete = state.complete.notified();
        {
            let mut noted = state.noted();
            if noted.tally.distinct() >= count {
                return;
            }
            noted.wanted = count;
        }
        complete.await;
    }
}
