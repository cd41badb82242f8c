//! A partner's endpoint that takes down every byte as it came, before any parser had its say.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// One request: all bytes up to the empty line, and all after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Capture {
    pub(crate) head: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    got: Arc<Mutex<Vec<Capture>>>,
    /// Ends with it.
    _tasks: JoinSet<()>,
}

impl Wire {
    pub(crate) async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let got = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        let into = Arc::clone(&got);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(take_all(stream, Arc::clone(&into)));
            }
        });
        Self {
            address,
            got,
            _tasks: tasks,
        }
    }

    /// Everything that came so far, once it is at least so much.
    pub(crate) async fn wait(&self, count: usize, within: Duration) -> Vec<Capture> {
        super::eventually(&format!("{count} requests"), within, async || {
            let got = self.got.lock().unwrap();
            (got.len() >= count).then(|| got.clone())
        })
        .await
    }
}

/// Answers and closes after each request, so that what would be a second request on the same
/// connection is taken down as a body that is too long.
async fn take_all(mut stream: TcpStream, into: Arc<Mutex<Vec<Capture>>>) {
    let mut bytes = Vec::new();
    let split = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    };
    let body_bytes = length(&bytes[..split]);
    while bytes.len() < split + body_bytes {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            break;
        }
    }
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    if stream.write_all(answer).await.is_err() || stream.shutdown().await.is_err() {
        return;
    }
    // Until the other side closes as well.
    while stream.read_buf(&mut bytes).await.unwrap_or(0) > 0 {}
    let body = bytes.split_off(split);
    into.lock().unwrap().push(Capture { head: bytes, body });
}

fn length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let found = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    found
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(0)
}
