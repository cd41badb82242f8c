//! Receivers that mean harm, over HTTP/1: CATALOGUE's R rows that are not about deadlines alone.
//!
//! What they cost in memory, files and processor time is measured in `weight`, a process of its
//! own.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use whisperer_domain::outcome::UnreachableCause;
use whisperer_domain::port::{Exchange, Exchanged, OutboundRequest, Transport};
use whisperer_egress::Egress;

use crate::cost::{LATE, LATE_FOR_BODIES, send_in_time};
use crate::receiver::{Receiver, read_request, until};
use crate::sender::{answered, egress, request, send, timed_out, unreachable};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const TIMEOUT: Duration = Duration::from_millis(500);

fn brief(receiver: &Receiver) -> OutboundRequest {
    let mut outbound = request(&receiver.url("/hunter2"));
    outbound.timeout = TIMEOUT;
    outbound
}

async fn send_briefly(egress: &Egress, receiver: &Receiver) -> Exchange {
    send_in_time(egress, brief(receiver), LATE_FOR_BODIES).await
}

/// R-05: what is no answer, and what is said of it.
#[tokio::test]
async fn heads_that_are_not_read() {
    const NO_HTTP: &str = "answered with something that is not HTTP";
    const TOO_LONG: &str = "answered with a longer head than is read";
    let long = |bytes| format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "v".repeat(bytes));
    let many = |count| format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(count));
    for (answer, words) in [
        (many(101), TOO_LONG),
        (long(500 << 10), TOO_LONG),
        // obs-fold (RFC 9112, 5.2).
        ("HTTP/1.1 200 OK\r\nx: a\r\n b\r\n\r\n".to_owned(), NO_HTTP),
        ("HTTP/1.1 200 OK\r\n x: a\r\n\r\n".to_owned(), NO_HTTP),
        ("HTTP/1.1 200 OK\r\nx : a\r\n\r\n".to_owned(), NO_HTTP),
        ("HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n".to_owned(), NO_HTTP),
        (
            "HTTP/1.1 200 OK\r\nx: a\x1b[31mb\r\n\r\n".to_owned(),
            NO_HTTP,
        ),
        ("HTTP/1.1 200 OK\r\nx: a\rb\r\n\r\n".to_owned(), NO_HTTP),
        (
            "HTTP/1.1 200 OK\r\nn\u{e4}me: a\r\n\r\n".to_owned(),
            NO_HTTP,
        ),
        ("HTTP/1.1 2x0 OK\r\n\r\n".to_owned(), NO_HTTP),
        ("HTTP/3.0 200 OK\r\n\r\n".to_owned(), NO_HTTP),
        ("HTTP/2.0 200 OK\r\n\r\n".to_owned(), NO_HTTP),
        // HTTP/0.9: a body and nothing else.
        ("<html><body>OK</body></html>\r\n\r\n".to_owned(), NO_HTTP),
    ] {
        let receiver = Receiver::answering(answer.clone()).await;
        let shown: String = answer.escape_debug().take(80).collect();
        match send_briefly(&egress(), &receiver).await.result {
            Exchanged::Unreachable {
                cause: UnreachableCause::Protocol,
                message,
            } => assert!(message.ends_with(words), "{shown}: {message}"),
            other => panic!("{shown}: {other:?}"),
        }
    }
}

/// R-05: what is kept of a head that is long, but not too long.
#[tokio::test]
async fn a_long_head_is_cut() {
    let lines = format!("x: {}\r\n", "v".repeat(1200)).repeat(90);
    let receiver = Receiver::answering(format!("HTTP/1.1 204 OK\r\n{lines}\r\n")).await;
    let response = answered(send_briefly(&egress(), &receiver).await);
    assert_eq!((response.status, response.headers.len()), (204, 64));
    assert!(
        response
            .headers
            .iter()
            .all(|(_, value)| value.len() == 1024)
    );
}

/// R-05: RFC 9112, 2.2, lets a reader take a bare LF for the end of a line; this one does.
#[tokio::test]
async fn a_head_with_bare_line_feeds_is_an_answer() {
    let receiver = Receiver::answering("HTTP/1.1 204 OK\nx: y\n\n").await;
    let response = answered(send_briefly(&egress(), &receiver).await);
    assert_eq!(response.status, 204);
    assert_eq!(response.headers, [("x".to_owned(), "y".to_owned())]);
}

