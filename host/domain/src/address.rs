//! Which addresses may be dialled, by any spelling.
//!
//! Target URLs come from API users, whom the operator's network must be safe from. A URL is
//! checked when it is registered, to refuse early and with words ([`AddressPolicy::check_target`]);
//! but what counts is what is dialled, since names change their addresses: egress asks again for
//! every name's answers and for every peer it connected to.
//!
//! Only the operator widens the policy (`allow_networks`), never an API user. Our own listeners
//! stay refused whatever is allowed: a hook that posts events to its own server never ends.

mod network;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;

use ipnet::IpNet;
use url::Host;

use crate::target_url::TargetUrl;

#[derive(Clone, Debug, Default)]
pub struct AddressPolicy {
    /// Dialled although they are not the public internet, on any port.
    pub allow_networks: Vec<IpNet>,
    pub ports: PortRule,
    /// The network translates 64:ff9b::/96; off, that prefix is refused.
    pub nat64: bool,
    /// Where this server itself listens, ports resolved.
    pub own_listeners: Vec<SocketAddr>,
    pub mixed_answers: MixedAnswers,
}

/// Which ports a public address may be dialled on. Port 0 never.
#[derive(Clone, Debug)]
pub struct PortRule {
    pub allowed: Vec<RangeInclusive<u16>>,
    /// Taken out of `allowed`.
    pub refused: Vec<u16>,
}

impl Default for PortRule {
    /// 80, 443 and everything from 1024, less the ports where what answers is surely no webhook
    /// receiver and a line of HTTP may do harm: databases, queues, caches, mail, remote control.
    fn default() -> Self {
        Self {
            allowed: vec![80..=80, 443..=443, 1024..=u16::MAX],
            refused: vec![
                1433, 1521, 2049, 2181, 2375, 2379, 2380, 3306, 3389, 4369, 5432, 5672, 5900, 6379,
                6667, 9042, 9092, 10250, 11211, 27017,
            ],
        }
    }
}

impl PortRule {
    fn permits(&self, port: u16) -> bool {
        self.allowed.iter().any(|range| range.contains(&port)) && !self.refused.contains(&port)
    }
}

/// What to do with a name that has both permitted and forbidden addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MixedAnswers {
    /// Such a name is a mistake or an attack: refuse it.
    #[default]
    Fail,
    /// Dial only the permitted ones.
    Filter,
}

