//! What hostile receivers cost in memory and files, measured in a process that does nothing else.
//!
//! One test, so that nothing runs beside what is measured.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use whisperer_domain::address::AddressPolicy;
use whisperer_domain::port::{BoxFuture, Clock, Exchange, Exchanged, OutboundRequest, Transport};
use whisperer_domain::target_url::TargetUrl;
use whisperer_domain::time::Timestamp;
use whisperer_egress::{Egress, EgressConfig};

/// In parallel, of each kind.
const RECEIVERS: usize = 100;
const BYTES_MAX: usize = 5 << 20;
const TIMEOUT: Duration = Duration::from_secs(2);

struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(wait))
    }
}

/// What each kind of receiver says: once, then again and again.
const KINDS: [(&str, &str, &str); 7] = [
    ("fine", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", ""),
    ("silent", "", ""),
    ("endless", "HTTP/1.1 200 OK\r\n\r\n", "xxxxxxxx"),
    (
        "10 GB",
        "HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n",
        "xxxxxxxx",
    ),
    (
        "trailers",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
        "x: yyyy\r\n",
    ),
    ("hints", "", "HTTP/1.1 103 Early Hints\r\n\r\n"),
    ("head", "HTTP/1.1 200 OK\r\nx: ", "xxxxxxxx"),
];

async fn serve(listener: TcpListener, once: &'static str, again: &'static str) {
    let block: Arc<[u8]> = again
        .repeat((64 << 10) / again.len().max(1))
        .as_bytes()
        .into();
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        connections.spawn(misbehave(socket, once, Arc::clone(&block)));
        while connections.try_join_next().is_some() {}
    }
}

async fn misbehave(mut socket: TcpStream, once: &'static str, block: Arc<[u8]>) {
    let mut request = [0; 1024];
    let _ = socket.read(&mut request).await;
    let _ = socket.write_all(once.as_bytes()).await;
    while !block.is_empty() {
        if socket.write_all(&block).await.is_err() {
            return;
        }
    }
    while socket.read(&mut request).await.is_ok_and(|read| read > 0) {}
}

fn request(address: SocketAddr) -> OutboundRequest {
    OutboundRequest {
        url: TargetUrl::parse(&format!("http://{address}/")).unwrap(),
        headers: Vec::new(),
        body: "{}".into(),
        timeout: TIMEOUT,
    }
}

async fn send_to_all(egress: &Arc<Egress>, address: SocketAddr) -> Vec<Exchange> {
    let mut sending = JoinSet::new();
    for _ in 0..RECEIVERS {
        let egress = Arc::clone(egress);
        sending.spawn(async move { egress.send(request(address)).await });
    }
    sending.join_all().await
}

/// A line of `/proc/self/status`, in bytes.
fn status(key: &str) -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .unwrap();
    let kib: usize = line.split_whitespace().next().unwrap().parse().unwrap();
    kib << 10
}

fn files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

async fn files_are_back_to(base: usize, what: &str) {
    let began = Instant::now();
    while files() > base {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{what}: {}",
            files()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn invariant_8_hundreds_of_hostile_receivers_cost_little() {
    let policy = AddressPolicy {
        allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..AddressPolicy::default()
    };
    let mut config = EgressConfig::new(Arc::new(policy), Arc::new(NoClock));
    config.pool_idle_per_host = 0;
    let egress = Arc::new(Egress::new(config).unwrap());
    let mut serving = JoinSet::new();
    let mut addresses = Vec::new();
    for (_, once, again) in KINDS {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.push(listener.local_addr().unwrap());
        serving.spawn(serve(listener, once, again));
    }
    // What the first exchanges take once and for all is not theirs.
    for _ in 0..3 {
        send_to_all(&egress, addresses[0]).await;
    }
    let base_files = files();
    for ((kind, ..), address) in KINDS.into_iter().zip(addresses) {
        // The peak counts from here on.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = status("VmRSS:");
        let ended = send_to_all(&egress, address).await;
        let more = status("VmHWM:").saturating_sub(before);
        let slowest = ended.iter().map(|exchange| exchange.total).max().unwrap();
        println!("{kind}: {} KiB more, {slowest:?}", more >> 10);
        assert!(more < BYTES_MAX, "{kind}: {more} bytes more");
        assert!(
            slowest < TIMEOUT + Duration::from_secs(1),
            "{kind}: {slowest:?}"
        );
        for exchange in ended {
            let answers = matches!(exchange.result, Exchanged::Answered { .. });
            let expected = !matches!(kind, "silent" | "hints" | "head");
            assert_eq!(answers, expected, "{kind}: {:?}", exchange.result);
        }
        files_are_back_to(base_files, kind).await;
    }
}