/// R-05: interim answers are passed over as fast as they come, and the deadline ends them. There
/// is no bar on the processor's time: the client has no other bound than that.
#[tokio::test]
async fn interim_answers_without_end() {
    let receiver = Receiver::start(|mut socket| async move {
        read_request(&mut socket).await;
        let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(1000);
        while socket.write_all(hints.as_bytes()).await.is_ok() {}
    })
    .await;
    let egress = egress();
    let exchange = send_briefly(&egress, &receiver).await;
    assert!(exchange.total >= TIMEOUT, "{:?}", exchange.total);
    timed_out(exchange);
    until("its connection ends with it", || receiver.open() == 0).await;
}

/// R-05: any number of them before an answer is an answer.
#[tokio::test]
async fn interim_answers_and_then_one() {
    let receiver = Receiver::start(|mut socket| async move {
        read_request(&mut socket).await;
        let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(1000);
        socket.write_all(hints.as_bytes()).await.unwrap();
        socket.write_all(OK.as_bytes()).await.unwrap();
    })
    .await;
    assert_eq!(
        answered(send_briefly(&egress(), &receiver).await).status,
        200
    );
}

/// R-02, R-03: a 2xx head is success, whatever its body does after it.
#[tokio::test]
async fn bodies_without_end_or_sense_leave_the_answer() {
    const HUGE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let block = "x".repeat(16 << 10);
    for (head, repeated) in [
        (HUGE.to_owned(), block.clone()),
        (HUGE.to_owned(), String::new()),
        (format!("{CHUNKED}ffffffffffffffff\r\n"), block.clone()),
        (format!("{CHUNKED}fffffffffffffffffffff\r\n"), block.clone()),
        (format!("{CHUNKED}1;"), block.clone()),
        (format!("{CHUNKED}0\r\n"), "x-trailer: y\r\n".repeat(1000)),
        (CHUNKED.to_owned(), "1\r\nx\r\n".repeat(1000)),
        (CHUNKED.to_owned(), "nonsense\r\n".to_owned()),
        ("HTTP/1.1 200 OK\r\n\r\n".to_owned(), block.clone()),
    ] {
        let shown = format!(
            "{head:?}, then {:?}",
            repeated.chars().take(8).collect::<String>()
        );
        let receiver = Receiver::start(move |mut socket| {
            let (head, repeated) = (head.clone(), repeated.clone());
            async move {
                read_request(&mut socket).await;
                socket.write_all(head.as_bytes()).await.unwrap();
                if repeated.is_empty() {
                    let _ = socket.read_to_end(&mut Vec::new()).await;
                    return;
                }
                while socket.write_all(repeated.as_bytes()).await.is_ok() {}
            }
        })
        .await;
        let response = answered(send_briefly(&egress(), &receiver).await);
        assert_eq!(
            (response.status, response.truncated),
            (200, true),
            "{shown}"
        );
        assert!(response.body.len() <= 16 << 10, "{shown}");
    }
}

/// R-04: names of codings that bombs are made in; nothing of it is decoded.
#[tokio::test]
async fn bombs_are_kept_as_they_came() {
    let bomb = [b"\x28\xb5\x2f\xfd".as_slice(), &[0x5a; 20 << 10]].concat();
    for coding in ["gzip", "br", "zstd", "deflate", "gzip, gzip, gzip"] {
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: {}\r\n\r\n",
            bomb.len()
        )
        .into_bytes();
        answer.extend_from_slice(&bomb);
        let receiver = Receiver::answering(answer).await;
        let response = answered(send_briefly(&egress(), &receiver).await);
        assert_eq!(&*response.body, &bomb[..16 << 10], "{coding}");
        assert!(response.truncated);
    }
}