/// Why something may not be dialled. Names no address that a resolver answered: to an API user
/// that would be a map of the operator's network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    #[error("its address lies in {network}, which is {what}")]
    Network { network: IpNet, what: &'static str },
    #[error("port {0} is not one that webhooks are sent to")]
    Port(u16),
    #[error("it is this server itself")]
    OwnListener,
    #[error("names under \"{0}\" are not on the public internet")]
    Name(&'static str),
}

impl Forbidden {
    /// A sentence for the `target_url` field, with the way out if there is one.
    #[must_use]
    pub fn sentence(&self) -> String {
        let way_out = match self {
            Self::Network { .. } | Self::Name(_) => {
                " Use an address on the public internet, or have the operator allow the network \
                 (--allow-network)."
            }
            Self::Port(_) => {
                " Use 80, 443 or a port from 1024 that no other protocol is known for."
            }
            Self::OwnListener => " Use the address of the receiver.",
        };
        format!("Must not be sent to: {self}.{way_out}")
    }
}

impl AddressPolicy {
    /// # Errors
    /// The address is not on the public internet, and not in an allowed network.
    pub fn check_ip(&self, ip: IpAddr) -> Result<(), Forbidden> {
        if self.is_allowed(ip) {
            return Ok(());
        }
        match network::forbidden(network::undressed(ip, self.nat64)) {
            Some((network, what)) => Err(Forbidden::Network { network, what }),
            None => Ok(()),
        }
    }

    /// # Errors
    /// Nothing may be sent to that address and port.
    pub fn check_dial(&self, peer: SocketAddr) -> Result<(), Forbidden> {
        self.check_unliftable(peer)?;
        self.check_ip(peer.ip())?;
        if self.ports.permits(peer.port()) || self.is_allowed(peer.ip()) {
            Ok(())
        } else {
            Err(Forbidden::Port(peer.port()))
        }
    }

    /// What can be said of a URL before its name is looked up: refuses what could never be sent.
    ///
    /// # Errors
    /// The URL names a forbidden address, name or port.
    pub fn check_target(&self, target: &TargetUrl) -> Result<(), Forbidden> {
        let port = target.port();
        match target.host() {
            Host::Ipv4(ip) => self.check_dial(SocketAddr::new(ip.into(), port)),
            Host::Ipv6(ip) => self.check_dial(SocketAddr::new(ip.into(), port)),
            Host::Domain(name) => self.check_name(name, port),
        }
    }

    /// The answers of a look-up that may be dialled, in their order. Answers may be empty.
    ///
    /// # Errors
    /// No answer is permitted, or one is not and the policy is [`MixedAnswers::Fail`].
    pub fn check_answers(&self, answers: &[SocketAddr]) -> Result<Vec<SocketAddr>, Forbidden> {
        let mut permitted = Vec::with_capacity(answers.len());
        let mut refusals = Vec::new();
        for &answer in answers {
            match self.check_dial(answer) {
                Ok(()) => permitted.push(answer),
                Err(refusal) => refusals.push((answer, refusal)),
            }
        }
        // `localhost` is both 127.0.0.1 and ::1 nearly everywhere. An operator who allowed one of
        // them means this machine: the other is passed over, not held against the name.
        if permitted.iter().any(|answer| is_loopback(answer.ip())) {
            refusals.retain(|(answer, refusal)| {
                !is_loopback(answer.ip()) || *refusal == Forbidden::OwnListener
            });
        }
        match (refusals.into_iter().next(), self.mixed_answers) {
            (None, _) => Ok(permitted),
            (Some(_), MixedAnswers::Filter) if !permitted.is_empty() => Ok(permitted),
            (Some((_, refusal)), MixedAnswers::Filter | MixedAnswers::Fail) => Err(refusal),
        }
    }

    /// The last look, at a connection that was made, before a byte is sent over it. Catches what
    /// an address alone cannot show: a listener on 0.0.0.0 reached by whichever of this machine's
    /// addresses. Such a connection has the same address at both ends.
    ///
    /// # Errors
    /// The peer is forbidden after all.
    pub fn check_connected(&self, local: SocketAddr, peer: SocketAddr) -> Result<(), Forbidden> {
        let on_this_machine = local.ip().to_canonical() == peer.ip().to_canonical();
        let port_is_ours = |listener: &SocketAddr| {
            listener.ip().is_unspecified() && listener.port() == peer.port()
        };
        if on_this_machine && self.own_listeners.iter().any(port_is_ours) {
            return Err(Forbidden::OwnListener);
        }
        self.check_dial(peer)
    }

    fn check_name(&self, name: &str, port: u16) -> Result<(), Forbidden> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let loopback = self.allow_networks.iter().any(network::touches_loopback);
        let beyond_loopback = self
            .allow_networks
            .iter()
            .any(|net| !network::touches_loopback(net));
        // A name that can only lead into networks which the operator allowed is left to its
        // answers, and so is its port: an allowed network lifts the port rule.
        let (suffix, left_to_answers) = if is_under(&name, "localhost") {
            (Some("localhost"), loopback)
        } else if is_under(&name, "internal") {
            (Some("internal"), beyond_loopback)
        } else if is_under(&name, "local") {
            (Some("local"), beyond_loopback)
        } else {
            (None, beyond_loopback)
        };
        if let Some(suffix) = suffix
            && !left_to_answers
        {
            return Err(Forbidden::Name(suffix));
        }
        if suffix == Some("localhost") {
            // No look-up is needed to know what this is.
            return self.check_unliftable(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
        }
        if port == 0 || !(left_to_answers || self.ports.permits(port)) {
            return Err(Forbidden::Port(port));
        }
        Ok(())
    }

    /// What no allowed network lifts.
    fn check_unliftable(&self, peer: SocketAddr) -> Result<(), Forbidden> {
        if self.is_own(peer) {
            return Err(Forbidden::OwnListener);
        }
        if peer.port() == 0 {
            return Err(Forbidden::Port(0));
        }
        Ok(())
    }

    fn is_allowed(&self, ip: IpAddr) -> bool {
        let meant = network::undressed(ip, self.nat64);
        self.allow_networks
            .iter()
            .any(|net| net.contains(&ip) || net.contains(&meant))
    }

    /// Whether dialling `peer` surely reaches one of our listeners.
    fn is_own(&self, peer: SocketAddr) -> bool {
        let ip = network::undressed(peer.ip(), self.nat64);
        self.own_listeners.iter().any(|listener| {
            let bound = listener.ip().to_canonical();
            // Dialling 0.0.0.0 reaches loopback, on Linux at least.
            let reaches = bound == ip
                || (bound.is_unspecified() && is_loopback(ip))
                || (ip.is_unspecified() && is_loopback(bound));
            reaches && listener.port() == peer.port()
        })
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// The name itself or one below it.
fn is_under(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests;
