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
use whisperer_egress::{Egress, EgressConfig, EgressProxy};

/// In parallel, of each kind.
const RECEIVERS: usize = 100;
/// Straight: hyper's buffer for reading, whose size cannot be set through reqwest, doubles while a
/// fast peer fills it. A body is cut off after 64 KiB, so the buffer stays at about twice that.
const BYTES_OF_BODIES_MAX: usize = RECEIVERS * (256 << 10);
/// It grows to 408 KiB where a head goes on, and for a moment the next one stands beside it.
const BYTES_OF_HEADS_MAX: usize = RECEIVERS * (816 << 10);
/// Through a proxy, by the tunnel's own client; the proxy's two buffers of 8 KiB for each are in
/// this very process.
const BYTES_OF_TUNNELS_MAX: usize = (5 << 20) + RECEIVERS * (16 << 10);
/// Where a receiver says next to nothing.
const BYTES_MAX: usize = 5 << 20;
const LATE: Duration = Duration::from_millis(500);
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

/// How they end, and how late this machine's timers are beside them.
async fn send_to_all(egress: &Arc<Egress>, address: SocketAddr) -> (Vec<Exchange>, Duration) {
    let began = Instant::now();
    let mut timer = JoinSet::new();
    timer.spawn(async move {
        tokio::time::sleep(TIMEOUT).await;
        began.elapsed() - TIMEOUT
    });
    let mut sending = JoinSet::new();
    for _ in 0..RECEIVERS {
        let egress = Arc::clone(egress);
        sending.spawn(async move { egress.send(request(address)).await });
    }
    let ended = sending.join_all().await;
    let late = if began.elapsed() > TIMEOUT {
        timer.join_next().await.unwrap().unwrap()
    } else {
        Duration::ZERO
    };
    (ended, late)
}

/// Connects to whatever it is asked for.
async fn proxy(listener: TcpListener) {
    let mut tunnels = JoinSet::new();
    while let Ok((mut near, _)) = listener.accept().await {
        tunnels.spawn(async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(near.read_u8().await?);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let mut far = TcpStream::connect(head.split(' ').nth(1).unwrap()).await?;
            near.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            tokio::io::copy_bidirectional(&mut near, &mut far).await
        });
        while tunnels.try_join_next().is_some() {}
    }
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

fn egress(proxy: Option<&str>) -> Arc<Egress> {
    let policy = AddressPolicy {
        allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..AddressPolicy::default()
    };
    let mut config = EgressConfig::new(Arc::new(policy), Arc::new(NoClock));
    config.pool_idle_per_host = 0;
    config.proxy = proxy.map(|url| EgressProxy::parse(url).unwrap());
    Arc::new(Egress::new(config).unwrap())
}

#[tokio::test]
async fn invariant_8_hundreds_of_hostile_receivers_cost_little() {
    let mut serving = JoinSet::new();
    let mut addresses = Vec::new();
    for (_, once, again) in KINDS {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.push(listener.local_addr().unwrap());
        serving.spawn(serve(listener, once, again));
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    serving.spawn(proxy(listener));
    measure("through a proxy", &egress(Some(&url)), &addresses, |_| {
        BYTES_OF_TUNNELS_MAX
    })
    .await;
    measure("straight", &egress(None), &addresses, |kind| match kind {
        "endless" | "10 GB" | "trailers" => BYTES_OF_BODIES_MAX,
        "hints" | "head" => BYTES_OF_HEADS_MAX,
        _ => BYTES_MAX,
    })
    .await;
}

async fn measure(
    way: &str,
    egress: &Arc<Egress>,
    addresses: &[SocketAddr],
    bytes_max: fn(&str) -> usize,
) {
    // What the first exchanges take once and for all is not theirs.
    for _ in 0..3 {
        send_to_all(egress, addresses[0]).await;
    }
    let base_files = files();
    for ((kind, ..), address) in KINDS.into_iter().zip(addresses) {
        // The peak counts from here on.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = status("VmRSS:");
        let (ended, late) = send_to_all(egress, *address).await;
        let more = status("VmHWM:").saturating_sub(before);
        let slowest = ended.iter().map(|exchange| exchange.total).max().unwrap();
        println!("{way}, {kind}: {} KiB more, {slowest:?}", more >> 10);
        assert!(more < bytes_max(kind), "{way}, {kind}: {more} bytes more");
        assert!(
            slowest < TIMEOUT + LATE + late,
            "{way}, {kind}: {slowest:?}, where timers are {late:?} late"
        );
        for exchange in ended {
            let answers = matches!(exchange.result, Exchanged::Answered { .. });
            let expected = !matches!(kind, "silent" | "hints" | "head");
            assert_eq!(answers, expected, "{way}, {kind}: {:?}", exchange.result);
        }
        files_are_back_to(base_files, kind).await;
    }
}
