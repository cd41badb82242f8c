//! Invariant 1 under load: killed at any moment, starts included, the server loses nothing that it
//! answered 202, and sends twice no more than was in flight. `make torture` does it a hundred times
//! at a thousand events a second.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use whisperer_domain::id::EventId;
use whisperer_domain::port::Ledger;
use whisperer_server::SystemClock;
use whisperer_store::{RedbStore, StoreConfig};

use crate::support::eventually;
use crate::support::receiver::Receiver;
use crate::support::server::{ADMIN, Server, Setup};
use crate::support::torture::often;

/// Each with a hook of its own; the last one's receiver always fails.
const TYPES: [&str; 5] = [
    "package.created",
    "package.status.packed",
    "package.status.shipped",
    "shipment.created",
    "shipment.cancelled",
];
const POSTERS: u64 = 32;
/// Attempts that may be in flight at one time.
const IN_FLIGHT_MAX: u64 = 1024;

/// How often each event arrived. It keeps nothing else: a run brings hundreds of thousands.
#[derive(Default)]
struct Arrivals(Mutex<HashMap<String, u32>>);

impl Arrivals {
    /// Arrivals beyond the first of each.
    fn duplicates(&self) -> u64 {
        let arrived = self.0.lock().unwrap();
        arrived.values().map(|times| u64::from(times - 1)).sum()
    }
}

/// Serves as long as `receivers` lives; the URL.
async fn serve(app: Router, receivers: &mut JoinSet<io::Result<()>>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    receivers.spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/")
}

async fn arrive(State(arrivals): State<Arc<Arrivals>>, body: Bytes) -> StatusCode {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let id = body["payload"]["id"].as_str().unwrap().to_owned();
    *arrivals.0.lock().unwrap().entry(id).or_default() += 1;
    StatusCode::OK
}

/// Posts so many a second, evenly, until told to stop; keeps the ids that were answered 202.
struct Load<'a> {
    server: &'a Server,
    cycle: usize,
    pause: Duration,
    stop: AtomicBool,
    next: AtomicU64,
}

impl Load<'_> {
    async fn post(&self) -> Vec<String> {
        let mut acknowledged = Vec::new();
        let mut tick = tokio::time::interval(self.pause);
        while !self.stop.load(Ordering::Relaxed) {
            tick.tick().await;
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let id = format!("{}-{number}", self.cycle);
            let event_type = TYPES[number as usize % TYPES.len()];
            let body = json!({"id": id, "type": event_type, "payload": {"id": id}});
            let answer = self
                .server
                .http()
                .post(format!("{}/whisperer/events/", self.server.base))
                .header("authorization", format!("Token {ADMIN}"))
                .header("content-type", "application/json")
                .body(body.to_string())
                .send()
                .await;
            match answer {
                Ok(answer) if answer.status() == 202 => acknowledged.push(id),
                // It may be starting, or lag.
                Ok(answer) => assert_eq!(answer.status(), 503),
                Err(_) => break,
            }
        }
        acknowledged
    }
}

async fn hooks(server: &Server, good: &str, bad: &str) {
    for (place, event_type) in TYPES.into_iter().enumerate() {
        let is_good = place + 1 < TYPES.len();
        let target = if is_good { good } else { bad };
        server
            .hook(json!({
                "target_url": target, "event_type": event_type,
                "retry_countdown_config": {"choice": "fixed", "kwargs": {"seconds": 1}},
                "max_attempts": if is_good { 100 } else { 2 },
                "max_in_flight": 32,
            }))
            .await;
    }
}

