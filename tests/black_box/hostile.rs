//! One healthy receiver among ten hostile ones, each hostile in a way of its own: it notices
//! nothing, the server stays small, and each attempt says what happened.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::support::eventually;
use crate::support::process::Process;
use crate::support::receiver::Receiver;
use crate::support::server::{Server, Setup};

const SOON: Duration = Duration::from_secs(60);
const EVENTS: usize = 30;
/// From the post to the healthy receiver: some milliseconds on a quiet machine.
const HEALTHY_WITHIN: Duration = Duration::from_secs(2);
/// Long enough for what answers at once, on a busy machine too.
const TIMEOUT_MS: u64 = 3000;

/// What a hostile receiver does with a request that it has read.
#[derive(Clone, Copy)]
struct Hostile {
    name: &'static str,
    once: &'static [u8],
    /// Again and again, until the connection is gone; empty: it waits for that.
    again: &'static [u8],
    /// Between two of them.
    pause: Duration,
    closes: bool,
    outcome: &'static str,
    /// In the attempt's error.
    words: &'static str,
}

const NOTHING: Hostile = Hostile {
    name: "silent",
    once: b"",
    again: b"",
    // Writers that never rest would take the processors from everybody in this very process.
    pause: Duration::from_millis(1),
    closes: false,
    outcome: "timed_out",
    words: "waiting for the answer's head",
};

const HOSTILE: [Hostile; 10] = [
    NOTHING,
    Hostile {
        name: "drips its head",
        once: b"HTTP/1.1 200 OK\r\nx: ",
        again: b"x",
        pause: Duration::from_millis(20),
        ..NOTHING
    },
    Hostile {
        name: "hints without end",
        again: b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n",
        ..NOTHING
    },
    Hostile {
        name: "body without end",
        once: b"HTTP/1.1 500 No\r\ncontent-length: 10737418240\r\n\r\n",
        again: &[b'x'; 16384],
        outcome: "refused",
        words: "the receiver answered 500",
        ..NOTHING
    },
    Hostile {
        name: "head without end",
        once: b"HTTP/1.1 200 OK\r\nx: ",
        again: &[b'x'; 16384],
        outcome: "unreachable",
        words: "longer head than is read",
        ..NOTHING
    },
    Hostile {
        name: "garbage",
        once: b"\x00\xff\x1b[31mSSH-2.0\r\n\r\n",
        outcome: "unreachable",
        words: "something that is not HTTP",
        ..NOTHING
    },
    Hostile {
        name: "closes",
        closes: true,
        outcome: "unreachable",
        words: "closed the connection before it answered",
        ..NOTHING
    },
    Hostile {
        name: "redirects inside",
        once: b"HTTP/1.1 302 Go\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n",
        outcome: "refused",
        words: "the receiver answered 302",
        ..NOTHING
    },
    // what a terminal, a log or a JSON reader could trip over.
    Hostile {
        name: "odd bytes",
        once: b"HTTP/1.1 500 \x80\x9b31m\r\nx-odd: \xe2\x80\xa8\xff\x9b\r\ncontent-type: text/html\
                \r\ncontent-length: 62\r\n\r\n\
                \xff\xfe\0\x1b[2J\x1b]0;owned\x07\x08\x7f\xc2\x9b31m\xe2\x80\xa8<script>alert(1)</script>\"\\\r\n\
                \r\nxxxxxxxxx",
        outcome: "refused",
        words: "the receiver answered 500",
        ..NOTHING
    },
    Hostile {
        name: "bomb",
        once: b"HTTP/1.1 500 No\r\ncontent-encoding: gzip\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03",
        again: &[0; 16384],
        outcome: "refused",
        words: "the receiver answered 500",
        ..NOTHING
    },
];

async fn start(hostile: Hostile, tasks: &mut JoinSet<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            connections.spawn(misbehave(socket, hostile));
        }
    });
    address
}

