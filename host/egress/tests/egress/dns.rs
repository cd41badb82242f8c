//! Names by real DNS: the system's resolver, a name server of the test's own, and a network of
//! its own in which really public addresses exist, so that the policy is the one of production.
//!
//! The network is a namespace, made by `unshare`; 93.184.216.34 stands for a receiver on the
//! internet, 10.0.0.1 and 127.0.0.1 for what must not be reached. Where the system lets nobody
//! make namespaces this says so and tests nothing: `policy` tests the same with scripted answers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::process::Command;
use tokio::task::JoinSet;
use whisperer_domain::address::AddressPolicy;
use whisperer_domain::outcome::UnreachableCause;
use whisperer_domain::port::{Exchanged, Transport};
use whisperer_egress::Egress;

use crate::name_server::{NameServer, Reply};
use crate::receiver::{Receiver, answer_all};
use crate::sender::{answered, blocked, config, request, send, unreachable};

const INSIDE: &str = "WHISPERER_TEST_INSIDE";
const PUBLIC: &str = "93.184.216.34";
const OK_AND_CLOSE: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
/// An address for each purpose, then this very test in the middle of it.
const ENTER: &str = "set -e
mount --bind \"$1\"/resolv.conf /etc/resolv.conf
mount --bind \"$1\"/hosts /etc/hosts
if [ -e /etc/nsswitch.conf ]; then mount --bind \"$1\"/nsswitch.conf /etc/nsswitch.conf; fi
ip link set lo up
ip addr add 93.184.216.34/32 dev lo
ip addr add 10.0.0.1/32 dev lo
shift
exec \"$@\"";

#[tokio::test]
async fn invariant_6_names_by_a_hostile_name_server() {
    if std::env::var_os(INSIDE).is_some() {
        return inside().await;
    }
    let namespaces = Command::new("unshare")
        .args(["-rmn", "ip", "link", "set", "lo", "up"])
        .output()
        .await;
    if !namespaces.is_ok_and(|tried| tried.status.success()) {
        eprintln!("NOT TESTED: this system lets nobody make namespaces");
        return;
    }
    let folder = std::env::temp_dir().join(format!("whisperer-dns-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in [
        ("resolv.conf", "nameserver 127.0.0.53\noptions timeout:1\n"),
        ("hosts", "127.0.0.1 localhost\n"),
        ("nsswitch.conf", "hosts: files dns\n"),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let ran = Command::new("unshare")
        .args(["-rmn", "sh", "-c", ENTER, "sh"])
        .arg(&folder)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "dns::invariant_6_names_by_a_hostile_name_server"])
        .arg("--nocapture")
        .env(INSIDE, "1")
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{said}");
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(told.contains("1 passed"), "{told}");
}

struct Places {
    public: Receiver,
    canaries: [Receiver; 3],
    port: u16,
}

impl Places {
    async fn open() -> Self {
        let on = |bind: String| async move {
            Receiver::start_on(&bind, |s| answer_all(s, OK_AND_CLOSE.as_bytes().into())).await
        };
        let public = on(format!("{PUBLIC}:0")).await;
        let port = public.address.port();
        let canaries = [
            on(format!("127.0.0.1:{port}")).await,
            on(format!("10.0.0.1:{port}")).await,
            on(format!("[::1]:{port}")).await,
        ];
        Self {
            public,
            canaries,
            port,
        }
    }

    fn url(&self, name: &str) -> String {
        format!("http://{name}:{}/hunter2", self.port)
    }

    fn reached(&self) -> (usize, usize) {
        let canaries = self.canaries.iter().map(Receiver::connections).sum();
        (self.public.connections(), canaries)
    }
}

async fn inside() {
    let places = Places::open().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let server: SocketAddr = "127.0.0.53:53".parse().unwrap();
    let _server = NameServer::start(server, move |name, v6| reply(name, v6, &count)).await;
    let mut quick = config(AddressPolicy::default());
    quick.dns_timeout = Duration::from_secs(1);
    assert_eq!(
        config(AddressPolicy::default()).dns_timeout,
        Duration::from_secs(5)
    );
    let egress = Arc::new(Egress::new(quick).unwrap());
    rebinding(&egress, &places).await;
    forbidden_answers(&egress, &places).await;
    many_answers(&egress, &places).await;
    no_answers(&egress, &places).await;
    a_hundred_silent_names(&egress, &places).await;
}

