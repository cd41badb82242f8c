//! Invariant 6: no connection to a forbidden address, whatever leads there.

use std::sync::Arc;

use tokio::process::Command;
use whisperer_domain::address::{AddressPolicy, MixedAnswers};
use whisperer_domain::outcome::UnreachableCause;
use whisperer_egress::Egress;

use crate::receiver::{Receiver, answer_all};
use crate::sender::{Script, allowing, answered, blocked, config, egress, send, unreachable};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const OK_AND_CLOSE: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

fn scripted(policy: AddressPolicy, answers: &[&[&str]]) -> Egress {
    Egress::with_lookup(config(policy), Script::new(answers)).unwrap()
}

/// 127.0.0.2 stands for the public internet here, and 127.0.0.1 for what must not be reached.
async fn public_and_canary(answer: &'static str) -> (Receiver, Receiver) {
    let canary = Receiver::answering(OK).await;
    let bind = format!("127.0.0.2:{}", canary.address.port());
    let answer: Arc<[u8]> = answer.as_bytes().into();
    let public = Receiver::start_on(&bind, move |s| answer_all(s, Arc::clone(&answer))).await;
    (public, canary)
}

#[tokio::test]
async fn invariant_6_literals_and_local_names() {
    let canary = Receiver::answering(OK).await;
    let port = canary.address.port();
    let egress = Egress::new(config(AddressPolicy::default())).unwrap();
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "127.0.0.1.",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "10.0.0.1",
        "169.254.169.254",
        "metadata.google.internal",
    ] {
        let exchange = send(&egress, &format!("http://{host}:{port}/hunter2")).await;
        blocked(exchange);
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn invariant_6_a_name_that_turns_to_a_forbidden_address() {
    let (public, canary) = public_and_canary(OK_AND_CLOSE).await;
    let url = format!("http://turns.example:{}/hunter2", canary.address.port());
    let answers: [&[&str]; 4] = [
        &["127.0.0.2"],
        &["127.0.0.1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
    ];
    let egress = scripted(allowing(&["127.0.0.2/32"]), &answers);
    assert_eq!(answered(send(&egress, &url).await).status, 200);
    for _ in 1..10 {
        let message = blocked(send(&egress, &url).await);
        assert!(
            !message.contains("127.0.0.1"),
            "an answer is the operator's secret: {message}"
        );
    }
    assert_eq!((public.connections(), canary.connections()), (1, 0));
}

#[tokio::test]
async fn a_kept_connection_leads_where_it_led() {
    let (public, canary) = public_and_canary(OK).await;
    let url = format!("http://turns.example:{}/", canary.address.port());
    let egress = scripted(
        allowing(&["127.0.0.2/32"]),
        &[&["127.0.0.2"], &["127.0.0.1"]],
    );
    for _ in 0..3 {
        assert_eq!(answered(send(&egress, &url).await).status, 200);
    }
    assert_eq!((public.connections(), canary.connections()), (1, 0));
}

#[tokio::test]
async fn invariant_6_a_name_with_a_forbidden_address_among_others() {
    let (public, canary) = public_and_canary(OK).await;
    let url = format!("http://mixed.example:{}/", canary.address.port());
    let answers: [&[&str]; 1] = [&["10.0.0.1", "127.0.0.2", "192.168.0.1"]];
    let strict = scripted(allowing(&["127.0.0.2/32"]), &answers);
    blocked(send(&strict, &url).await);
    assert_eq!(public.connections(), 0);

    let filter = AddressPolicy {
        mixed_answers: MixedAnswers::Filter,
        ..allowing(&["127.0.0.2/32"])
    };
    let filtering = scripted(filter, &answers);
    assert_eq!(answered(send(&filtering, &url).await).status, 200);
    assert_eq!((public.connections(), canary.connections()), (1, 0));
}

#[tokio::test]
async fn a_port_that_is_refused_is_refused_for_names_too() {
    let egress = scripted(AddressPolicy::default(), &[&["8.8.8.8"]]);
    let message = blocked(send(&egress, "http://db.example:5432/hunter2").await);
    assert!(message.contains("port 5432"), "{message}");
}

/// a name of one word that clouds answer for is refused by its address.
#[tokio::test]
async fn a_name_that_only_the_local_network_knows() {
    let answers: [&[&str]; 2] = [&["169.254.169.254"], &["fd00:ec2::254"]];
    let egress = scripted(AddressPolicy::default(), &answers);
    for _ in 0..2 {
        let message = blocked(send(&egress, "http://instance-data/latest/hunter2").await);
        assert!(message.contains("not on the public internet"), "{message}");
    }
}

#[tokio::test]
async fn our_own_listener_is_never_sent_to() {
    let ours = Receiver::answering(OK).await;
    let policy = AddressPolicy {
        own_listeners: vec![ours.address],
        ..allowing(&["0.0.0.0/0", "::/0"])
    };
    let port = ours.address.port();
    let egress = scripted(policy, &[&["127.0.0.1"]]);
    for host in [
        "127.0.0.1",
        "0.0.0.0",
        "[::ffff:127.0.0.1]",
        "localhost",
        "public.example",
    ] {
        let message = blocked(send(&egress, &format!("http://{host}:{port}/")).await);
        assert!(message.ends_with("it is this server itself"), "{message}");
    }
    assert_eq!(ours.connections(), 0);
}

#[tokio::test]
async fn eight_addresses_are_tried() {
    let ninth = Receiver::start_on("127.0.0.10:0", |s| answer_all(s, OK.as_bytes().into())).await;
    let all: Vec<_> = (2..=10).map(|n| format!("127.0.0.{n}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let url = format!("http://many.example:{}/", ninth.address.port());
    let egress = scripted(allowing(&["127.0.0.0/8"]), &[&all, &all[1..]]);
    assert_eq!(
        unreachable(send(&egress, &url).await).0,
        UnreachableCause::Connect
    );
    assert_eq!(answered(send(&egress, &url).await).status, 200);
}

#[tokio::test]
async fn localhost_is_sent_to_where_loopback_is_allowed() {
    let receiver = Receiver::answering(OK).await;
    let port = receiver.address.port();
    // By the system's resolver, which may know ::1 as well.
    let exchange = send(&egress(), &format!("http://localhost:{port}/")).await;
    assert_eq!(answered(exchange).status, 200);
}

/// The environment is the process's, so the sending half runs in a process of its own.
#[tokio::test]
async fn a_proxy_in_the_environment_is_ignored() {
    const TARGET: &str = "WHISPERER_TEST_PROXY_TARGET";
    if let Ok(url) = std::env::var(TARGET) {
        assert_eq!(answered(send(&egress(), &url).await).status, 200);
        return;
    }
    let proxy = Receiver::answering("HTTP/1.1 502 Proxy\r\ncontent-length: 0\r\n\r\n").await;
    let target = Receiver::answering(OK).await;
    let mut inner = Command::new(std::env::current_exe().unwrap());
    inner
        .args(["--exact", "policy::a_proxy_in_the_environment_is_ignored"])
        .env(TARGET, target.url("/"))
        .kill_on_drop(true);
    for name in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "all_proxy",
    ] {
        inner.env(name, proxy.url(""));
    }
    let output = inner.output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!((proxy.connections(), target.connections()), (0, 1));
}
