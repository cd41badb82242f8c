//! What a receiver gets, and what is read of its answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use whisperer_domain::outcome::Asks;
use whisperer_domain::port::{Exchanged, Transport};

use crate::receiver::{Receiver, read_request};
use crate::sender::{answered, egress, request, send};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn the_receiver_gets_exactly_the_request() {
    let (requests, mut received) = mpsc::channel(1);
    let receiver = Receiver::start(move |mut socket| {
        let requests = requests.clone();
        async move {
            let request = read_request(&mut socket).await.unwrap();
            requests.send(request).await.unwrap();
            socket.write_all(OK.as_bytes()).await.unwrap();
        }
    })
    .await;
    let mut outbound = request(&receiver.url("/a/b?token=1#never-sent"));
    outbound.body = "{\"ü\": 1}".into();
    outbound.headers = [
        ("Content-Type", "application/json"),
        ("Host", "elsewhere.example"),
        ("Content-Length", "1"),
        ("Transfer-Encoding", "chunked"),
        ("X-Twice", "1"),
        ("x-twice", "2"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned().into()))
    .to_vec();
    let response = answered(egress().send(outbound).await);
    assert_eq!(
        (response.status, &*response.body, response.truncated),
        (200, &b"ok"[..], false)
    );
    let expected = format!(
        "POST /a/b?token=1 HTTP/1.1\r\ncontent-type: application/json\r\nx-twice: 1\r\n\
         x-twice: 2\r\naccept: */*\r\nhost: {}\r\ncontent-length: 9\r\n\r\n{{\"ü\": 1}}",
        receiver.address,
    );
    assert_eq!(
        String::from_utf8(received.recv().await.unwrap()).unwrap(),
        expected
    );
}

#[tokio::test]
async fn every_status_is_an_answer() {
    let egress = egress();
    for status in [
        200, 201, 204, 226, 299, 300, 304, 400, 404, 410, 418, 429, 500, 599, 600, 999,
    ] {
        let head = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: 0\r\n\r\n");
        let receiver = Receiver::answering(head).await;
        assert_eq!(
            answered(send(&egress, &receiver.url("/")).await).status,
            status
        );
    }
    let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n";
    let receiver = Receiver::answering(format!("{early}{OK}")).await;
    assert_eq!(
        answered(send(&egress, &receiver.url("/")).await).status,
        200
    );
}