/// Starts that are killed 10 to 500 ms later.
fn killed_starts(setup: &Setup, random: &mut fastrand::Rng) {
    for _ in 0..random.u64(2..=5) {
        let mut child = setup.command().spawn().unwrap();
        std::thread::sleep(Duration::from_millis(random.u64(10..=500)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_under_load_it_loses_nothing() {
    let cycles = often(5, 100);
    let per_second = often(300, 1000) as u64;
    let longest_ms = often(700, 5000) as u64;
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::in_folder(folder.path());
    let arrivals = Arc::new(Arrivals::default());
    let good = Router::new()
        .fallback(arrive)
        .with_state(Arc::clone(&arrivals));
    let mut receivers = JoinSet::new();
    let good = serve(good, &mut receivers).await;
    let bad = Router::new().fallback(async || StatusCode::BAD_GATEWAY);
    let bad = serve(bad, &mut receivers).await;
    let server = Server::start(&setup).ready().await;
    hooks(&server, &good, &bad).await;
    server.kill();

    let mut random = fastrand::Rng::with_seed(100);
    let mut acknowledged = Vec::new();
    let (mut boots, mut duplicates) = (Vec::new(), Vec::new());
    for cycle in 0..cycles {
        if cycle % 3 == 2 {
            killed_starts(&setup, &mut random);
        }
        let before = arrivals.duplicates();
        let started = Instant::now();
        let server = Server::start(&setup).ready().await;
        boots.push(started.elapsed());
        let load = Load {
            server: &server,
            cycle,
            pause: Duration::from_micros(1_000_000 * POSTERS / per_second),
            stop: AtomicBool::new(false),
            next: AtomicU64::new(0),
        };
        let life = Duration::from_millis(random.u64(50..longest_ms));
        let posters = (0..POSTERS).map(|_| load.post());
        let (posted, ()) = tokio::join!(futures_util::future::join_all(posters), async {
            tokio::time::sleep(life).await;
            server.signal("KILL");
            load.stop.store(true, Ordering::Relaxed);
        });
        acknowledged.extend(posted.into_iter().flatten());
        server.kill();
        duplicates.push(arrivals.duplicates() - before);
    }
    let server = Server::start(&setup).ready().await;
    let wanted: Vec<&String> = acknowledged.iter().filter(|id| is_good(id)).collect();
    eventually(
        "every event arrives",
        Duration::from_secs(120),
        async || {
            let arrived = arrivals.0.lock().unwrap();
            let has_all = wanted.iter().all(|id| arrived.contains_key(*id));
            has_all.then_some(())
        },
    )
    .await;
    let mut server = server;
    server.signal("TERM");
    server.ended(Duration::from_secs(60)).await;
    are_in_the_store(&setup, &acknowledged).await;

    boots.sort_unstable();
    let most = duplicates.iter().max().copied().unwrap();
    println!(
        "{cycles} kills: {} events acknowledged, none lost; duplicates {} in all, {most} at most in \
         a cycle; ready after {:?} (median), {:?} (longest)",
        acknowledged.len(),
        duplicates.iter().sum::<u64>(),
        boots[boots.len() / 2],
        boots[boots.len() - 1],
    );
    assert!(most <= IN_FLIGHT_MAX, "{most} were sent twice in a cycle");
    let least = cycles * per_second as usize / 20;
    assert!(
        acknowledged.len() > least,
        "only {} events",
        acknowledged.len()
    );
}

fn is_good(id: &str) -> bool {
    let (_, number) = id.split_once('-').unwrap();
    number.parse::<usize>().unwrap() % TYPES.len() + 1 < TYPES.len()
}

/// Each with its fate: looked up in the file itself, for there are too many to ask the API for.
async fn are_in_the_store(setup: &Setup, acknowledged: &[String]) {
    let config = StoreConfig::new(
        setup.data.join("whisperer.redb"),
        setup.data.join("secrets.key"),
    );
    let store = RedbStore::open(config, Arc::new(SystemClock)).unwrap();
    for id in acknowledged {
        let found = store.find_event(EventId::parse(id).unwrap()).await;
        assert!(found.unwrap().is_some(), "{id} is lost");
    }
}

/// D-08: it was delivered, and the crash came before that was on disk.
#[tokio::test]
async fn what_was_delivered_right_before_a_kill_comes_again_under_its_id_and_signed_anew() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::in_folder(folder.path());
    let server = Server::start(&setup).ready().await;
    let receiver = Receiver::slow(Duration::from_secs(20)).await;
    server
        .hook(json!({
            "target_url": receiver.url("/"), "event_type": "package.created",
            "secret_key": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        }))
        .await;
    server.event("package.created", json!({"n": 1})).await;
    receiver.wait(1, Duration::from_secs(5)).await;
    // The receiver has it; its timestamp counts seconds, so one must pass.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    server.kill();
    let _again = Server::start(&setup).ready().await;
    let got = receiver.wait(2, Duration::from_secs(10)).await;
    assert_eq!(got[0].header("webhook-id"), got[1].header("webhook-id"));
    assert_eq!(got[0].body, got[1].body);
    for header in ["webhook-timestamp", "webhook-signature"] {
        assert_ne!(got[0].header(header), "", "{header}");
        assert_ne!(got[0].header(header), got[1].header(header), "{header}");
    }
}
