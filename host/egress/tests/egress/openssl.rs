//! R-09, by servers that rustls cannot be: OpenSSL's, with a key that is too short and with
//! versions of TLS that are too old. Where there is no `openssl` this says so and tests nothing.

use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use whisperer_domain::outcome::UnreachableCause;

use crate::sender::unreachable;
use crate::tls::{NAME, send_to, trusting};

/// OpenSSL itself finds both too weak by default.
const ANY_STRENGTH: &str = "DEFAULT@SECLEVEL=0";

fn openssl(args: &[&str]) -> Command {
    let mut command = Command::new("openssl");
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

/// A server on a port of its own, killed when dropped.
async fn serve(args: &[&str]) -> (Child, SocketAddr) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let listen = address.to_string();
    let always = ["s_server", "-quiet", "-cipher", ANY_STRENGTH, "-accept"];
    let child = openssl(&[&always[..], &[&listen], args].concat())
        .spawn()
        .unwrap();
    let listening = async {
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), listening)
        .await
        .unwrap();
    (child, address)
}

#[tokio::test]
async fn keys_that_are_too_short_and_versions_that_are_too_old() {
    let there = openssl(&["version"]).status().await;
    if !there.is_ok_and(|status| status.success()) {
        eprintln!("NOT TESTED: there is no openssl");
        return;
    }
    let folder = std::env::temp_dir().join(format!("whisperer-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let name = format!("subjectAltName=DNS:{NAME}");
    for (kind, bits) in [("weak", "rsa:1024"), ("fine", "rsa:2048")] {
        let (key, certificate) = (path(&format!("{kind}.key")), path(&format!("{kind}.pem")));
        let made = openssl(&["req", "-x509", "-nodes", "-newkey", bits, "-keyout", &key])
            .args(["-out", &certificate, "-days", "2", "-subj"])
            .args([&format!("/CN={kind}"), "-addext", &name])
            .status()
            .await
            .unwrap();
        assert!(made.success(), "{kind}");
    }
    for (kind, version, words) in [
        ("weak", "-tls1_3", "signed in a way that is not supported"),
        ("weak", "-tls1_2", "signed in a way that is not supported"),
        ("fine", "-tls1_1", "TLS 1.2 or 1.3 is needed"),
        ("fine", "-tls1", "TLS 1.2 or 1.3 is needed"),
    ] {
        let (key, certificate) = (path(&format!("{kind}.key")), path(&format!("{kind}.pem")));
        let (server, address) = serve(&["-key", &key, "-cert", &certificate, version]).await;
        // Trusted, so that nothing but its weakness speaks against it.
        let egress = trusting(&[std::fs::read(&certificate).unwrap()]);
        let (cause, message) = unreachable(send_to(&egress, NAME, address).await);
        assert_eq!(cause, UnreachableCause::Tls, "{kind} {version}: {message}");
        assert!(message.contains(words), "{kind} {version}: {message}");
        drop(server);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
