//! Receivers that give no answer, and what is said about each.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::Command;
use whisperer_domain::outcome::UnreachableCause;
use whisperer_domain::port::{BoxFuture, Exchanged, Transport};
use whisperer_egress::{Egress, Lookup, LookupError};

use crate::receiver::{Receiver, read_request};
use crate::sender::{Script, allowing, answered, config, egress, request, send, unreachable};

const SECRET_PATH: &str = "/hunter2?token=hunter2";

#[tokio::test]
async fn a_refused_connection() {
    // Bound once, so that nobody else has the port.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = port.local_addr().unwrap();
    drop(port);
    let exchange = send(&egress(), &format!("http://{address}{SECRET_PATH}")).await;
    let (cause, message) = unreachable(exchange);
    assert_eq!(cause, UnreachableCause::Connect);
    let expected = format!("http://{address} refused the connection: nothing listens on that port");
    assert_eq!(message, expected);
}

#[tokio::test]
async fn answers_that_are_no_http() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.9\r\n\r\n",
        "HTTP/1.1 99 Low\r\n\r\n",
        "HTTP/1.1 1000 High\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        "\0\x01\x02\x03\r\n\r\n",
    ] {
        let receiver = Receiver::answering(garbage).await;
        let (cause, message) = unreachable(send(&egress(), &receiver.url(SECRET_PATH)).await);
        assert_eq!(cause, UnreachableCause::Protocol, "{garbage:?}: {message}");
        assert!(
            message.ends_with("answered with something that is not HTTP"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_head_without_end_is_not_called_something_else_than_http() {
    let endless_head = format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(1 << 20));
    let many_headers = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(500));
    for head in [endless_head, many_headers] {
        let receiver = Receiver::answering(head).await;
        let (cause, message) = unreachable(send(&egress(), &receiver.url(SECRET_PATH)).await);
        assert_eq!(cause, UnreachableCause::Protocol, "{message}");
        assert!(
            message.ends_with("answered with a longer head than is read"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn connections_that_end_before_the_head() {
    for said in ["", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\ncontent-le"] {
        let receiver = Receiver::start(move |mut socket| async move {
            read_request(&mut socket).await;
            socket.write_all(said.as_bytes()).await.unwrap();
        })
        .await;
        let (cause, message) = unreachable(send(&egress(), &receiver.url(SECRET_PATH)).await);
        assert_eq!(cause, UnreachableCause::Reset, "{said:?}: {message}");
        assert!(
            message.ends_with("closed the connection before it answered"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_reset_connection() {
    let receiver = Receiver::start(|mut socket| async move {
        read_request(&mut socket).await;
        // Dropping it now sends RST.
        socket.set_zero_linger().unwrap();
    })
    .await;
    let (cause, message) = unreachable(send(&egress(), &receiver.url(SECRET_PATH)).await);
    assert_eq!(cause, UnreachableCause::Reset, "{message}");
}

struct Failing(fn() -> LookupError);

impl Lookup for Failing {
    fn lookup(&self, _name: &str) -> BoxFuture<'static, Result<Vec<IpAddr>, LookupError>> {
        let error = self.0();
        Box::pin(async { Err(error) })
    }
}

#[tokio::test]
async fn names_without_addresses() {
    let lookups: [(Arc<dyn Lookup>, &str); 3] = [
        (
            Arc::new(Failing(|| LookupError::NoSuchName)),
            "does not exist in DNS",
        ),
        (
            Arc::new(Failing(|| LookupError::NoAnswer)),
            "could not be looked up: its name servers gave no usable answer",
        ),
        (Script::new(&[&[]]), "has no address"),
    ];
    for (lookup, words) in lookups {
        let egress = Egress::with_lookup(config(allowing(&[])), lookup).unwrap();
        let exchange = send(&egress, "https://gone.example/hunter2").await;
        let (cause, message) = unreachable(exchange);
        assert_eq!(cause, UnreachableCause::Dns);
        assert_eq!(message, format!("the name of https://gone.example {words}"));
    }
}

/// L-08: no file is left for a connection, nor for a look-up. The sending half runs in a process
/// of its own, which may have few files open.
#[tokio::test]
async fn running_out_of_files_is_not_the_receivers_fault() {
    const TARGET: &str = "WHISPERER_TEST_FEW_FILES_TARGET";
    if let Ok(url) = std::env::var(TARGET) {
        return out_of_files(&url).await;
    }
    let receiver = Receiver::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 64; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "faults::running_out_of_files_is_not_the_receivers_fault",
        ])
        .env(TARGET, receiver.url("/"))
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(receiver.connections(), 1);
}

async fn out_of_files(url: &str) {
    let egress = egress();
    let mut taken = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        taken.push(file);
    }
    assert!(taken.len() < 64, "the limit is not there");
    let by_name = url.replace("127.0.0.1", "localhost");
    for url in [url, &by_name] {
        match send(&egress, url).await.result {
            Exchanged::Internal { message } => assert!(message.contains("no room"), "{message}"),
            other => panic!("{url}: {other:?}"),
        }
    }
    drop(taken);
    assert_eq!(answered(send(&egress, url).await).status, 200);
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_is_named() {
    let receiver = Receiver::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let egress = egress();
    for name in ["x-key", "x key"] {
        let mut outbound = request(&receiver.url("/"));
        let value = if name == "x-key" { "a\r\nhunter2" } else { "a" };
        outbound.headers = vec![(name.to_owned(), value.to_owned().into())];
        let (cause, message) = unreachable(egress.send(outbound).await);
        assert_eq!(cause, UnreachableCause::Protocol);
        assert!(message.contains("cannot be sent"), "{message}");
    }
    assert_eq!(receiver.connections(), 0);
    assert_eq!(
        answered(send(&egress, &receiver.url("/")).await).status,
        200
    );
}
