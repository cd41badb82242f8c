//! The system's resolver: `/etc/hosts`, search domains and all.
//!
//! `getaddrinfo` blocks a thread and cannot be stopped; a name whose servers are silent holds it
//! for ten seconds or more. So look-ups have places, and some are kept for names that were
//! answered quickly before: whoever registers a thousand hooks with names that nobody answers
//! for makes new names wait, not those of everybody else.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType, getaddrinfo};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use whisperer_domain::port::BoxFuture;

use crate::error::is_exhaustion;
use crate::resolve::{Lookup, LookupError};

/// Look-ups at once: the threads are those that the store reads on, which must not be eaten up.
const PLACES: usize = 64;
/// Of them, for names that are not known to be answered quickly.
const PLACES_OF_UNPROVEN: usize = 48;
/// Less than what an exchange gives a look-up, so that waiting is told apart from it.
const WAIT_FOR_PLACE_MAX: Duration = Duration::from_secs(4);
/// An answer that took longer proves nothing.
const QUICK: Duration = Duration::from_secs(1);
/// Names in each of two generations of those that were quick.
const PROVEN_MAX: usize = 8192;

pub(crate) struct SystemLookup {
    places: Arc<Semaphore>,
    places_of_unproven: Arc<Semaphore>,
    proven: Arc<Mutex<Proven>>,
}

impl SystemLookup {
    pub(crate) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(PLACES)),
            places_of_unproven: Arc::new(Semaphore::new(PLACES_OF_UNPROVEN)),
            proven: Arc::default(),
        }
    }
}

impl Lookup for SystemLookup {
    fn lookup(&self, name: &str) -> BoxFuture<'static, Result<Vec<IpAddr>, LookupError>> {
        let name = name.to_owned();
        let proven = Arc::clone(&self.proven);
        let places = Arc::clone(&self.places);
        let first = (!lock(&proven).knows(&name)).then(|| Arc::clone(&self.places_of_unproven));
        Box::pin(async move {
            let place = timeout(WAIT_FOR_PLACE_MAX, place(first, places))
                .await
                .map_err(|_| {
                    let words = "all places for look-ups are taken";
                    LookupError::Ours(io::Error::other(words))
                })?;
            tokio::task::spawn_blocking(move || {
                // Held until the call is over, not until its caller gave up.
                let _place = place;
                let began = Instant::now();
                let answer = ask(&name);
                let quick = answer.is_ok() && began.elapsed() < QUICK;
                lock(&proven).note(name, quick);
                answer
            })
            .await
            .map_err(|error| LookupError::Ours(io::Error::other(error)))?
        })
    }
}

/// The semaphores are never closed.
async fn place(
    first: Option<Arc<Semaphore>>,
    places: Arc<Semaphore>,
) -> [Option<OwnedSemaphorePermit>; 2] {
    let first = match first {
        Some(semaphore) => semaphore.acquire_owned().await.ok(),
        None => None,
    };
    [first, places.acquire_owned().await.ok()]
}

fn ask(name: &str) -> Result<Vec<IpAddr>, LookupError> {
    // One kind of socket: each address comes once, not three times.
    let hints = AddrInfoHints {
        socktype: SockType::Stream.into(),
        ..AddrInfoHints::default()
    };
    match getaddrinfo(Some(name), None, Some(hints)) {
        Ok(answers) => Ok(answers.flatten().map(|it| it.sockaddr.ip()).collect()),
        Err(error) => Err(match (no_socket(), error.kind()) {
            // Where it can open neither a file nor a socket, the resolver says of every name that
            // it does not exist.
            (Some(ours), _) => LookupError::Ours(ours),
            (None, LookupErrorKind::System | LookupErrorKind::Memory) => {
                LookupError::Ours(error.into())
            }
            (None, LookupErrorKind::NoName) => LookupError::NoSuchName,
            (None, LookupErrorKind::NoData) => return Ok(Vec::new()),
            // A foreign enum; the rest is not told apart any further.
            (None, _) => LookupError::NoAnswer,
        }),
    }
}

/// Why this process cannot open a socket just now, if it cannot.
fn no_socket() -> Option<io::Error> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
        .err()
        .filter(is_exhaustion)
}

/// Names that were answered quickly when last asked: bounded, and what is not asked is forgotten.
#[derive(Default)]
struct Proven {
    young: HashSet<String>,
    old: HashSet<String>,
}

impl Proven {
    fn knows(&self, name: &str) -> bool {
        self.young.contains(name) || self.old.contains(name)
    }

    fn note(&mut self, name: String, quick: bool) {
        if !quick {
            self.young.remove(&name);
            self.old.remove(&name);
            return;
        }
        if self.young.len() >= PROVEN_MAX && !self.young.contains(&name) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name);
    }
}

/// Plain sets: a panic elsewhere leaves nothing half done.
fn lock(proven: &Mutex<Proven>) -> std::sync::MutexGuard<'_, Proven> {
    proven.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{PROVEN_MAX, Proven};

    #[test]
    fn what_was_quick_is_known_until_it_is_not_or_is_long_ago() {
        let mut proven = Proven::default();
        proven.note("a.example".to_owned(), true);
        assert!(proven.knows("a.example") && !proven.knows("b.example"));
        for n in 0..PROVEN_MAX {
            proven.note(format!("{n}.example"), true);
        }
        assert!(proven.knows("a.example") && proven.knows("0.example"));
        proven.note("0.example".to_owned(), false);
        assert!(!proven.knows("0.example"));
        for n in PROVEN_MAX..3 * PROVEN_MAX {
            proven.note(format!("{n}.example"), true);
        }
        assert!(!proven.knows("a.example"));
        assert!(proven.young.len() <= PROVEN_MAX && proven.old.len() <= PROVEN_MAX);
    }
}