/// What this server says of a name; `count` counts the look-ups of names that turn.
fn reply(name: &str, v6: bool, count: &AtomicUsize) -> Reply {
    let a = |ips: &[&str]| {
        let parse = |ip: &&str| ip.parse::<IpAddr>().unwrap();
        Reply::Addresses(
            ips.iter()
                .map(parse)
                .filter(|ip| ip.is_ipv6() == v6)
                .collect(),
        )
    };
    match name {
        "public.test" => a(&[PUBLIC]),
        // Public when it is first asked for, then never again.
        "turns.test" | "alternates.test" if v6 => a(&[]),
        "turns.test" => match count.fetch_add(1, Ordering::SeqCst) {
            0 => a(&[PUBLIC]),
            _ => a(&["127.0.0.1"]),
        },
        "alternates.test" => match count.fetch_add(1, Ordering::SeqCst) % 4 {
            0 | 2 => a(&[PUBLIC]),
            1 => a(&["127.0.0.1"]),
            _ => a(&["10.0.0.1"]),
        },
        "mixed.test" => a(&[PUBLIC, "10.0.0.1"]),
        "both.test" => a(&[PUBLIC, "::1"]),
        "private.test" => a(&["10.0.0.1"]),
        "mapped.test" => a(&["::ffff:10.0.0.1"]),
        "nat64.test" => a(&["64:ff9b::a00:1"]),
        "unspecified.test" => a(&["0.0.0.0"]),
        "alias.test" => Reply::Chain(vec!["localhost".to_owned()], "127.0.0.1".parse().unwrap()),
        "chain.test" | "darkchain.test" => {
            let names = (0..20).map(|n| format!("link{n}.test")).collect();
            let end = if name == "chain.test" {
                PUBLIC
            } else {
                "10.0.0.1"
            };
            Reply::Chain(names, end.parse().unwrap())
        }
        "many.test" if v6 => a(&[]),
        "many.test" | "manydark.test" => {
            let mut all: Vec<IpAddr> = (0..511_u16)
                .map(|n| IpAddr::from([93, 184, (n >> 8) as u8, n as u8]))
                .collect();
            let last = if name == "many.test" {
                PUBLIC
            } else {
                "10.0.0.1"
            };
            all.push(last.parse().unwrap());
            Reply::Addresses(if v6 { Vec::new() } else { all })
        }
        "empty.test" => a(&[]),
        "servfail.test" => Reply::Code(2),
        "refused.test" => Reply::Code(5),
        name if name.starts_with("silent") => Reply::Silence,
        _ => Reply::Code(3),
    }
}

/// every answer lives no longer than its look-up (TTL 0).
async fn rebinding(egress: &Egress, places: &Places) {
    let url = places.url("turns.test");
    assert_eq!(answered(send(egress, &url).await).status, 200);
    for _ in 0..20 {
        blocked(send(egress, &url).await);
    }
    assert_eq!(places.reached(), (1, 0));

    let url = places.url("alternates.test");
    let (mut sent, mut stopped) = (0, 0);
    for _ in 0..1000 {
        match send(egress, &url).await.result {
            Exchanged::Answered { .. } => sent += 1,
            Exchanged::Blocked { message } => {
                assert!(!message.contains("127.0.0.1") && !message.contains("10.0.0"));
                stopped += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(sent + stopped, 1000);
    assert!(
        sent >= 400 && stopped >= 400,
        "{sent} sent, {stopped} stopped"
    );
    assert_eq!(places.reached(), (1 + sent, 0));
}

///
async fn forbidden_answers(egress: &Egress, places: &Places) {
    let before = places.reached();
    for name in [
        "mixed.test",
        "both.test",
        "private.test",
        "mapped.test",
        "nat64.test",
        "unspecified.test",
        "alias.test",
        "darkchain.test",
        "manydark.test",
    ] {
        let message = blocked(send(egress, &places.url(name)).await);
        assert!(
            message.ends_with("its name leads to an address that is not on the public internet"),
            "{name}: {message}"
        );
    }
    assert_eq!(places.reached(), before);
}

///
async fn many_answers(egress: &Egress, places: &Places) {
    for name in ["chain.test", "many.test"] {
        let exchange = send(egress, &places.url(name)).await;
        assert!(exchange.total < Duration::from_secs(3), "{name}");
        assert_eq!(answered(exchange).status, 200, "{name}");
    }
}

///
async fn no_answers(egress: &Egress, places: &Places) {
    for (name, words) in [
        ("nosuch.test", "does not exist in DNS"),
        ("servfail.test", "gave no usable answer"),
        ("refused.test", "gave no usable answer"),
        ("empty.test", "has no address"),
        ("silent.test", "was not looked up in time"),
    ] {
        let exchange = egress.send(request(&places.url(name))).await;
        let bound = Duration::from_millis(1500);
        assert!(exchange.total < bound, "{name}: {:?}", exchange.total);
        let (cause, message) = unreachable(exchange);
        assert_eq!(cause, UnreachableCause::Dns, "{name}: {message}");
        assert!(message.contains(words), "{name}: {message}");
    }
}

/// Names that nobody answers for hold places of the system's resolver for two seconds each here.
/// A name that is known to be answered has a place all the same.
async fn a_hundred_silent_names(egress: &Arc<Egress>, places: &Places) {
    let mut sending = JoinSet::new();
    for number in 0..100 {
        let (egress, url) = (
            Arc::clone(egress),
            places.url(&format!("silent{number}.test")),
        );
        sending.spawn(async move { unreachable(send(&egress, &url).await).0 });
    }
    // The first of them have given up: their places are still taken.
    assert_eq!(
        sending.join_next().await.unwrap().unwrap(),
        UnreachableCause::Dns
    );
    let exchange = send(egress, &places.url("alternates.test")).await;
    let took = exchange.total;
    assert!(took < Duration::from_millis(500), "{took:?}");
    assert!(!matches!(exchange.result, Exchanged::Unreachable { .. }));
    sending.join_all().await;
}
