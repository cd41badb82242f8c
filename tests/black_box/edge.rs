//! The edge in, as strangers find it: raw requests, tokens in the wrong places, guesses by the
//! thousand, and clients that never finish.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::support::server::{ADMIN, Server, Setup};

const PATIENCE: Duration = Duration::from_secs(20);

async fn server() -> (TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&Setup::in_folder(folder.path()))
        .ready()
        .await;
    (folder, server)
}

fn address(server: &Server) -> SocketAddr {
    server.base.trim_start_matches("http://").parse().unwrap()
}

/// The first bytes of what comes back, or nothing if the connection was closed without a word.
fn raw(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(address(server)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test]
async fn odd_requests_are_answered_and_harm_nobody() {
    let (_folder, server) = server().await;
    let auth = format!("Host: x\r\nAuthorization: Token {ADMIN}\r\n");
    let long = "a".repeat(300_000);
    for (request, status) in [
        (
            format!("GET /whisperer/hooks/ HTTP/1.0\r\n{auth}\r\n"),
            "200",
        ),
        (
            format!("HEAD /whisperer/hooks/ HTTP/1.1\r\n{auth}\r\n"),
            "200",
        ),
        (
            format!("TRACE /whisperer/hooks/ HTTP/1.1\r\n{auth}\r\n"),
            "405",
        ),
        (
            format!("BREW /whisperer/hooks/ HTTP/1.1\r\n{auth}\r\n"),
            "405",
        ),
        (
            format!("GET http://x/whisperer/hooks/ HTTP/1.1\r\n{auth}\r\n"),
            "200",
        ),
        (
            format!("GET /whisperer/hooks/../tokens/ HTTP/1.1\r\n{auth}\r\n"),
            "404",
        ),
        (
            format!("GET /whisperer/hooks/%2e%2e%2ftokens HTTP/1.1\r\n{auth}\r\n"),
            "404",
        ),
        (
            format!("GET /whisperer/hooks/%00/ HTTP/1.1\r\n{auth}\r\n"),
            "404",
        ),
        (
            format!("GET //whisperer//hooks// HTTP/1.1\r\n{auth}\r\n"),
            "404",
        ),
        (
            format!(
                "GET /whisperer/hooks/{} HTTP/1.1\r\n{auth}\r\n",
                &long[..8_000]
            ),
            "404",
        ),
        (format!("GET /{long} HTTP/1.1\r\n{auth}\r\n"), "4"),
        (format!("GET / HTTP/1.1\r\nX: {long}\r\n{auth}\r\n"), "431"),
        ("GET /livez HTTP/9.9\r\n\r\n".to_owned(), "400"),
        ("\u{1}\u{2}\u{3}\r\n\r\n".to_owned(), "400"),
        (
            format!(
                "POST /whisperer/events/ HTTP/1.1\r\n{auth}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"
            ),
            "400",
        ),
    ] {
        let answer = raw(&server, &request);
        let shown: String = request.chars().take(60).collect();
        let line = answer.lines().next().unwrap_or_default();
        let code = line.split(' ').nth(1).unwrap_or_default();
        assert!(code.starts_with(status), "{shown:?}: {line:?}");
    }
    // A length that does not hold against the chunks: whatever is said, it is said once.
    let smuggled = format!(
        "POST /whisperer/events/ HTTP/1.1\r\n{auth}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /whisperer/tokens/ HTTP/1.1\r\n{auth}\r\n"
    );
    let answer = raw(&server, &smuggled);
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(!answer.contains("scopes"), "{answer}");
    assert_eq!(
        raw(&server, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            .lines()
            .next(),
        Some("HTTP/1.1 200 OK")
    );
}

#[tokio::test]
async fn a_token_counts_in_one_place_only_and_no_origin_is_let_in() {
    let (_folder, server) = server().await;
    let url = format!("{}/whisperer/hooks/", server.base);
    let get = || server.http().get(&url);
    let token = format!("Token {ADMIN}");
    for (request, status) in [
        (
            get().header("authorization", format!("bearer {ADMIN}")),
            200,
        ),
        (
            get().header("cookie", format!("token={ADMIN}; authorization={ADMIN}")),
            401,
        ),
        (server.http().get(format!("{url}?token={ADMIN}")), 401),
        (get().header("x-api-key", ADMIN), 401),
        (get().header("authorization", ADMIN), 401),
        (
            get()
                .header("authorization", &token)
                .header("authorization", &token),
            401,
        ),
        (
            get().header("authorization", format!("Token {ADMIN}x")),
            401,
        ),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status);
    }
    let asked = server
        .http()
        .request(reqwest::Method::OPTIONS, &url)
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "POST")
        .send()
        .await
        .unwrap();
    let headers = asked.headers();
    assert!(
        !headers
            .keys()
            .any(|name| name.as_str().starts_with("access-control"))
    );
    let answer = get()
        .header("authorization", &token)
        .header("origin", "https://evil.example");
    let answer = answer.send().await.unwrap();
    assert!(
        answer
            .headers()
            .get("access-control-allow-origin")
            .is_none()
    );
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert_eq!(answer.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn who_guesses_tokens_is_slowed_down_and_the_others_are_not() {
    let (_folder, server) = server().await;
    let url = format!("{}/whisperer/hooks/", server.base);
    let mut slowed = 0;
    for number in 0..300 {
        let guess = server
            .http()
            .get(&url)
            .header("authorization", format!("Token guess-{number}"));
        let answer = guess.send().await.unwrap();
        match answer.status().as_u16() {
            401 => {}
            429 => {
                let wait = answer.headers()["retry-after"].to_str().unwrap();
                assert!(wait.parse::<u32>().unwrap() >= 1);
                slowed += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert!(slowed > 50, "{slowed} of 300");
    // From the same address, with a token that is known.
    let known = server
        .http()
        .get(&url)
        .header("authorization", format!("Token {ADMIN}"));
    assert_eq!(known.send().await.unwrap().status(), 200);
}

/// Each holds a connection with half a head, and a byte now and then; another thousand sent a head
/// and no body.
#[tokio::test]
async fn a_thousand_clients_that_never_finish_cost_a_healthy_one_little() {
    const SLOW: usize = 1_000;
    const CALLS: usize = 100;
    let (_folder, server) = server().await;
    let healthy = async || {
        let mut times = Vec::new();
        for number in 0..CALLS {
            let start = Instant::now();
            server
                .event("package.created", json!({ "number": number }))
                .await;
            times.push(start.elapsed());
        }
        times.sort_unstable();
        (times[CALLS / 2], times[CALLS * 99 / 100])
    };
    // The best of some rounds on either side: a loaded machine has bad moments in both.
    let mut alone = healthy().await;
    for _ in 0..2 {
        let again = healthy().await;
        alone = (alone.0.min(again.0), alone.1.min(again.1));
    }
    let mut slow = Vec::new();
    for number in 0..SLOW {
        let mut stream = TcpStream::connect(address(&server)).unwrap();
        let start = if number % 2 == 0 {
            "GET /whisperer/hooks/ HTTP/1.1\r\nHost: ".to_owned()
        } else {
            format!(
                "POST /whisperer/events/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token {ADMIN}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{"
            )
        };
        stream.write_all(start.as_bytes()).unwrap();
        slow.push(stream);
    }
    let mut beside = (Duration::MAX, Duration::MAX);
    for _ in 0..3 {
        for stream in &mut slow {
            // Some are closed by now, which is the server's right.
            drop(stream.write_all(b"x"));
        }
        let now = healthy().await;
        beside = (beside.0.min(now.0), beside.1.min(now.1));
    }
    println!(
        "alone p50 {:?} p99 {:?}; beside {SLOW} p50 {:?} p99 {:?}",
        alone.0, alone.1, beside.0, beside.1
    );
    let least = Duration::from_millis(5);
    assert!(beside.0 < alone.0.max(least) * 2, "{alone:?} {beside:?}");
    assert!(beside.1 < alone.1.max(least) * 4, "{alone:?} {beside:?}");
}
