//! Sending through the operator's proxy: what it is asked, and what is said when it does not work.
//!
//! The policy allows 127.0.0.2 only, where receivers are; the proxy is on 127.0.0.1, so each test
//! also shows that the proxy's own address needs no permission.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use whisperer_domain::outcome::UnreachableCause;
use whisperer_domain::port::Transport;
use whisperer_egress::{Egress, EgressProxy, ExtraRoots};

use crate::cost::{LATE, cost_of, send_in_time};
use crate::receiver::{Receiver, answer_all, read_request};
use crate::sender::{
    Script, allowing, answered, blocked, config, request, send, timed_out, unreachable,
};
use crate::tls::{NAME, acceptor_for, secure_receiver_on};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const CREDENTIALS: &str = "egress:hunter2@";

async fn receiver() -> Receiver {
    Receiver::start_on("127.0.0.2:0", |s| answer_all(s, OK.as_bytes().into())).await
}

/// A working proxy, and the heads of what it was asked.
async fn proxy() -> (Receiver, mpsc::Receiver<String>) {
    let (heads, asked) = mpsc::channel(64);
    let proxy = Receiver::start(move |socket| tunnel(socket, heads.clone())).await;
    (proxy, asked)
}

async fn tunnel<S>(mut socket: S, heads: mpsc::Sender<String>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = socket.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap().to_owned();
    heads.send(head).await.unwrap();
    let Ok(mut far) = TcpStream::connect(&target).await else {
        let _ = socket.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
        return;
    };
    let established = b"HTTP/1.1 200 Connection established\r\nvia: test\r\n\r\n";
    socket.write_all(established).await.unwrap();
    let _ = copy_bidirectional(&mut socket, &mut far).await;
}

fn through(url: &str, answers: &[&[&str]], roots: &[Vec<u8>]) -> Egress {
    let mut config = config(allowing(&["127.0.0.2/32"]));
    config.proxy = Some(EgressProxy::parse(url).unwrap());
    config.extra_roots = roots
        .iter()
        .map(|pem| ExtraRoots {
            name: "roots.pem".to_owned(),
            pem: pem.clone(),
        })
        .collect();
    Egress::with_lookup(config, Script::new(answers)).unwrap()
}

