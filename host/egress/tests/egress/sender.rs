//! An egress for tests: what it may reach, which names it knows, and how its ends are read.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use whisperer_domain::address::AddressPolicy;
use whisperer_domain::attempt::Response;
use whisperer_domain::outcome::UnreachableCause;
use whisperer_domain::port::{BoxFuture, Clock, Exchange, Exchanged, OutboundRequest, Transport};
use whisperer_domain::secret::Secret;
use whisperer_domain::target_url::TargetUrl;
use whisperer_domain::time::Timestamp;
use whisperer_egress::{Egress, EgressConfig, Lookup, LookupError};

/// Stands in each request where credentials do; no message may repeat it.
pub(crate) const CREDENTIAL: &str = "hunter2";

pub(crate) struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp(784_111_740_000)
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(wait))
    }
}

/// Gives each look-up its next answers, the last ones again and again.
pub(crate) struct Script(Mutex<Vec<Vec<IpAddr>>>);

impl Script {
    pub(crate) fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |list: &&[&str]| list.iter().map(|ip| ip.parse().unwrap()).collect();
        Arc::new(Self(Mutex::new(answers.iter().rev().map(parse).collect())))
    }
}

impl Lookup for Script {
    fn lookup(&self, _name: &str) -> BoxFuture<'static, Result<Vec<IpAddr>, LookupError>> {
        let mut left = self.0.lock().unwrap();
        let answer = match left.len() {
            1 => left[0].clone(),
            _ => left.pop().unwrap(),
        };
        Box::pin(async move { Ok(answer) })
    }
}

pub(crate) fn allowing(networks: &[&str]) -> AddressPolicy {
    AddressPolicy {
        allow_networks: networks.iter().map(|net| net.parse().unwrap()).collect(),
        ..AddressPolicy::default()
    }
}

pub(crate) fn config(policy: AddressPolicy) -> EgressConfig {
    EgressConfig::new(Arc::new(policy), Arc::new(FixedClock))
}

/// May send to loopback, with the system's resolver.
pub(crate) fn egress() -> Egress {
    Egress::new(config(allowing(&["127.0.0.0/8"]))).unwrap()
}

pub(crate) fn request(url: &str) -> OutboundRequest {
    OutboundRequest {
        url: TargetUrl::parse(url).unwrap(),
        headers: vec![(
            "authorization".to_owned(),
            Secret::new(format!("Bearer {CREDENTIAL}")).into(),
        )],
        body: "{}".into(),
        timeout: Duration::from_secs(10),
    }
}

/// Sends to a URL whose path holds the credential.
pub(crate) async fn send(egress: &Egress, url: &str) -> Exchange {
    egress.send(request(url)).await
}

pub(crate) fn answered(exchange: Exchange) -> Response {
    match exchange.result {
        Exchanged::Answered { response, .. } => response,
        other => panic!("no answer: {other:?}"),
    }
}

pub(crate) fn unreachable(exchange: Exchange) -> (UnreachableCause, String) {
    match exchange.result {
        Exchanged::Unreachable { cause, message } => (cause, discreet(message)),
        other => panic!("not unreachable: {other:?}"),
    }
}

pub(crate) fn timed_out(exchange: Exchange) -> String {
    match exchange.result {
        Exchanged::TimedOut { while_doing } => discreet(while_doing),
        other => panic!("not timed out: {other:?}"),
    }
}

pub(crate) fn blocked(exchange: Exchange) -> String {
    match exchange.result {
        Exchanged::Blocked { message } => discreet(message),
        other => panic!("not blocked: {other:?}"),
    }
}

/// Invariant 7, held against every message that any test reads.
fn discreet(message: String) -> String {
    assert!(!message.contains(CREDENTIAL), "{message}");
    message
}
