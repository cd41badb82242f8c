//! The ways to misbehave, and a few to behave.

use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use schemars::JsonSchema;
use serde::Deserialize;
use whisperer_sdk::{Event, Failure, Outcome, Patch, Target};

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Config {
    act: String,
}

/// How often this instance was called: never more than once, as each call has its own.
static CALLS: AtomicU32 = AtomicU32::new(0);

pub(crate) fn act(event: Event, _target: Target, config: Config) -> Result<Outcome, Failure> {
    match config.act.as_str() {
        "loop" => spin(),
        "alloc" => allocate(),
        "trap" => core::arch::wasm32::unreachable(),
        "panic" => panic!("this is the guest's own fault"),
        "exit" => std::process::exit(3),
        "recurse" => text(recurse(1).to_string()),
        "nest" => text(nest(black_box(1 << 40)).to_string()),
        "huge-output" => Ok(Patch::default().payload(vec![b'1'; 3 << 20]).into()),
        "huge-reason" => Ok(Outcome::discard("big", "x".repeat(3 << 20))),
        "bad-json" => Ok(Patch::default().payload(b"{\"a\":".to_vec()).into()),
        "bad-content-type" => Ok(Patch::default().content_type("text/plain\r\nx: y").into()),
        "text" => Ok(Patch::default()
            .payload(b"hello".to_vec())
            .content_type("text/plain")
            .into()),
        "forbidden-header" => Ok(Patch::default().set_header("Content-Length", "1").into()),
        "crlf-header" => Ok(Patch::default().set_header("X-A", "b\r\nHost: c").into()),
        "many-headers" => Ok((0..40)
            .fold(Patch::default(), |patch, n| {
                patch.set_header(format!("X-{n}"), "v")
            })
            .into()),
        "set-headers" | "append-headers" | "remove-headers" => headers(&config.act, &event),
        "log-flood" => flood(),
        "see-headers" => see_headers(&event),
        "busy" => busy(),
        "sleep" => sleep(),
        "clock" => clock(),
        "random" => text(RandomState::new().hash_one("x").to_string()),
        "environment" => environment(),
        "state" => text(CALLS.fetch_add(1, Ordering::Relaxed).to_string()),
        "discard" => Ok(Outcome::discard("unwanted", "not for this hook")),
        "retry" => Err(Failure::retry("later", "come back later")),
        "reject" => Err(Failure::reject("never", "this will never do")),
        "unchanged" => Ok(Outcome::Unchanged),
        other => Err(Failure::reject("bad-config", format!("no act {other:?}"))),
    }
}

fn text(text: String) -> Result<Outcome, Failure> {
    Outcome::json(&text)
}

fn spin() -> ! {
    let mut n = 0_u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

fn allocate() -> ! {
    let mut held = Vec::new();
    loop {
        held.push(black_box(vec![1_u8; 1 << 20]));
    }
}

fn recurse(depth: u64) -> u64 {
    if depth == 0 {
        return 0;
    }
    let frame = black_box([depth; 16]);
    black_box(recurse(frame[3] + 1)) + frame[7]
}

/// Recurses without a frame in the guest's own memory: the host's stack is what ends.
fn nest(depth: u64) -> u64 {
    if depth < 2 {
        return depth;
    }
    nest(depth - 1).wrapping_mul(nest(depth - 2) | 1)
}

fn flood() -> Result<Outcome, Failure> {
    for n in 0..2_000 {
        whisperer_sdk::info(format!("line {n} {}", "x".repeat(100)));
        println!("out {n}");
        eprintln!("err {n}");
    }
    Ok(Outcome::Unchanged)
}

/// Does with headers what the act says; the payload is a list of names and values.
fn headers(act: &str, event: &Event) -> Result<Outcome, Failure> {
    let headers: Vec<(String, String)> = event.json()?;
    let patch = headers
        .into_iter()
        .fold(Patch::default(), |patch, (name, value)| match act {
            "set-headers" => patch.set_header(name, value),
            "append-headers" => patch.append_header(name, value),
            _ => patch.remove_header(name),
        });
    Ok(patch.into())
}

fn see_headers(event: &Event) -> Result<Outcome, Failure> {
    let seen: Vec<String> = event
        .headers
        .iter()
        .map(|h| format!("{}={}", h.name, h.value))
        .collect();
    text(seen.join(";"))
}

/// Works for long enough to be seen, and for less than it may.
fn busy() -> Result<Outcome, Failure> {
    let mut n = 0_u64;
    for _ in 0..5_000_000 {
        n = black_box(n.wrapping_add(1));
    }
    Ok(Outcome::Unchanged)
}

/// An hour passes at once: the clock is the event's, not the machine's.
fn sleep() -> Result<Outcome, Failure> {
    let start = Instant::now();
    std::thread::sleep(Duration::from_secs(3600));
    text((start.elapsed() >= Duration::from_secs(3600)).to_string())
}

fn clock() -> Result<Outcome, Failure> {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    text(since.as_millis().to_string())
}

/// Tries everything that is not granted; answers what it got.
fn environment() -> Result<Outcome, Failure> {
    let got = [
        std::env::vars().count() > 0,
        std::env::args().count() > 0,
        std::fs::read_dir("/").is_ok(),
        std::fs::write("x", "y").is_ok(),
        std::net::TcpStream::connect("127.0.0.1:80").is_ok(),
        std::net::UdpSocket::bind("127.0.0.1:0").is_ok(),
        std::net::ToSocketAddrs::to_socket_addrs("localhost:80").is_ok(),
    ];
    text(format!("{got:?}"))
}
