//! Connections that are kept: how many, for how long, and what happens when one is gone.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use whisperer_domain::outcome::UnreachableCause;
use whisperer_domain::port::{Exchanged, Transport};
use whisperer_egress::{Connections, Egress};

use crate::receiver::{Receiver, answer_all, read_request, until};
use crate::sender::{allowing, answered, config, egress, request, send, unreachable};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// L-06, for a fifth of its hosts: each is an address of its own, and all of them one listener.
#[tokio::test]
async fn two_thousand_hosts_keep_no_more_connections_than_may_be_kept() {
    const HOSTS: usize = 2000;
    const KEPT_MAX: usize = 100;
    const ABREAST: usize = 20;
    let receiver = Receiver::start_on("0.0.0.0:0", |s| answer_all(s, OK.as_bytes().into())).await;
    let port = receiver.address.port();
    let mut config = config(allowing(&["127.0.0.0/8"]));
    config.connections = Connections::new(KEPT_MAX);
    // Shorter than production's, and longer than the sending takes by far.
    config.pool_idle_timeout = Duration::from_secs(4);
    let egress = Arc::new(Egress::new(config).unwrap());
    let (mut sending, mut most) = (JoinSet::new(), 0);
    for host in 0..HOSTS {
        if sending.len() == ABREAST {
            sending.join_next().await.unwrap().unwrap();
        }
        most = most.max(receiver.open());
        let egress = Arc::clone(&egress);
        sending.spawn(async move {
            let url = format!("http://127.0.{}.{}:{port}/", host / 250, host % 250 + 1);
            assert_eq!(answered(send(&egress, &url).await).status, 200);
        });
    }
    while let Some(sent) = sending.join_next().await {
        sent.unwrap();
    }
    println!("{most} were open at most");
    // The receiver hears of an end a little later.
    assert!(most <= KEPT_MAX + 3 * ABREAST, "{most}");
    until("what is not kept is closed", || receiver.open() <= KEPT_MAX).await;
    assert!(receiver.open() > KEPT_MAX / 2, "they are kept");
    assert_eq!(receiver.connections(), HOSTS);
    until("what idles is closed", || receiver.open() == 0).await;
}

#[tokio::test]
async fn one_host_keeps_no_more_than_its_share() {
    let receiver = Receiver::answering(OK).await;
    let mut config = config(allowing(&["127.0.0.0/8"]));
    config.pool_idle_per_host = 3;
    let egress = Arc::new(Egress::new(config).unwrap());
    let mut sending = JoinSet::new();
    for _ in 0..30 {
        let (egress, url) = (Arc::clone(&egress), receiver.url("/"));
        sending.spawn(async move { answered(send(&egress, &url).await).status });
    }
    while let Some(status) = sending.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    until("no more than three are kept", || receiver.open() <= 3).await;
    assert!(receiver.open() > 0, "some are kept");
}

