//! How many connections are kept at most, over all hosts and all clients.
//!
//! A client's pool bounds what is kept for one host and for how long, not how many hosts there
//! are, and does not tell what it holds. So it is reckoned here what the pools may hold, from what
//! the exchanges tell; where that is wrong it is too high. An exchange that may make it more than
//! `kept_max` goes over a connection of its own, which is closed after it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// While it is crowded, what idled too long is looked for this often.
const SWEPT_EVERY: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub struct Connections {
    kept_max: usize,
    hosts: Mutex<Hosts>,
}

#[derive(Debug, Default)]
struct Hosts {
    /// Each of them has a place at least.
    by_pool_and_origin: HashMap<(usize, String), Host>,
    places: usize,
    pools: usize,
    swept: Option<Instant>,
}

#[derive(Debug, Default)]
struct Host {
    /// By the local end: when it was used last.
    kept: HashMap<SocketAddr, Instant>,
    under_way: usize,
}

impl Host {
    fn places(&self) -> usize {
        self.kept.len().max(self.under_way)
    }
}

impl Hosts {
    fn change(&mut self, key: &(usize, String), change: impl FnOnce(&mut Host)) {
        let host = match self.by_pool_and_origin.get_mut(key) {
            Some(known) => known,
            None => self.by_pool_and_origin.entry(key.clone()).or_default(),
        };
        self.places -= host.places();
        change(host);
        let places = host.places();
        self.places += places;
        if places == 0 {
            self.by_pool_and_origin.remove(key);
        }
    }

    fn sweep(&mut self, idle_max: Duration) {
        if self.swept.is_some_and(|at| at.elapsed() < SWEPT_EVERY) {
            return;
        }
        self.swept = Some(Instant::now());
        for host in self.by_pool_and_origin.values_mut() {
            host.kept.retain(|_, used| used.elapsed() < idle_max);
        }
        self.by_pool_and_origin.retain(|_, host| host.places() > 0);
        self.places = self.by_pool_and_origin.values().map(Host::places).sum();
    }
}

impl Connections {
    #[must_use]
    pub fn new(kept_max: usize) -> Arc<Self> {
        Arc::new(Self {
            kept_max,
            hosts: Mutex::default(),
        })
    }

    fn hosts(&self) -> MutexGuard<'_, Hosts> {
        // Nothing that can panic stands between two halves of a change.
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One client's pool, among those that share the bound.
pub(crate) struct Pool {
    connections: Arc<Connections>,
    number: usize,
    idle_per_host: usize,
    idle_max: Duration,
}

impl Pool {
    pub(crate) fn new(
        connections: Arc<Connections>,
        idle_per_host: usize,
        idle_timeout: Duration,
    ) -> Self {
        let number = {
            let mut hosts = connections.hosts();
            hosts.pools += 1;
            hosts.pools
        };
        Self {
            connections,
            number,
            idle_per_host,
            // hyper-util looks once in each `idle_timeout`.
            idle_max: idle_timeout * 2,
        }
    }

    /// Begins an exchange with an origin.
    pub(crate) fn enter(&self, origin: &str) -> Place<'_> {
        let key = (self.number, origin.to_owned());
        let mut hosts = self.connections.hosts();
        let known = hosts.by_pool_and_origin.get(&key);
        let grows = known.is_none_or(|host| host.under_way >= host.kept.len());
        if grows && hosts.places >= self.connections.kept_max {
            hosts.sweep(self.idle_max);
        }
        let keeps = !grows || hosts.places < self.connections.kept_max;
        if keeps {
            hosts.change(&key, |host| host.under_way += 1);
        }
        Place {
            pool: self,
            key,
            keeps,
            local: None,
        }
    }
}

/// An exchange under way.
pub(crate) struct Place<'a> {
    pool: &'a Pool,
    key: (usize, String),
    keeps: bool,
    local: Option<SocketAddr>,
}

impl Place<'_> {
    /// Whether its connection may be kept after it.
    pub(crate) fn keeps(&self) -> bool {
        self.keeps
    }

    /// It was answered, over the connection with this local end.
    pub(crate) fn answered(&mut self, local: Option<SocketAddr>) {
        self.local = local;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.keeps {
            return;
        }
        let kept_max = self.pool.idle_per_host;
        self.pool.connections.hosts().change(&self.key, |host| {
            host.under_way -= 1;
            if let Some(local) = self.local {
                host.kept.insert(local, Instant::now());
            }
            // The pool closes what is beyond; which one does not matter here.
            if host.kept.len() > kept_max + host.under_way {
                let oldest = host.kept.iter().min_by_key(|(_, used)| **used);
                let oldest = oldest.map(|(local, _)| *local);
                host.kept.retain(|local, _| Some(*local) != oldest);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::{Connections, Pool};

    const IDLE: Duration = Duration::from_secs(30);

    fn local(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// An exchange with an origin from begin to end; whether its connection is kept.
    fn use_once(pool: &Pool, origin: &str, port: u16) -> bool {
        let mut place = pool.enter(origin);
        place.answered(Some(local(port)));
        place.keeps()
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_bound_is_kept_until_what_idles_is_gone() {
        let connections = Connections::new(2);
        let pool = Pool::new(connections.clone(), 4, IDLE);
        let other = Pool::new(connections.clone(), 4, IDLE);
        assert!(use_once(&pool, "a", 1));
        assert!(use_once(&other, "b", 2));
        assert!(!use_once(&pool, "c", 3));
        // What is kept already is used again, by the client that has it.
        assert!(use_once(&pool, "a", 1));
        assert!(!use_once(&pool, "b", 4));
        tokio::time::advance(IDLE * 2 + Duration::from_millis(1)).await;
        assert!(use_once(&pool, "c", 3));
        assert!(use_once(&pool, "d", 5));
        assert!(!use_once(&pool, "e", 6));
        assert_eq!(connections.hosts().places, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn exchanges_beside_each_other_count_each() {
        let connections = Connections::new(3);
        let pool = Pool::new(connections.clone(), 2, IDLE);
        let places: Vec<_> = (0..5).map(|_| pool.enter("a")).collect();
        let keep = places.iter().filter(|place| place.keeps()).count();
        assert_eq!(keep, 3);
        for (port, mut place) in (1..).zip(places) {
            place.answered(Some(local(port)));
        }
        // Two of the three, as the client keeps of one host.
        assert_eq!(connections.hosts().places, 2);
        drop(pool.enter("b"));
        assert_eq!(connections.hosts().places, 2);
        assert_eq!(connections.hosts().by_pool_and_origin.len(), 1);
    }
}
