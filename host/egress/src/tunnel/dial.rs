//! One TCP connection to whichever of some addresses answers first.
//!
//! In their order, each a little after the one before it (RFC 8305 calls that happy eyeballs):
//! a first address that swallows everything must not use up the exchange's deadline. A few at a
//! time, for each takes one of the process's files.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::sleep;
use whisperer_domain::port::BoxFuture;

/// What an address has for itself, before the next one is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);
/// Under way at one time.
const ABREAST: usize = 3;
/// What the oldest has more, before it makes room for the next one.
const TURN: Duration = Duration::from_millis(1500);

type Tries = VecDeque<BoxFuture<'static, io::Result<TcpStream>>>;

/// # Errors
/// None of them could be connected to; the last one's reason.
///
/// # Cancel safety
/// Dropping the future closes whatever was begun.
pub(super) async fn dial(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut left = addresses.iter();
    let mut tries = Tries::new();
    let mut why = io::Error::new(io::ErrorKind::AddrNotAvailable, "no address to connect to");
    loop {
        if let Some(&address) = left.next() {
            if tries.len() == ABREAST {
                tries.pop_front();
            }
            tries.push_back(Box::pin(TcpStream::connect(address)));
        }
        if tries.is_empty() {
            return Err(why);
        }
        let alone_for = if tries.len() < ABREAST {
            HEAD_START
        } else {
            TURN
        };
        let more = left.len() > 0;
        tokio::select! {
            ended = first_end(&mut tries) => match ended {
                Ok(stream) => {
                    // An error says that the connection is gone already; its use will tell.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => why = error,
            },
            () = sleep(alone_for), if more => {}
        }
    }
}

async fn first_end(tries: &mut Tries) -> io::Result<TcpStream> {
    poll_fn(|cx| {
        for at in 0..tries.len() {
            if let Poll::Ready(ended) = tries[at].as_mut().poll(cx) {
                drop(tries.remove(at));
                return Poll::Ready(ended);
            }
        }
        Poll::Pending
    })
    .await
}
