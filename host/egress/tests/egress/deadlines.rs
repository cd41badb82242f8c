//! One deadline over connect, head and body.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use whisperer_domain::outcome::UnreachableCause;
use whisperer_domain::port::{BoxFuture, Exchange, Transport};
use whisperer_egress::{Egress, Lookup, LookupError};

use crate::cost::{LATE, LATE_FOR_BODIES, send_in_time};
use crate::receiver::{Receiver, read_request};
use crate::sender::{allowing, answered, config, egress, request, timed_out, unreachable};

const TIMEOUT: Duration = Duration::from_millis(300);

async fn send_briefly(egress: &Egress, url: &str) -> Exchange {
    send_within(egress, url, LATE).await
}

async fn send_within(egress: &Egress, url: &str, late: Duration) -> Exchange {
    let mut outbound = request(url);
    outbound.timeout = TIMEOUT;
    let exchange = send_in_time(egress, outbound, late).await;
    assert!(exchange.total >= TIMEOUT, "{:?}", exchange.total);
    exchange
}

/// A connection that says nothing and tells when its peer has gone.
async fn silent() -> (Receiver, mpsc::Receiver<()>) {
    let (left, leaving) = mpsc::channel(1);
    let receiver = Receiver::start(move |mut socket| {
        let left = left.clone();
        async move {
            let mut received = Vec::new();
            let _ = socket.read_to_end(&mut received).await;
            left.send(()).await.unwrap();
        }
    })
    .await;
    (receiver, leaving)
}

#[tokio::test]
async fn a_head_that_does_not_come() {
    let (receiver, mut leaving) = silent().await;
    let exchange = send_briefly(&egress(), &receiver.url("/hunter2")).await;
    assert!(exchange.connect > Duration::ZERO && exchange.connect < TIMEOUT);
    assert_eq!(timed_out(exchange), "waiting for the answer's head");
    leaving.recv().await.unwrap();
}

#[tokio::test]
async fn a_head_that_drips() {
    let receiver = Receiver::start(|mut socket| async move {
        read_request(&mut socket).await;
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        while socket
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
            .await
            .is_ok()
        {
            tick.tick().await;
        }
    })
    .await;
    let exchange = send_briefly(&egress(), &receiver.url("/")).await;
    assert_eq!(timed_out(exchange), "waiting for the answer's head");
}

#[tokio::test]
async fn a_body_that_drips_leaves_the_answer() {
    let receiver = Receiver::start(|mut socket| async move {
        read_request(&mut socket).await;
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
        socket.write_all(head).await.unwrap();
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        while socket.write_all(b"x").await.is_ok() {
            tick.tick().await;
        }
    })
    .await;
    let exchange = send_within(&egress(), &receiver.url("/"), LATE_FOR_BODIES).await;
    let response = answered(exchange);
    assert!(response.status == 200 && response.truncated && !response.body.is_empty());
}

#[tokio::test]
async fn a_handshake_that_does_not_come() {
    let (receiver, mut leaving) = silent().await;
    let url = format!("https://{}/hunter2", receiver.address);
    let exchange = send_briefly(&egress(), &url).await;
    assert!(exchange.connect >= TIMEOUT / 2, "{:?}", exchange.connect);
    assert_eq!(
        timed_out(exchange),
        "connecting, or waiting for the TLS handshake"
    );
    leaving.recv().await.unwrap();
}

/// Connecting has a bound of its own, so that one address of several leaves time for the others.
#[tokio::test]
async fn a_handshake_that_takes_longer_than_connecting_may() {
    let (receiver, mut leaving) = silent().await;
    let mut config = config(allowing(&["127.0.0.0/8"]));
    config.connect_timeout = TIMEOUT;
    let egress = Egress::new(config).unwrap();
    let began = tokio::time::Instant::now();
    let exchange = egress
        .send(request(&format!("https://{}/hunter2", receiver.address)))
        .await;
    assert!(began.elapsed() >= TIMEOUT && exchange.connect >= TIMEOUT / 2);
    assert_eq!(
        timed_out(exchange),
        "connecting, or waiting for the TLS handshake"
    );
    leaving.recv().await.unwrap();
}

struct NeverAnswers;

impl Lookup for NeverAnswers {
    fn lookup(&self, _name: &str) -> BoxFuture<'static, Result<Vec<IpAddr>, LookupError>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_look_up_that_does_not_end() {
    let slow = Egress::with_lookup(config(allowing(&[])), Arc::new(NeverAnswers)).unwrap();
    let exchange = send_briefly(&slow, "http://slow.example/hunter2").await;
    assert_eq!(timed_out(exchange), "looking up the name");

    let mut impatient = config(allowing(&[]));
    impatient.dns_timeout = Duration::from_millis(10);
    let egress = Egress::with_lookup(impatient, Arc::new(NeverAnswers)).unwrap();
    let exchange = egress.send(request("http://slow.example/hunter2")).await;
    let (cause, message) = unreachable(exchange);
    assert_eq!(cause, UnreachableCause::Dns);
    assert_eq!(
        message,
        "the name of http://slow.example was not looked up in time: its name servers are slow or \
         silent"
    );
}

#[tokio::test]
async fn a_dropped_exchange_closes_its_connection() {
    let (receiver, mut leaving) = silent().await;
    let egress = egress();
    let mut sending = egress.send(request(&receiver.url("/")));
    let connected = async {
        while receiver.connections() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        exchange = &mut sending => panic!("{exchange:?}"),
        () = connected => {}
    }
    drop(sending);
    leaving.recv().await.unwrap();
}
