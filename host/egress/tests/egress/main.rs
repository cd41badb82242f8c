//! Egress at its boundary: real sockets on loopback, receivers that misbehave byte by byte.
//!
//! Time is real here, since paused time and real sockets do not go together; no test waits for
//! anything but an event, and deadlines are tested with small ones.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod answers;
mod cost;
mod deadlines;
mod dns;
mod faults;
mod hostile;
mod name_server;
mod openssl;
mod oracle;
mod policy;
mod pools;
mod proxy;
mod receiver;
mod sender;
mod tls;
