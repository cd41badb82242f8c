//! TLS: whom it trusts, what it says of those it does not, and that HTTP/1.1 alone is spoken over it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, NameConstraints,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use whisperer_domain::outcome::UnreachableCause;
use whisperer_domain::port::Exchange;
use whisperer_egress::{Egress, EgressConfig, EgressError, ExtraRoots};

use crate::receiver::{Receiver, read_request};
use crate::sender::{Script, allowing, answered, config, send, unreachable};

pub(crate) const NAME: &str = "receiver.example";

/// A self-signed server, and its certificate as PEM.
pub(crate) fn acceptor_for(
    name: &str,
    issuer: &str,
    tune: impl FnOnce(&mut CertificateParams),
    alpn: &[&[u8]],
) -> (TlsAcceptor, Vec<u8>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    // Issuers of one name would be taken for each other.
    params.distinguished_name.push(DnType::CommonName, issuer);
    tune(&mut params);
    let certificate = params.self_signed(&key).unwrap();
    let chain = vec![certificate.der().clone()];
    let mut config = server_config(None, chain, &key);
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    (acceptor, certificate.pem().into_bytes())
}

fn server_config(
    clients: Option<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(roots) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .unwrap(),
        ),
    };
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    builder.with_single_cert(chain, key).unwrap()
}

/// A receiver that offers HTTP/2 and HTTP/1.1 over TLS and answers with the version it was asked in,
/// and its certificate as PEM.
pub(crate) async fn secure_receiver_on(
    bind: &str,
    issuer: &str,
    tune: impl FnOnce(&mut CertificateParams),
) -> (Receiver, Vec<u8>) {
    let (acceptor, root) = acceptor_for(NAME, issuer, tune, &[b"h2", b"http/1.1"]);
    let serve = move |socket| serve(acceptor.clone(), socket);
    (Receiver::start_on(bind, serve).await, root)
}

async fn secure_receiver(
    issuer: &str,
    tune: impl FnOnce(&mut CertificateParams),
) -> (Receiver, Vec<u8>) {
    secure_receiver_on("127.0.0.1:0", issuer, tune).await
}

async fn serve(acceptor: TlsAcceptor, socket: TcpStream) {
    let Ok(stream) = acceptor.accept(socket).await else {
        return;
    };
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| async move {
        let version = format!("{:?}", request.version());
        Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from(version))))
    });
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn bundle(pem: &[u8]) -> ExtraRoots {
    ExtraRoots {
        name: "roots.pem".to_owned(),
        pem: pem.to_vec(),
    }
}

pub(crate) fn trusting_config(roots: &[Vec<u8>]) -> EgressConfig {
    let mut config = config(allowing(&["127.0.0.0/8"]));
    config.extra_roots = roots.iter().map(|pem| bundle(pem)).collect();
    config
}

pub(crate) fn trusting(roots: &[Vec<u8>]) -> Egress {
    let answers = Script::new(&[&["127.0.0.1"]]);
    Egress::with_lookup(trusting_config(roots), answers).unwrap()
}

pub(crate) async fn send_to(egress: &Egress, name: &str, address: SocketAddr) -> Exchange {
    send(
        egress,
        &format!("https://{name}:{}/hunter2", address.port()),
    )
    .await
}

/// what a peer could do with frames, it cannot.
#[tokio::test]
async fn http_1_1_is_spoken_though_http_2_is_offered_and_connections_are_kept() {
    let (receiver, root) = secure_receiver("known", |_| {}).await;
    let egress = trusting(&[root]);
    let first = send_to(&egress, NAME, receiver.address).await;
    assert!(first.connect > Duration::ZERO);
    assert_eq!(&*answered(first).body, b"HTTP/1.1");
    let second = send_to(&egress, NAME, receiver.address).await;
    assert_eq!(second.connect, Duration::ZERO);
    assert_eq!(answered(second).status, 200);
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn who_speaks_http_2_alone_is_told_so() {
    let (acceptor, root) = acceptor_for(NAME, "modern", |_| {}, &[b"h2"]);
    let receiver = Receiver::start(move |socket| serve(acceptor.clone(), socket)).await;
    let exchange = send_to(&trusting(&[root]), NAME, receiver.address).await;
    let (cause, message) = unreachable(exchange);
    assert_eq!(cause, UnreachableCause::Tls, "{message}");
    assert!(message.contains("HTTP/1.1"), "{message}");
}

#[tokio::test]
async fn certificates_that_are_not_accepted() {
    let (unknown, _) = secure_receiver("unknown", |_| {}).await;
    let (expired, old_root) = secure_receiver("expired", |params| {
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    })
    .await;
    let (misnamed, root) = secure_receiver("misnamed", |_| {}).await;
    let egress = trusting(&[old_root, root]);
    for (receiver, name, words) in [
        (&unknown, NAME, "it is self-signed"),
        (&expired, NAME, "it has expired"),
        (&misnamed, "other.example", "it is for another name"),
    ] {
        let (cause, message) = unreachable(send_to(&egress, name, receiver.address).await);
        assert_eq!(cause, UnreachableCause::Tls, "{message}");
        assert!(message.contains(words), "{message}");
    }
}

///
#[tokio::test]
async fn certificates_that_are_not_valid_for_this() {
    let (future, future_root) = secure_receiver("future", |params| {
        params.not_before = rcgen::date_time_ymd(2200, 1, 1);
        params.not_after = rcgen::date_time_ymd(2201, 1, 1);
    })
    .await;
    let (client, client_root) = secure_receiver("client", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    })
    .await;
    let (constrained, constrained_root) = constrained().await;
    let egress = trusting(&[future_root, client_root, constrained_root]);
    for (receiver, words) in [
        (&future, "it is not valid yet"),
        (&client, "it is not for servers"),
        (&constrained, "its issuer may not vouch for it"),
    ] {
        let (cause, message) = unreachable(send_to(&egress, NAME, receiver.address).await);
        assert_eq!(cause, UnreachableCause::Tls, "{message}");
        assert!(message.contains(words), "{message}");
    }
}

