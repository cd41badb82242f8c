//! receivers that misuse HTTP/2, frame by frame.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use whisperer_domain::outcome::UnreachableCause;
use whisperer_domain::port::{Exchange, Exchanged, Transport};
use whisperer_egress::Egress;

use crate::cost::{LATE_FOR_BODIES, cost_of, send_in_time};
use crate::receiver::{Receiver, until};
use crate::sender::{Script as Answers, answered, request, timed_out, unreachable};
use crate::tls::{NAME, acceptor_for, send_to, trusting, trusting_config};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:status: 200`, by HPACK's static table.
const STATUS_200: &[u8] = &[0x88];

const TIMEOUT: Duration = Duration::from_secs(2);

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// What a receiver writes after its settings.
#[derive(Clone)]
struct Script {
    settings: Vec<u8>,
    /// Once the request's head is there.
    once: Vec<u8>,
    /// Until the connection is gone; empty: nothing.
    forever: Vec<u8>,
}

impl Script {
    fn once(once: Vec<u8>) -> Self {
        Self {
            settings: Vec::new(),
            once,
            forever: Vec::new(),
        }
    }

    fn forever(frame: &[u8]) -> Self {
        Self {
            forever: frame.repeat(200),
            ..Self::once(Vec::new())
        }
    }
}

async fn receiver(script: Script) -> (Receiver, Vec<u8>) {
    let (acceptor, root) = acceptor_for(NAME, "frames", |_| {}, &[b"h2"]);
    let script = Arc::new(script);
    let receiver = Receiver::start(move |socket| {
        let (acceptor, script) = (acceptor.clone(), Arc::clone(&script));
        async move {
            if let Ok(mut stream) = acceptor.accept(socket).await {
                let _ = play(&mut stream, &script).await;
            }
        }
    })
    .await;
    (receiver, root)
}

async fn play(stream: &mut TlsStream<TcpStream>, script: &Script) -> std::io::Result<()> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await?;
    assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    stream
        .write_all(&frame(SETTINGS, 0, 0, &script.settings))
        .await?;
    loop {
        let (kind, _) = read_frame(stream).await?;
        if kind == HEADERS {
            break;
        }
    }
    stream.write_all(&script.once).await?;
    stream.flush().await?;
    let (mut reading, mut writing) = tokio::io::split(stream);
    let mut sink = tokio::io::sink();
    let drained = tokio::io::copy(&mut reading, &mut sink);
    let written = async {
        if script.forever.is_empty() {
            return std::future::pending().await;
        }
        while writing.write_all(&script.forever).await.is_ok() {}
    };
    tokio::select! {
        _ = drained => {}
        () = written => {}
    }
    Ok(())
}

async fn read_frame(stream: &mut TlsStream<TcpStream>) -> std::io::Result<(u8, u32)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).await?;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Ok((head[3], stream))
}

/// One exchange, and what it cost of the processor.
async fn exchange(script: Script) -> (Exchange, Duration) {
    let (receiver, root) = receiver(script).await;
    let mut outbound = request(&format!(
        "https://{NAME}:{}/hunter2",
        receiver.address.port()
    ));
    outbound.timeout = TIMEOUT;
    cost_of(move || trusting(&[root]), outbound).await
}

#[tokio::test]
async fn streams_and_connections_that_are_ended() {
    let code = |code: u32| code.to_be_bytes().to_vec();
    let goaway = |reason: u32| {
        let payload = [0_u32.to_be_bytes(), reason.to_be_bytes()].concat();
        frame(GOAWAY, 0, 0, &payload)
    };
    let rst = |reason| frame(RST_STREAM, 0, 1, &code(reason));
    for (once, cause, words) in [
        (rst(7), UnreachableCause::Reset, "it refused the request"),
        (rst(8), UnreachableCause::Reset, "it cancelled the request"),
        (rst(2), UnreachableCause::Reset, "an error of its own"),
        (
            rst(1),
            UnreachableCause::Protocol,
            "broke the rules of HTTP/2",
        ),
        (rst(13), UnreachableCause::Protocol, "it demands HTTP/1.1"),
        (
            goaway(0),
            UnreachableCause::Reset,
            "it closed the connection",
        ),
        (goaway(11), UnreachableCause::Protocol, "too much"),
        // A frame that must not be there, and one that is longer than allowed.
        (
            frame(HEADERS, END_HEADERS, 3, STATUS_200),
            UnreachableCause::Protocol,
            "broke the rules of HTTP/2",
        ),
        (
            frame(DATA, 0, 1, &[0; 20000]),
            UnreachableCause::Protocol,
            "broke the rules of HTTP/2",
        ),
        // A head that is no HPACK.
        (
            frame(HEADERS, END_HEADERS, 1, &[0xff; 20]),
            UnreachableCause::Protocol,
            "broke the rules of HTTP/2",
        ),
    ] {
        let shown = format!("{once:?}");
        let (exchange, _) = exchange(Script::once(once)).await;
        let (found, message) = unreachable(exchange);
        assert!(message.contains(words), "{shown}: {message}");
        assert_eq!(found, cause, "{shown}: {message}");
    }
}

/// Frames that the client takes one by one and finds nothing wrong with, or ends the connection
/// for. What it takes of them is bounded by the deadline and not by a number: no bar on the
/// processor's time, which is told for whoever runs this by hand.
#[tokio::test]
async fn floods_end_by_the_deadline() {
    let ping = frame(PING, 0, 0, &[7; 8]);
    let settings = frame(SETTINGS, 0, 0, &[]);
    let window = frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes());
    let reset_of_idle = frame(RST_STREAM, 0, 99, &8_u32.to_be_bytes());
    let unknown = frame(0xfa, 0, 0, &[]);
    for (what, flood) in [
        ("pings", ping),
        ("settings", settings),
        ("window updates", window),
        ("resets", reset_of_idle),
        ("unknown frames", unknown),
    ] {
        let (exchange, cost) = exchange(Script::forever(&flood)).await;
        println!(
            "{what}: {cost:?} in {:?}: {:?}",
            exchange.total, exchange.result
        );
        assert!(
            matches!(
                exchange.result,
                Exchanged::TimedOut { .. } | Exchanged::Unreachable { .. }
            ),
            "{what}: {:?}",
            exchange.result
        );
    }
}

/// Whoever floods a connection that is kept does so until it has idled long enough, with or
/// without an answer before.
#[tokio::test]
async fn a_flood_ends_with_the_connections_idle_time() {
    let answer = frame(HEADERS, END_HEADERS | END_STREAM, 1, STATUS_200);
    for once in [Vec::new(), answer] {
        let script = Script {
            once,
            ..Script::forever(&frame(PING, 0, 0, &[7; 8]))
        };
        let (receiver, root) = receiver(script).await;
        let mut config = trusting_config(&[root]);
        config.pool_idle_timeout = Duration::from_millis(200);
        let egress = Egress::with_lookup(config, Answers::new(&[&["127.0.0.1"]])).unwrap();
        let mut outbound = request(&format!("https://{NAME}:{}/", receiver.address.port()));
        outbound.timeout = Duration::from_millis(300);
        send_in_time(&egress, outbound, LATE_FOR_BODIES).await;
        let idle = tokio::time::Instant::now();
        until("the connection is closed", || receiver.open() == 0).await;
        assert!(
            idle.elapsed() < Duration::from_secs(2),
            "{:?}",
            idle.elapsed()
        );
    }
}

/// CVE-2024-27316 and its kin: a head without end.
#[tokio::test]
async fn continuations_without_end() {
    for block in [&[][..], &[0x88; 100][..]] {
        let script = Script {
            once: frame(HEADERS, 0, 1, STATUS_200),
            ..Script::forever(&frame(CONTINUATION, 0, 1, block))
        };
        let (exchange, cost) = exchange(script).await;
        println!(
            "continuations of {}: {cost:?}: {:?}",
            block.len(),
            exchange.result
        );
        assert!(cost < Duration::from_millis(500), "{cost:?}");
        assert!(!matches!(exchange.result, Exchanged::Answered { .. }));
    }
}

/// RUSTSEC-2026-0258: a body of empty frames. The head was an answer.
#[tokio::test]
async fn empty_data_without_end() {
    let script = Script {
        once: frame(HEADERS, END_HEADERS, 1, STATUS_200),
        ..Script::forever(&frame(DATA, 0, 1, &[]))
    };
    let (exchange, cost) = exchange(script).await;
    println!("empty data: {cost:?}");
    assert!(cost < Duration::from_millis(500), "{cost:?}");
    let response = answered(exchange);
    assert_eq!((response.status, response.truncated), (200, true));
}

#[tokio::test]
async fn a_window_that_lets_nothing_through() {
    let script = Script {
        // INITIAL_WINDOW_SIZE: 0.
        settings: vec![0, 4, 0, 0, 0, 0],
        ..Script::once(Vec::new())
    };
    let (exchange, cost) = exchange(script).await;
    assert!(cost < Duration::from_millis(500), "{cost:?}");
    timed_out(exchange);
}

/// One connection carries the exchanges of several hooks: what ends one of them ends no other.
#[tokio::test]
async fn one_exchange_of_a_connection_does_not_end_another() {
    let (acceptor, root) = acceptor_for(NAME, "shared", |_| {}, &[b"h2"]);
    let receiver = Receiver::start(move |socket| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(socket).await.unwrap();
            let mut preface = [0; 24];
            stream.read_exact(&mut preface).await.unwrap();
            stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
            let mut heads = 0;
            while let Ok((kind, number)) = read_frame(&mut stream).await {
                if kind != HEADERS {
                    continue;
                }
                heads += 1;
                let answer = match heads {
                    1 | 3 => frame(HEADERS, END_HEADERS | END_STREAM, number, STATUS_200),
                    2 => frame(RST_STREAM, 0, number, &2_u32.to_be_bytes()),
                    // Left without an answer.
                    _ => continue,
                };
                stream.write_all(&answer).await.unwrap();
            }
        }
    })
    .await;
    let egress = trusting(&[root]);
    // The first makes the connection; then two beside each other.
    answered(send_to(&egress, NAME, receiver.address).await);
    let both = tokio::join!(
        send_to(&egress, NAME, receiver.address),
        send_to(&egress, NAME, receiver.address)
    );
    let ends = [both.0, both.1].map(|it| matches!(it.result, Exchanged::Answered { .. }));
    assert_eq!(ends.iter().filter(|answered| **answered).count(), 1);
    // One that times out leaves the connection to the others.
    let mut outbound = request(&format!("https://{NAME}:{}/", receiver.address.port()));
    outbound.timeout = Duration::from_millis(100);
    timed_out(egress.send(outbound).await);
    assert_eq!(receiver.connections(), 1);
}