/// a kept connection that its receiver closed meanwhile costs nothing.
#[tokio::test]
async fn a_kept_connection_that_is_closed_is_replaced() {
    let (closed, mut closing) = mpsc::channel(1);
    let receiver = Receiver::start(move |mut socket| {
        let closed = closed.clone();
        async move {
            read_request(&mut socket).await;
            socket.write_all(OK.as_bytes()).await.unwrap();
            drop(socket);
            closed.send(()).await.unwrap();
        }
    })
    .await;
    let egress = egress();
    for _ in 0..20 {
        assert_eq!(
            answered(send(&egress, &receiver.url("/")).await).status,
            200
        );
        closing.recv().await.unwrap();
        // What loopback delivers is there when `close` returns; the client must have looked.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(receiver.connections(), 20);
}

/// a request that was written is never sent again by itself.
#[tokio::test]
async fn a_kept_connection_that_closes_when_it_is_used_fails_the_attempt() {
    let (requests, mut seen) = mpsc::channel(8);
    let receiver = Receiver::start(move |mut socket| {
        let requests = requests.clone();
        async move {
            for answers in [true, false] {
                let Some(request) = read_request(&mut socket).await else {
                    return;
                };
                requests.send(request).await.unwrap();
                if answers {
                    socket.write_all(OK.as_bytes()).await.unwrap();
                }
            }
        }
    })
    .await;
    let egress = egress();
    answered(send(&egress, &receiver.url("/1")).await);
    let (cause, _) = unreachable(send(&egress, &receiver.url("/2")).await);
    assert_eq!(cause, UnreachableCause::Reset);
    assert_eq!(receiver.connections(), 1);
    assert!(seen.recv().await.is_some() && seen.recv().await.is_some());
    assert!(seen.try_recv().is_err());
}

/// R-07, the race itself: the receiver closes while the next request may be under way. Each one
/// is seen once at most, whatever the sender was told.
#[tokio::test]
async fn no_request_is_seen_twice_whenever_the_receiver_closes() {
    const ROUNDS: usize = 500;
    let (requests, mut seen) = mpsc::channel(2 * ROUNDS);
    let receiver = Receiver::start(move |mut socket| {
        let requests = requests.clone();
        async move {
            if let Some(request) = read_request(&mut socket).await {
                requests.try_send(request).unwrap();
                socket.write_all(OK.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let egress = egress();
    let (mut sent, mut lost) = (0, 0);
    for round in 0..ROUNDS {
        let mut outbound = request(&receiver.url("/"));
        let value = round.to_string().into();
        outbound.headers.push(("x-round".to_owned(), value));
        match egress.send(outbound).await.result {
            Exchanged::Answered { .. } => sent += 1,
            Exchanged::Unreachable {
                cause: UnreachableCause::Reset,
                ..
            } => lost += 1,
            other => panic!("{other:?}"),
        }
    }
    let mut rounds = HashSet::new();
    while let Ok(request) = seen.try_recv() {
        let text = String::from_utf8(request).unwrap();
        let round = text.lines().find(|line| line.starts_with("x-round: "));
        assert!(
            rounds.insert(round.unwrap().to_owned()),
            "{round:?} came twice"
        );
    }
    assert_eq!(sent + lost, ROUNDS);
    assert!(rounds.len() >= sent, "{sent} sent, {} seen", rounds.len());
}

/// A first address that swallows everything does not use up the deadline.
#[tokio::test]
async fn a_name_whose_first_address_is_silent_is_reached_by_the_next() {
    // A queue of one that is full: the system drops what comes then.
    let silent = tokio::net::TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.9:0".parse().unwrap()).unwrap();
    let port = silent.local_addr().unwrap().port();
    let silent: TcpListener = silent.listen(1).unwrap();
    let mut filling = Vec::new();
    loop {
        let connecting = tokio::net::TcpStream::connect(("127.0.0.9", port));
        match tokio::time::timeout(Duration::from_millis(200), connecting).await {
            Ok(connected) => filling.push(connected.unwrap()),
            Err(_) => break,
        }
        assert!(filling.len() < 50, "the queue never fills");
    }
    let bind = format!("127.0.0.8:{port}");
    let receiver = Receiver::start_on(&bind, |s| answer_all(s, OK.as_bytes().into())).await;
    let lookup = crate::sender::Script::new(&[&["127.0.0.9", "127.0.0.8"]]);
    let mut config = config(allowing(&["127.0.0.0/8"]));
    config.connect_timeout = Duration::from_secs(1);
    let egress = Egress::with_lookup(config, lookup).unwrap();
    let exchange = send(&egress, &format!("http://two.example:{port}/")).await;
    let total = exchange.total;
    // Half of the time for connecting, for each.
    assert!(total >= Duration::from_millis(450), "{total:?}");
    assert!(total < Duration::from_secs(1), "{total:?}");
    assert_eq!(answered(exchange).status, 200);
    assert_eq!(receiver.connections(), 1);
    drop(silent);
}