/// Vouched for by an authority that may vouch for names under `elsewhere.example` only.
async fn constrained() -> (Receiver, Vec<u8>) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("elsewhere.example".to_owned())],
        excluded_subtrees: Vec::new(),
    });
    let root = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::from_params(&authority, &authority_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server_config(
        None,
        vec![leaf.der().clone()],
        &key,
    )));
    let receiver = Receiver::start(move |socket| serve(acceptor.clone(), socket)).await;
    (receiver, root.into_bytes())
}

///
#[tokio::test]
async fn a_receiver_that_demands_a_client_certificate() {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![NAME.to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let mut clients = RootCertStore::empty();
    clients.add(certificate.der().clone()).unwrap();
    let config = server_config(Some(clients), vec![certificate.der().clone()], &key);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let receiver = Receiver::start(move |socket| {
        let acceptor = acceptor.clone();
        async move {
            // It tells why before it closes; what it did not read would reset the connection.
            if let Err((_, mut socket)) = acceptor.accept(socket).into_fallible().await {
                let _ = socket.read_to_end(&mut Vec::new()).await;
            }
        }
    })
    .await;
    let egress = trusting(&[certificate.pem().into_bytes()]);
    let (cause, message) = unreachable(send_to(&egress, NAME, receiver.address).await);
    assert_eq!(cause, UnreachableCause::Tls, "{message}");
    assert!(
        message.contains("demands a client certificate"),
        "{message}"
    );
}

/// records as old servers write them.
#[tokio::test]
async fn servers_that_know_no_tls_that_is_safe() {
    let server_hello: Vec<u8> = [
        // A handshake record of TLS 1.0 with a ServerHello of 42 bytes.
        &[22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1][..],
        &[7; 32],
        // No session; TLS_RSA_WITH_AES_128_CBC_SHA; no compression.
        &[0, 0, 0x2f, 0],
    ]
    .concat();
    let alert = |code| vec![21, 3, 1, 0, 2, 2, code];
    for (answer, words) in [
        (server_hello, "TLS 1.2 or 1.3 is needed"),
        (alert(70), "TLS 1.2 or 1.3 is needed"),
        (alert(40), "no cipher in common"),
        (alert(112), "does not know that host name"),
        (alert(80), "alert InternalError"),
    ] {
        let receiver = Receiver::start(move |mut socket| {
            let answer = answer.clone();
            async move {
                let _ = socket.read(&mut [0; 4096]).await;
                let _ = socket.write_all(&answer).await;
                let _ = socket.read_to_end(&mut Vec::new()).await;
            }
        })
        .await;
        let (cause, message) = unreachable(send_to(&trusting(&[]), NAME, receiver.address).await);
        assert_eq!(cause, UnreachableCause::Tls, "{message}");
        assert!(message.contains(words), "{message}");
    }
}

/// without `close_notify` nobody can tell a body's end from a cut.
#[tokio::test]
async fn an_answer_that_ends_without_tls_saying_so() {
    let (acceptor, root) = acceptor_for(NAME, "abrupt", |_| {}, &[]);
    let receiver = Receiver::start(move |socket| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(socket).await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhalf";
            stream.write_all(answer).await.unwrap();
            stream.flush().await.unwrap();
            // Dropped without a shutdown.
        }
    })
    .await;
    let response = answered(send_to(&trusting(&[root]), NAME, receiver.address).await);
    assert_eq!(
        (response.status, &*response.body, response.truncated),
        (200, &b"half"[..], true)
    );
}

#[tokio::test]
async fn what_does_not_speak_tls() {
    let talks_first = Receiver::start(|mut socket| async move {
        let _ = socket.write_all(b"220 mail.example ESMTP\r\n").await;
        let _ = read_request(&mut socket).await;
    })
    .await;
    let closes = Receiver::start(|mut socket| async move {
        let _ = socket.read(&mut [0; 4096]).await;
    })
    .await;
    let resets = Receiver::start(|mut socket| async move {
        let _ = socket.read(&mut [0; 4096]).await;
        socket.set_zero_linger().unwrap();
    })
    .await;
    let egress = trusting(&[]);
    for (receiver, words) in [
        (&talks_first, "does not speak TLS"),
        (&closes, "closed the connection during the TLS handshake"),
        (&resets, "closed the connection during the TLS handshake"),
    ] {
        let (cause, message) = unreachable(send_to(&egress, NAME, receiver.address).await);
        assert_eq!(cause, UnreachableCause::Tls, "{message}");
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn extra_roots_that_are_no_certificates_are_an_error_that_names_them() {
    let broken = b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
    let no_der = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for pem in [&b"not PEM"[..], broken, no_der, b""] {
        let mut config = config(allowing(&[]));
        config.extra_roots = vec![bundle(pem)];
        let Err(EgressError::ExtraRoots { name, words }) = Egress::new(config) else {
            panic!("{} is taken", pem.escape_ascii());
        };
        assert!(name == "roots.pem" && !words.is_empty(), "{words}");
    }
}