async fn misbehave(mut socket: TcpStream, hostile: Hostile) {
    let mut request = [0; 4096];
    // Its answer may be a good one, and the connection kept: then each request gets it.
    while socket.read(&mut request).await.is_ok_and(|read| read > 0) {
        if socket.write_all(hostile.once).await.is_err() || hostile.closes {
            return;
        }
        while !hostile.again.is_empty() {
            if socket.write_all(hostile.again).await.is_err() {
                return;
            }
            tokio::time::sleep(hostile.pause).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_receivers_harm_nobody_and_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let mut setup = Setup::in_folder(folder.path());
    setup.args = vec!["--log".to_owned(), "debug".to_owned()];
    let server = Arc::new(Server::start(&setup).ready().await);
    let healthy = Receiver::accepting().await;
    server
        .hook(json!({"target_url": healthy.url("/"), "event_type": "package.created"}))
        .await;
    let mut tasks = JoinSet::new();
    let mut hooks = Vec::new();
    for hostile in HOSTILE {
        let address = start(hostile, &mut tasks).await;
        let hook = server
            .hook(json!({
                "target_url": format!("http://{address}/{}", hostile.name.replace(' ', "-")),
                "event_type": "package.created",
                "timeout_ms": TIMEOUT_MS,
                "retry_countdown_config": {"choice": "fixed", "kwargs": {"seconds": 1}},
            }))
            .await;
        hooks.push((hook, hostile));
    }

    let process = Process(server.pid());
    let before = process.resident_kib();
    process.forget_peak();
    let mut posted = Vec::new();
    for number in 0..EVENTS {
        posted.push(Instant::now());
        assert_eq!(server.event("package.created", json!(number)).await, 11);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let got = healthy.wait(EVENTS, SOON).await;
    let mut arrived = HashSet::new();
    for received in got {
        let number = received.json()["payload"].as_u64().unwrap();
        let took = received.at - posted[usize::try_from(number).unwrap()];
        assert!(took < HEALTHY_WITHIN, "event {number} took {took:?}");
        assert!(arrived.insert(number), "event {number} came twice");
    }
    assert_eq!(arrived.len(), EVENTS);

    for (hook, hostile) in &hooks {
        let attempts = eventually(hostile.name, SOON, async || {
            let found: Vec<Value> = server
                .deliveries(*hook)
                .await
                .iter()
                .flat_map(|delivery| delivery["attempts"].as_array().cloned().unwrap())
                .collect();
            (found.len() >= 3).then_some(found)
        })
        .await;
        for attempt in attempts {
            assert_eq!(
                attempt["outcome"], hostile.outcome,
                "{}: {attempt:#}",
                hostile.name
            );
            let error = attempt["error"].as_str().unwrap();
            assert!(error.contains(hostile.words), "{}: {error}", hostile.name);
            let total = attempt["duration"]["total"].as_f64().unwrap();
            assert!(total < 4.5, "{}: {total} s", hostile.name);
        }
    }
    let more_kib = process.peak_kib().saturating_sub(before);
    println!("{more_kib} KiB more at most");
    assert!(more_kib < 64 << 10, "{more_kib} KiB more");
    odd_bytes_are_shown_safely(&server, hooks[8].0).await;
}

/// Valid JSON by any reader, without a raw control character in it, and none in the log.
async fn odd_bytes_are_shown_safely(server: &Server, hook: u64) {
    // The first has been tried for the longest time.
    let deliveries = server.deliveries(hook).await;
    let first = deliveries.last().unwrap();
    let path = format!("{}/whisperer/hook_events/{}/", server.base, first["id"]);
    let request = server.http().get(path);
    let token = format!("Token {}", crate::support::server::ADMIN);
    let answer = request.header("authorization", token).send().await.unwrap();
    let bytes = answer.bytes().await.unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    assert!(text.contains("owned"), "the body is shown: {text}");
    assert!(
        !text.bytes().any(|byte| byte < 0x20),
        "{}",
        text.escape_debug()
    );
    serde_json::from_str::<Value>(text).unwrap();
    let log = server.log();
    let control = log.chars().find(|it| it.is_control() && *it != '\n');
    assert_eq!(control, None, "{}", log.escape_debug());
    assert!(!log.contains("owned"), "no body is logged");
}