/// R-06
#[tokio::test]
async fn resets_at_every_point() {
    let before_request = Receiver::start(|socket| async move {
        socket.set_zero_linger().unwrap();
    })
    .await;
    let in_head = Receiver::start(|mut socket| async move {
        read_request(&mut socket).await;
        socket.write_all(b"HTTP/1.1 200 OK\r\nx-ha").await.unwrap();
        socket.set_zero_linger().unwrap();
    })
    .await;
    let half_closed = Receiver::start(|mut socket| async move {
        read_request(&mut socket).await;
        socket.shutdown().await.unwrap();
        let _ = socket.read_to_end(&mut Vec::new()).await;
    })
    .await;
    for receiver in [&before_request, &in_head, &half_closed] {
        let (cause, message) = unreachable(send_briefly(&egress(), receiver).await);
        assert_eq!(cause, UnreachableCause::Reset, "{message}");
        assert!(
            message.ends_with("closed the connection before it answered"),
            "{message}"
        );
        assert_eq!(receiver.connections(), 1, "it is not tried twice");
    }

    let in_body = Receiver::start(|mut socket| async move {
        read_request(&mut socket).await;
        let half = b"HTTP/1.1 202 Accepted\r\ncontent-length: 100\r\n\r\nhalf";
        socket.write_all(half).await.unwrap();
        // Once its peer has read what came, and not before: a reset overtakes what was not read.
        tokio::time::sleep(Duration::from_millis(50)).await;
        socket.set_zero_linger().unwrap();
    })
    .await;
    let response = answered(send_briefly(&egress(), &in_body).await);
    assert_eq!((response.status, response.truncated), (202, true));
}

/// A large request whose receiver reads nothing of it.
#[tokio::test]
async fn a_receiver_that_does_not_read() {
    let receiver = Receiver::start(|socket| async move {
        std::future::pending::<()>().await;
        drop(socket);
    })
    .await;
    let mut outbound = request(&receiver.url("/"));
    outbound.timeout = TIMEOUT;
    outbound.body = vec![b'x'; 32 << 20].into();
    timed_out(send_in_time(&egress(), outbound, LATE).await);
}

/// An answer that comes while the request is still being sent ends the exchange.
#[tokio::test]
async fn a_receiver_that_answers_before_it_reads() {
    let receiver = Receiver::start(|mut socket| async move {
        socket.read_exact(&mut [0; 16]).await.unwrap();
        let answer = b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n";
        let _ = socket.write_all(answer).await;
        std::future::pending::<()>().await;
    })
    .await;
    let mut outbound = request(&receiver.url("/"));
    outbound.body = vec![b'x'; 32 << 20].into();
    let exchange = egress().send(outbound).await;
    assert_eq!(answered(exchange).status, 413);
}

/// R-13
#[tokio::test]
async fn what_a_receiver_wants_remembered_is_forgotten() {
    let (requests, mut seen) = mpsc::channel(4);
    let receiver = Receiver::start(move |mut socket| {
        let requests = requests.clone();
        async move {
            let wishes = "HTTP/1.1 200 OK\r\nset-cookie: id=1; Path=/\r\n\
                          alt-svc: h3=\":443\"; ma=86400\r\n\
                          strict-transport-security: max-age=31536000; includeSubDomains\r\n\
                          accept-ch: sec-ch-ua\r\nlink: </x>; rel=preload\r\n\
                          www-authenticate: Basic\r\netag: \"1\"\r\ncontent-length: 0\r\n\r\n";
            while let Some(request) = read_request(&mut socket).await {
                requests.send(request).await.unwrap();
                socket.write_all(wishes.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let egress = egress();
    for _ in 0..3 {
        answered(send(&egress, &receiver.url("/same")).await);
    }
    let first = seen.recv().await.unwrap();
    for _ in 1..3 {
        assert_eq!(seen.recv().await.unwrap(), first);
    }
}

/// R-11: round in circles, to the metadata service, to another host: each is an answer.
#[tokio::test]
async fn redirects_lead_nowhere() {
    let canary = Receiver::answering(OK).await;
    let egress = egress();
    for location in [
        "/hunter2".to_owned(),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        canary.url("/"),
        format!("//{}/", canary.address),
        "gopher://127.0.0.1:70/".to_owned(),
    ] {
        let head = format!("HTTP/1.1 307 Go\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        let head: Arc<str> = head.into();
        let receiver = Receiver::answering(head.as_bytes()).await;
        let response = answered(send(&egress, &receiver.url("/hunter2")).await);
        assert_eq!(response.status, 307);
        assert_eq!(receiver.connections(), 1);
    }
    assert_eq!(canary.connections(), 0);
}