#[tokio::test]
async fn redirects_are_answers_and_never_followed() {
    let canary = Receiver::answering(OK).await;
    let egress = egress();
    for status in [300, 301, 302, 303, 307, 308] {
        let location = canary.url("/");
        let head = format!(
            "HTTP/1.1 {status} Go\r\nlocation: {location}\r\nrefresh: 0;url={location}\r\n\
             content-length: 0\r\n\r\n"
        );
        let receiver = Receiver::answering(head).await;
        let response = answered(send(&egress, &receiver.url("/")).await);
        assert_eq!(response.status, status);
        assert!(
            response
                .headers
                .contains(&("location".to_owned(), location))
        );
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn a_kept_connection_is_used_again_and_costs_no_connect() {
    let receiver = Receiver::answering(OK).await;
    let egress = egress();
    let first = send(&egress, &receiver.url("/1")).await;
    assert!(first.connect > Duration::ZERO && first.connect <= first.total);
    answered(first);
    let second = send(&egress, &receiver.url("/2")).await;
    assert_eq!(second.connect, Duration::ZERO);
    answered(second);
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn invariant_8_a_body_is_kept_up_to_16_kib() {
    let egress = egress();
    for (body_bytes, kept, truncated) in [
        (16 << 10, 16 << 10, false),
        ((16 << 10) + 1, 16 << 10, true),
        (60 << 10, 16 << 10, true),
    ] {
        let body = "x".repeat(body_bytes);
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {body_bytes}\r\n\r\n{body}");
        let receiver = Receiver::answering(answer).await;
        for _ in 0..2 {
            let response = answered(send(&egress, &receiver.url("/")).await);
            assert_eq!((response.body.len(), response.truncated), (kept, truncated));
        }
        assert_eq!(
            receiver.connections(),
            1,
            "read to its end, {body_bytes} bytes leave it usable"
        );
    }
}

#[tokio::test]
async fn invariant_8_an_endless_body_is_cut_off() {
    let (ended, mut end) = mpsc::channel(1);
    let receiver = Receiver::start(move |mut socket| {
        let ended = ended.clone();
        async move {
            read_request(&mut socket).await;
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            socket.write_all(head).await.unwrap();
            let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
            // Until the connection is gone.
            while socket.write_all(chunk.as_bytes()).await.is_ok() {}
            ended.send(()).await.unwrap();
        }
    })
    .await;
    let exchange = send(&egress(), &receiver.url("/")).await;
    assert!(
        exchange.total < Duration::from_secs(5),
        "{:?}",
        exchange.total
    );
    let response = answered(exchange);
    assert_eq!(
        (response.status, response.body.len(), response.truncated),
        (200, 16 << 10, true)
    );
    end.recv().await.unwrap();
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_the_answer() {
    let receiver = Receiver::start(|mut socket| async move {
        read_request(&mut socket).await;
        let half = b"HTTP/1.1 201 Created\r\ncontent-length: 10\r\n\r\nhalf";
        socket.write_all(half).await.unwrap();
    })
    .await;
    let response = answered(send(&egress(), &receiver.url("/")).await);
    assert_eq!(
        (response.status, &*response.body, response.truncated),
        (201, &b"half"[..], true)
    );
}

#[tokio::test]
async fn invariant_8_headers_are_kept_in_bounds() {
    let many: String = (0..80).map(|n| format!("x-{n}: {n}\r\n")).collect();
    let long = "v".repeat(5000);
    let answer = format!("HTTP/1.1 200 OK\r\nx-long: {long}\r\n{many}content-length: 0\r\n\r\n");
    let receiver = Receiver::answering(answer).await;
    let response = answered(send(&egress(), &receiver.url("/")).await);
    assert_eq!(response.headers.len(), 64);
    assert_eq!(response.headers[0], ("x-long".to_owned(), "v".repeat(1024)));
    let odd = b"HTTP/1.1 200 OK\r\nx-odd: a\xffb\r\ncontent-length: 0\r\n\r\n";
    let receiver = Receiver::answering(odd.to_vec()).await;
    let response = answered(send(&egress(), &receiver.url("/")).await);
    assert_eq!(response.headers[0].1, "a\u{fffd}b");
}

/// A bomb of gzip is some bytes like others.
#[tokio::test]
async fn compressed_bodies_are_kept_as_they_came() {
    let zip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x04\0\x43\xbe\xb7\xe8\x01\0\0\0";
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        zip.len()
    )
    .into_bytes();
    answer.extend_from_slice(zip);
    let receiver = Receiver::answering(answer).await;
    let response = answered(send(&egress(), &receiver.url("/")).await);
    assert_eq!(&*response.body, zip);
}

#[tokio::test]
async fn retry_after_is_read() {
    for (value, wait) in [
        ("120.5", Some(120_500)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37_000)),
        ("later", None),
    ] {
        let head =
            format!("HTTP/1.1 503 Busy\r\nretry-after: {value}\r\ncontent-length: 0\r\n\r\n");
        let receiver = Receiver::answering(head).await;
        match send(&egress(), &receiver.url("/")).await.result {
            Exchanged::Answered { retry_after, .. } => {
                assert_eq!(retry_after, wait.map(Duration::from_millis), "{value}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_a_receiver_asks_for_is_read_beside_any_status() {
    for (status, headers, expected) in [
        (200, "Webhook-Delivery: Disable\r\n", Some(Asks::Disable)),
        (
            400,
            "webhook-delivery: abort-message\r\n",
            Some(Asks::Abort),
        ),
        (
            500,
            "webhook-delivery: abort-message\r\nwebhook-delivery: disable\r\n",
            Some(Asks::Disable),
        ),
        (500, "webhook-delivery: perhaps\r\n", None),
        (200, "", None),
    ] {
        let head = format!("HTTP/1.1 {status} Any\r\n{headers}content-length: 0\r\n\r\n");
        let receiver = Receiver::answering(head).await;
        match send(&egress(), &receiver.url("/")).await.result {
            Exchanged::Answered { asks, response, .. } => {
                assert_eq!((asks, response.status), (expected, status), "{headers}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn exchanges_run_beside_each_other() {
    let meeting = Arc::new(tokio::sync::Barrier::new(3));
    let receiver = Receiver::start(move |mut socket| {
        let meeting = Arc::clone(&meeting);
        async move {
            read_request(&mut socket).await;
            // Nobody is answered before all three asked.
            meeting.wait().await;
            socket.write_all(OK.as_bytes()).await.unwrap();
        }
    })
    .await;
    let (egress, url) = (egress(), receiver.url("/"));
    let all = tokio::join!(
        send(&egress, &url),
        send(&egress, &url),
        send(&egress, &url)
    );
    for exchange in [all.0, all.1, all.2] {
        assert_eq!(answered(exchange).status, 200);
    }
}
