//! TLS: whom it trusts, what it says of those it does not, and HTTP/2 by ALPN.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use whisperer_domain::outcome::UnreachableCause;
use whisperer_domain::port::Exchange;
use whisperer_egress::{Egress, EgressError, ExtraRoots};

use crate::receiver::{Receiver, read_request};
use crate::sender::{Script, allowing, answered, config, send, unreachable};

const NAME: &str = "receiver.example";

/// A receiver that speaks HTTP/2 over TLS and answers with the version it was asked in, and its
/// certificate as PEM.
async fn secure_receiver(
    issuer: &str,
    tune: impl FnOnce(&mut CertificateParams),
) -> (Receiver, Vec<u8>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    // Issuers of one name would be taken for each other.
    params.distinguished_name.push(DnType::CommonName, issuer);
    tune(&mut params);
    let certificate = params.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let receiver = Receiver::start(move |socket| serve_http2(acceptor.clone(), socket)).await;
    (receiver, certificate.pem().into_bytes())
}

async fn serve_http2(acceptor: TlsAcceptor, socket: TcpStream) {
    let Ok(stream) = acceptor.accept(socket).await else {
        return;
    };
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| async move {
        let version = format!("{:?}", request.version());
        Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from(version))))
    });
    let _ = http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn bundle(pem: &[u8]) -> ExtraRoots {
    ExtraRoots {
        name: "roots.pem".to_owned(),
        pem: pem.to_vec(),
    }
}

fn trusting(roots: &[Vec<u8>]) -> Egress {
    let mut config = config(allowing(&["127.0.0.0/8"]));
    config.extra_roots = roots.iter().map(|pem| bundle(pem)).collect();
    Egress::with_lookup(config, Script::new(&[&["127.0.0.1"]])).unwrap()
}

async fn send_to(egress: &Egress, name: &str, address: SocketAddr) -> Exchange {
    send(
        egress,
        &format!("https://{name}:{}/hunter2", address.port()),
    )
    .await
}

#[tokio::test]
async fn http_2_is_spoken_where_it_is_offered_over_one_connection() {
    let (receiver, root) = secure_receiver("known", |_| {}).await;
    let egress = trusting(&[root]);
    let first = send_to(&egress, NAME, receiver.address).await;
    assert!(first.connect > Duration::ZERO);
    assert_eq!(&*answered(first).body, b"HTTP/2.0");
    let both = tokio::join!(
        send_to(&egress, NAME, receiver.address),
        send_to(&egress, NAME, receiver.address)
    );
    for exchange in [both.0, both.1] {
        assert_eq!(exchange.connect, Duration::ZERO);
        assert_eq!(answered(exchange).status, 200);
    }
    assert_eq!(receiver.connections(), 1);
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
    let egress = trusting(&[]);
    for (receiver, words) in [
        (&talks_first, "does not speak TLS"),
        (&closes, "closed the connection during the TLS handshake"),
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