#[tokio::test]
async fn an_http_receiver_by_its_checked_address_over_a_tunnel_that_is_kept() {
    let (heads, mut seen) = mpsc::channel(4);
    let receiver = Receiver::start_on("127.0.0.2:0", move |mut socket| {
        let heads = heads.clone();
        async move {
            while let Some(head) = read_request(&mut socket).await {
                heads.send(String::from_utf8(head).unwrap()).await.unwrap();
                socket.write_all(OK.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let (proxy, mut asked) = proxy().await;
    let url = format!("http://{CREDENTIALS}{}", proxy.address);
    let egress = through(&url, &[&["127.0.0.2"]], &[]);
    let port = receiver.address.port();
    for _ in 0..2 {
        let exchange = send(&egress, &format!("http://partner.example:{port}/a?b=c")).await;
        assert_eq!(answered(exchange).status, 200);
        let request = seen.recv().await.unwrap();
        assert!(request.starts_with("POST /a?b=c HTTP/1.1\r\n"), "{request}");
        assert!(request.contains(&format!("\r\nhost: partner.example:{port}\r\n")));
        assert!(!request.contains("proxy-"), "{request}");
    }
    let head = asked.recv().await.unwrap();
    assert_eq!(
        head,
        // egress:hunter2
        format!(
            "CONNECT 127.0.0.2:{port} HTTP/1.1\r\nhost: 127.0.0.2:{port}\r\n\
             proxy-authorization: Basic ZWdyZXNzOmh1bnRlcjI=\r\n\r\n"
        )
    );
    assert_eq!((proxy.connections(), receiver.connections()), (1, 1));
}

#[tokio::test]
async fn an_https_receiver_proves_its_name_through_the_tunnel() {
    let (receiver, root) = secure_receiver_on("127.0.0.2:0", "tunnelled", |_| {}).await;
    let (proxy, _asked) = proxy().await;
    let egress = through(&proxy.url(""), &[&["127.0.0.2"]], &[root]);
    let port = receiver.address.port();
    let exchange = send(&egress, &format!("https://{NAME}:{port}/")).await;
    assert_eq!(&*answered(exchange).body, b"HTTP/1.1");
    let exchange = send(&egress, &format!("https://other.example:{port}/")).await;
    let (cause, message) = unreachable(exchange);
    assert_eq!(cause, UnreachableCause::Tls, "{message}");
}

#[tokio::test]
async fn a_proxy_that_is_spoken_to_over_tls() {
    let (acceptor, root) = acceptor_for("proxy.example", "proxy", |_| {}, &[]);
    let (heads, mut asked) = mpsc::channel(4);
    let proxy = Receiver::start(move |socket| {
        let (acceptor, heads): (TlsAcceptor, _) = (acceptor.clone(), heads.clone());
        async move {
            if let Ok(stream) = acceptor.accept(socket).await {
                tunnel(stream, heads).await;
            }
        }
    })
    .await;
    let receiver = receiver().await;
    let url = format!("https://proxy.example:{}", proxy.address.port());
    let target = format!("http://127.0.0.2:{}/", receiver.address.port());
    let trusting = through(&url, &[&["127.0.0.1"]], &[root]);
    assert_eq!(answered(send(&trusting, &target).await).status, 200);
    assert!(asked.recv().await.unwrap().starts_with("CONNECT 127.0.0.2"));
    let wary = through(&url, &[&["127.0.0.1"]], &[]);
    let (cause, message) = unreachable(send(&wary, &target).await);
    assert_eq!(cause, UnreachableCause::Proxy, "{message}");
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn invariant_6_the_proxy_is_never_asked_for_what_the_policy_forbids() {
    let (proxy, _asked) = proxy().await;
    let egress = through(
        &proxy.url(""),
        &[
            &["10.0.0.1"],
            &["127.0.0.2", "10.0.0.1"],
            &["::ffff:7f00:1"],
        ],
        &[],
    );
    for host in [
        "turns.example",
        "turns.example",
        "turns.example",
        "127.0.0.1",
        "2130706433",
        "localhost",
        "169.254.169.254",
    ] {
        blocked(send(&egress, &format!("http://{host}:8080/hunter2")).await);
        blocked(send(&egress, &format!("https://{host}:8443/hunter2")).await);
    }
    assert_eq!(proxy.connections(), 0);
}

#[tokio::test]
async fn a_target_with_an_address_that_the_proxy_cannot_reach_is_tried_by_the_next() {
    let receiver = receiver().await;
    let (proxy, mut asked) = proxy().await;
    let mut config = config(allowing(&["127.0.0.2/31"]));
    config.proxy = Some(EgressProxy::parse(&proxy.url("")).unwrap());
    let egress = Egress::with_lookup(config, Script::new(&[&["127.0.0.3", "127.0.0.2"]])).unwrap();
    let port = receiver.address.port();
    let exchange = send(&egress, &format!("http://two.example:{port}/")).await;
    assert_eq!(answered(exchange).status, 200);
    assert!(asked.recv().await.unwrap().starts_with("CONNECT 127.0.0.3"));
    assert!(asked.recv().await.unwrap().starts_with("CONNECT 127.0.0.2"));
}

#[tokio::test]
async fn what_is_said_of_a_proxy_that_does_not_do_as_asked() {
    for (answer, cause, words) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 9\r\n\r\nno entry!",
            UnreachableCause::Proxy,
            "does not accept this server's credentials (407)",
        ),
        (
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            UnreachableCause::Proxy,
            "refuses to connect to http://127.0.0.2:8080 (403)",
        ),
        (
            "HTTP/1.0 500 Oops\r\n\r\n",
            UnreachableCause::Proxy,
            "refuses to connect to http://127.0.0.2:8080 (500)",
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\n\r\n",
            UnreachableCause::Connect,
            "found no way to http://127.0.0.2:8080 and answered 502",
        ),
        (
            "HTTP/1.1 504 Gateway Timeout\r\n\r\n",
            UnreachableCause::Connect,
            "found no way to http://127.0.0.2:8080 and answered 504",
        ),
        (
            "SSH-2.0-OpenSSH_9.9\r\n\r\n",
            UnreachableCause::Proxy,
            "does not answer as an HTTP proxy does",
        ),
        // What follows would be taken for the receiver's.
        (
            "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            UnreachableCause::Proxy,
            "does not answer as an HTTP proxy does",
        ),
        ("", UnreachableCause::Proxy, "cannot be reached"),
    ] {
        let answer_bytes: Arc<[u8]> = answer.as_bytes().into();
        let proxy = Receiver::start(move |mut socket| {
            let answer = Arc::clone(&answer_bytes);
            async move {
                read_request(&mut socket).await;
                socket.write_all(&answer).await.unwrap();
            }
        })
        .await;
        let egress = through(
            &format!("http://{CREDENTIALS}{}", proxy.address),
            &[&["127.0.0.2"]],
            &[],
        );
        let exchange = send(&egress, "http://127.0.0.2:8080/hunter2").await;
        let (found, message) = unreachable(exchange);
        assert_eq!(found, cause, "{answer:?}: {message}");
        assert!(message.contains(words), "{answer:?}: {message}");
        let of_proxy = proxy.address.to_string();
        assert!(!message.contains(&of_proxy), "the operator's: {message}");
    }
}

/// R-08, through a tunnel: a receiver that floods is read as slowly as its meter allows.
#[tokio::test]
async fn a_receiver_that_floods_costs_little_behind_a_proxy() {
    let receiver = Receiver::start_on("127.0.0.2:0", |mut socket| async move {
        read_request(&mut socket).await;
        let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(1000);
        while socket.write_all(hints.as_bytes()).await.is_ok() {}
    })
    .await;
    let (proxy, _asked) = proxy().await;
    let url = proxy.url("");
    let mut outbound = request(&format!("http://{}/hunter2", receiver.address));
    outbound.timeout = Duration::from_secs(2);
    let (exchange, cost) = cost_of(move || through(&url, &[&["127.0.0.2"]], &[]), outbound).await;
    println!("hints through a proxy: {cost:?} in {:?}", exchange.total);
    assert!(cost < Duration::from_millis(200), "{cost:?}");
    assert_eq!(timed_out(exchange), "waiting for the answer's head");
}

#[tokio::test]
async fn a_handshake_that_does_not_come_behind_a_proxy() {
    let receiver = Receiver::start_on("127.0.0.2:0", |mut socket| async move {
        let _ = socket.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let (proxy, _asked) = proxy().await;
    let egress = through(&proxy.url(""), &[&["127.0.0.2"]], &[]);
    let mut outbound = request(&format!("https://{}/hunter2", receiver.address));
    outbound.timeout = Duration::from_millis(300);
    let exchange = send_in_time(&egress, outbound, LATE).await;
    assert_eq!(timed_out(exchange), "waiting for the TLS handshake");
}

#[tokio::test]
async fn a_proxy_without_end_or_answer() {
    let endless = Receiver::start(|mut socket| async move {
        let line = format!("HTTP/1.1 200 OK\r\n{}", "x: y\r\n".repeat(1000));
        while socket.write_all(line.as_bytes()).await.is_ok() {}
    })
    .await;
    let egress = through(&endless.url(""), &[&["127.0.0.2"]], &[]);
    let exchange = send(&egress, "http://127.0.0.2:8080/").await;
    assert_eq!(unreachable(exchange).0, UnreachableCause::Proxy);

    let silent = Receiver::start(|mut socket| async move {
        let _ = socket.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let egress = through(&silent.url(""), &[&["127.0.0.2"]], &[]);
    let mut outbound = request("http://127.0.0.2:8080/hunter2");
    outbound.timeout = Duration::from_millis(200);
    let exchange = egress.send(outbound).await;
    assert_eq!(
        timed_out(exchange),
        "reaching the receiver through the operator's proxy"
    );

    let gone = silent.address;
    drop(silent);
    let egress = through(&format!("http://{gone}"), &[&["127.0.0.2"]], &[]);
    let (cause, message) = unreachable(send(&egress, "http://127.0.0.2:8080/").await);
    assert_eq!(cause, UnreachableCause::Proxy);
    assert_eq!(message, "the operator's proxy cannot be reached");
}
