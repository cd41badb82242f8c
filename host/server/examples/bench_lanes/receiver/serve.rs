//! The receiver's own process: takes what comes, notes it, and answers as the path says.
//!
//! One thread, so that it cannot take both cores from the server. It ends when its standard input
//! does, and so does not outlive the benchmark, however that ends. The paths under `/-/` are for
//! the benchmark itself.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::future::{IntoFuture as _, pending};
use std::io::Read as _;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;

use super::place::{Manner, Place};
use super::receipt::Receipt;
use crate::event::Envelope;
use crate::wall;

/// One in so many attempts fails at a flaky place.
const FLAKY_ONE_IN: u32 = 20;
/// The failures are the same in every run.
const FLAKY_SEED: u64 = 5;

struct Book {
    receipts: Vec<Receipt>,
    taken: HashMap<Place, u64>,
    chance: fastrand::Rng,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Book>>);

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Serves until standard input ends; the first line of standard output says where.
pub(crate) fn serve() -> anyhow::Result<()> {
    std::thread::spawn(|| {
        let mut nothing = [0; 64];
        while let Ok(1..) = std::io::stdin().read(&mut nothing) {}
        std::process::exit(0);
    });
    let shared = Shared(Arc::new(Mutex::new(Book {
        receipts: Vec::new(),
        taken: HashMap::new(),
        chance: fastrand::Rng::with_seed(FLAKY_SEED),
    })));
    let router = Router::new()
        .route("/-/taken/{manner}/{number}", get(taken_there))
        .route("/-/receipts", post(hand_over))
        .fallback(take)
        .with_state(shared);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}", listener.local_addr()?);
        let listener = listener.tap_io(|socket| {
            // Only a matter of speed: without it the answer still goes out.
            let _ = socket.set_nodelay(true);
        });
        axum::serve(listener, router)
            .into_future()
            .await
            .context("the receiver ended")
    })
}

async fn take(
    State(shared): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let at_us = wall::now_us();
    let read = || -> anyhow::Result<(Place, u64, u128)> {
        let envelope: Envelope = serde_json::from_slice(&body)?;
        let id = headers.get("webhook-id").context("no webhook-id")?;
        let id = u128::from_str_radix(id.to_str()?, 16)?;
        Ok((uri.path().parse()?, envelope.payload.number, id))
    };
    let (place, number, webhook_id) = match read() {
        Ok(it) => it,
        Err(error) => {
            eprintln!("the receiver got what nobody posted, at {uri}: {error:#}");
            return StatusCode::IM_A_TEAPOT;
        }
    };
    let status = note(&shared, place, |status| Receipt {
        place,
        number,
        at_us,
        status,
        webhook_id,
    });
    match place.manner {
        Manner::Fast | Manner::Flaky => {}
        Manner::Slow => tokio::time::sleep(Duration::from_millis(place.number.into())).await,
        Manner::Hole => pending().await,
    }
    status
}

fn note(shared: &Shared, place: Place, receipt: impl FnOnce(u16) -> Receipt) -> StatusCode {
    let mut book = shared.book();
    let status = match place.manner {
        Manner::Fast | Manner::Slow => StatusCode::OK,
        Manner::Flaky if book.chance.u32(..FLAKY_ONE_IN) == 0 => StatusCode::INTERNAL_SERVER_ERROR,
        Manner::Flaky => StatusCode::OK,
        Manner::Hole => {
            book.receipts.push(receipt(0));
            return StatusCode::OK;
        }
    };
    if status == StatusCode::OK {
        *book.taken.entry(place).or_default() += 1;
    }
    book.receipts.push(receipt(status.as_u16()));
    status
}

/// How many were answered 200 there.
async fn taken_there(
    State(shared): State<Shared>,
    Path((manner, number)): Path<(String, String)>,
) -> Result<String, (StatusCode, String)> {
    let place = format!("/{manner}/{number}")
        .parse()
        .map_err(|error| (StatusCode::NOT_FOUND, format!("{error:#}")))?;
    Ok(shared
        .book()
        .taken
        .get(&place)
        .copied()
        .unwrap_or(0)
        .to_string())
}

/// All receipts since the last time, in order of arrival.
async fn hand_over(State(shared): State<Shared>) -> String {
    let receipts = std::mem::take(&mut shared.book().receipts);
    let mut text = String::with_capacity(receipts.len() * 80);
    for receipt in receipts {
        // Writing into a string does not fail.
        let _ = writeln!(text, "{receipt}");
    }
    text
}
