//! What the server's process allocated: told by it over a socket, to the test that started it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::ops::Sub;
use std::process::Command;

use crate::ALLOCATOR;

/// Where the test listens. Not by the server's own prefix: it refuses what it does not know.
const TOLD_AT: &str = "COUNTS_TOLD_AT";
const COUNTS: usize = 2;

/// Since the start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allocated {
    /// Times that memory was asked for, or a piece of it made larger.
    pub(crate) times: f64,
    pub(crate) bytes: f64,
}

impl Sub for Allocated {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            times: self.times - before.times,
            bytes: self.bytes - before.bytes,
        }
    }
}

impl Allocated {
    pub(crate) fn by(self, share: usize) -> Self {
        Self {
            times: self.times / share as f64,
            bytes: self.bytes / share as f64,
        }
    }

    pub(crate) fn of(self, times: usize) -> Self {
        Self {
            times: self.times * times as f64,
            bytes: self.bytes * times as f64,
        }
    }
}

/// From a server that was told where to.
pub(crate) fn tell() {
    let address = std::env::var(TOLD_AT).unwrap();
    let mut asked = TcpStream::connect(address).unwrap();
    std::thread::spawn(move || {
        while asked.read_exact(&mut [0]).is_ok() {
            let seen = ALLOCATOR.stats();
            let times = seen.allocations + seen.reallocations;
            let counts: [usize; COUNTS] = [times, seen.bytes_allocated];
            for count in counts {
                asked.write_all(&(count as u64).to_le_bytes()).unwrap();
            }
        }
    });
}

/// Where a server's counts come from.
pub(crate) struct Teller(TcpStream);

impl Teller {
    /// `start` begins a server by this command with more in its environment.
    pub(crate) fn of<T>(mut command: Command, start: impl FnOnce(Command) -> T) -> (Self, T) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        command.env(TOLD_AT, listener.local_addr().unwrap().to_string());
        let started = start(command);
        // It listens for requests by now, and connected before.
        let (teller, _) = listener.accept().unwrap();
        (Self(teller), started)
    }

    pub(crate) fn ask(&mut self) -> Allocated {
        self.0.write_all(&[0]).unwrap();
        let mut next = || {
            let mut count = [0; 8];
            self.0.read_exact(&mut count).unwrap();
            u64::from_le_bytes(count) as f64
        };
        let [times, bytes]: [f64; COUNTS] = [next(), next()];
        Allocated { times, bytes }
    }
}
