//! A name server (RFC 1035) that says what a test wants, over UDP and, when it is long, over TCP.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

pub(crate) enum Reply {
    Addresses(Vec<IpAddr>),
    /// Each name is an alias of the next; the last one has the address.
    Chain(Vec<String>, IpAddr),
    Code(u8),
    Silence,
}

/// Stops when dropped.
pub(crate) struct NameServer {
    _serving: JoinSet<()>,
}

const UDP_BYTES_MAX: usize = 512;
const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_AAAA: u16 = 28;

impl NameServer {
    /// `reply` is asked by name, and whether for IPv6.
    pub(crate) async fn start(
        address: SocketAddr,
        reply: impl Fn(&str, bool) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let reply = Arc::new(reply);
        let udp = UdpSocket::bind(address).await.unwrap();
        let tcp = TcpListener::bind(address).await.unwrap();
        let mut serving = JoinSet::new();
        let over_udp = Arc::clone(&reply);
        serving.spawn(async move {
            let mut query = [0; 1500];
            while let Ok((bytes, from)) = udp.recv_from(&mut query).await {
                if let Some(mut answer) = answer(&query[..bytes], &*over_udp) {
                    if answer.len() > UDP_BYTES_MAX {
                        answer.truncate(question_end(&answer));
                        // Truncated: ask by TCP. No records follow.
                        answer[2] |= 2;
                        answer[6..12].fill(0);
                    }
                    udp.send_to(&answer, from).await.unwrap();
                }
            }
        });
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = tcp.accept().await {
                connections.spawn(serve_tcp(socket, Arc::clone(&reply)));
            }
        });
        Self { _serving: serving }
    }
}

async fn serve_tcp(mut socket: TcpStream, reply: Arc<impl Fn(&str, bool) -> Reply>) {
    while let Ok(bytes) = socket.read_u16().await {
        let mut query = vec![0; bytes.into()];
        socket.read_exact(&mut query).await.unwrap();
        if let Some(answer) = answer(&query, &*reply) {
            let mut framed = u16::try_from(answer.len()).unwrap().to_be_bytes().to_vec();
            framed.extend(answer);
            socket.write_all(&framed).await.unwrap();
        }
    }
}

fn answer(query: &[u8], reply: &impl Fn(&str, bool) -> Reply) -> Option<Vec<u8>> {
    let end = question_end(query);
    let name = name_at(query);
    let kind = u16::from_be_bytes([query[end - 4], query[end - 3]]);
    let mut answer = query[..end].to_vec();
    // An answer, recursion wanted and available, one question.
    answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]);
    let mut records = 0_u16;
    let mut add = |answer: &mut Vec<u8>, owner: &[u8], kind: u16, data: &[u8]| {
        answer.extend(owner);
        answer.extend(kind.to_be_bytes());
        // Class IN, TTL 0.
        answer.extend([0, 1, 0, 0, 0, 0]);
        answer.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        answer.extend(data);
        records += 1;
    };
    // The name of the question, by reference.
    let asked = [0xc0, 12];
    match reply(&name, kind == TYPE_AAAA) {
        Reply::Silence => return None,
        Reply::Code(code) => answer[3] |= code,
        Reply::Addresses(addresses) => {
            for address in addresses {
                let (kind, data) = data_of(address);
                add(&mut answer, &asked, kind, &data);
            }
        }
        Reply::Chain(names, address) => {
            let mut owner = asked.to_vec();
            for name in names {
                let name = wire_name(&name);
                add(&mut answer, &owner, TYPE_CNAME, &name);
                owner = name;
            }
            let (its_kind, data) = data_of(address);
            if its_kind == kind {
                add(&mut answer, &owner, its_kind, &data);
            }
        }
    }
    answer[6..8].copy_from_slice(&records.to_be_bytes());
    Some(answer)
}

fn data_of(address: IpAddr) -> (u16, Vec<u8>) {
    match address {
        IpAddr::V4(ip) => (TYPE_A, ip.octets().to_vec()),
        IpAddr::V6(ip) => (TYPE_AAAA, ip.octets().to_vec()),
    }
}

fn question_end(message: &[u8]) -> usize {
    let mut at = 12;
    while message[at] != 0 {
        at += usize::from(message[at]) + 1;
    }
    at + 5
}

fn name_at(message: &[u8]) -> String {
    let (mut at, mut labels) = (12, Vec::new());
    while message[at] != 0 {
        let end = at + 1 + usize::from(message[at]);
        labels.push(String::from_utf8_lossy(&message[at + 1..end]).to_ascii_lowercase());
        at = end;
    }
    labels.join(".")
}

fn wire_name(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split('.') {
        wire.push(u8::try_from(label.len()).unwrap());
        wire.extend(label.as_bytes());
    }
    wire.push(0);
    wire
}
