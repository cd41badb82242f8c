//! what a hook's owner learns must not be a map of the operator's network.
//!
//! Nothing that is blocked is dialled, so an open port, a closed one and a host that does not
//! exist look the same, in words and in time.

use std::time::{Duration, Instant};

use whisperer_domain::address::AddressPolicy;
use whisperer_egress::Egress;

use crate::receiver::Receiver;
use crate::sender::{Script, blocked, config, send};

const ROUNDS: usize = 50;
/// Of the medians; what is measured here is some microseconds.
const SPREAD_MAX: Duration = Duration::from_millis(20);

struct Seen {
    words: String,
    median: Duration,
}

async fn look(egress: &Egress, host: &str, port: u16) -> Seen {
    let (mut words, mut times) = (String::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let exchange = send(egress, &format!("http://{host}:{port}/hunter2")).await;
        times.push(began.elapsed());
        words = blocked(exchange).replace(&format!("http://{host}:{port}"), "TARGET");
    }
    times.sort_unstable();
    Seen {
        words,
        median: times[ROUNDS / 2],
    }
}

fn same(seen: &[Seen]) {
    for other in &seen[1..] {
        assert_eq!(other.words, seen[0].words);
        let spread = other.median.abs_diff(seen[0].median);
        assert!(spread <= SPREAD_MAX, "{spread:?}");
    }
}

#[tokio::test]
async fn an_open_port_a_closed_one_and_no_host_at_all_look_the_same() {
    let open = Receiver::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let port = open.address.port();
    let closed = if port == u16::MAX { port - 1 } else { port + 1 };

    let by_address = Egress::new(config(AddressPolicy::default())).unwrap();
    same(&[
        look(&by_address, "127.0.0.1", port).await,
        look(&by_address, "127.0.0.1", closed).await,
        look(&by_address, "127.9.9.9", port).await,
    ]);
    let resolving = |ips: &[&str]| {
        Egress::with_lookup(config(AddressPolicy::default()), Script::new(&[ips])).unwrap()
    };
    // Names: neither the address nor the network it is in.
    same(&[
        look(&resolving(&["127.0.0.1"]), "a.example", port).await,
        look(&resolving(&["127.0.0.1"]), "a.example", closed).await,
        look(&resolving(&["10.0.0.1"]), "b.example", port).await,
        look(&resolving(&["192.168.0.1"]), "c.example", port).await,
        look(&resolving(&["fd00::1"]), "d.example", port).await,
        look(
            &resolving(&["93.184.216.34", "10.0.0.1"]),
            "e.example",
            port,
        )
        .await,
    ]);
    assert_eq!(open.connections(), 0);
}
