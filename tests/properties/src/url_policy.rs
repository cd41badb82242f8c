//! No way of writing a URL leads to a peer that the policy denies.
//!
//! Input: two bytes that choose networks to allow, one of switches, the URL up to a line feed, and
//! behind it, separated by white space, what a resolver might answer.
//!
//! What is allowed is held against a reading of the same text by other code (`http::Uri`, which is
//! what is really dialled from, and `inet_aton`'s rules) and against a table of networks that is
//! written here once more, from the registries and not from the code.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::Uri;
use ipnet::IpNet;
use url::Host;
use whisperer_domain::address::{AddressPolicy, MixedAnswers, PortRule};
use whisperer_domain::target_url::{TARGET_URL_BYTES_MAX, TargetUrl};

/// What an operator may allow; bit n of the choice stands for entry n.
const NETWORKS: [&str; 16] = [
    "10.1.0.0/16",
    "127.0.0.0/8",
    "::1/128",
    "192.168.0.0/24",
    "fd00::/8",
    "169.254.0.0/16",
    "::ffff:0:0/96",
    "0.0.0.0/8",
    "172.16.0.0/12",
    "64:ff9b::/96",
    "127.0.0.1/32",
    "fe80::/10",
    "10.0.0.0/31",
    "100.64.0.0/10",
    "2001:db8::/32",
    "0.0.0.0/0",
];

const LISTENERS: [&str; 4] = ["127.0.0.1:8080", "0.0.0.0:9000", "[::]:9001", "[::1]:9002"];

/// # Panics
/// The property does not hold.
pub fn url_policy(input: &[u8]) {
    let Some((&[low, high, switches], rest)) = input.split_first_chunk::<3>() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(rest) else {
        return;
    };
    let policy = policy(u16::from_le_bytes([low, high]), switches);
    let (url, answers) = text.split_once('\n').unwrap_or((text, ""));
    let answers: Vec<SocketAddr> = answers
        .split_ascii_whitespace()
        .filter_map(|answer| answer.parse().ok())
        .collect();
    check_dials(&policy, &answers);
    if let Ok(target) = TargetUrl::parse(url) {
        check_form(&target);
        check_verdict(&policy, &target, &answers);
    }
}

fn policy(choice: u16, switches: u8) -> AddressPolicy {
    let chosen = NETWORKS
        .iter()
        .enumerate()
        .filter(|(place, _)| choice & (1 << place) != 0);
    let is_on = |switch: u8| switches & (1 << switch) != 0;
    AddressPolicy {
        allow_networks: chosen.filter_map(|(_, net)| net.parse().ok()).collect(),
        ports: PortRule::default(),
        nat64: is_on(0),
        own_listeners: LISTENERS
            .iter()
            .zip(1..)
            .filter(|(_, switch)| is_on(*switch))
            .filter_map(|(listener, _)| listener.parse().ok())
            .collect(),
        mixed_answers: if is_on(5) {
            MixedAnswers::Filter
        } else {
            MixedAnswers::Fail
        },
    }
}

/// The normal form reads as itself, has nothing in it that a reader could trip over, and says the
/// same to the parser that dials.
fn check_form(target: &TargetUrl) {
    let text = target.as_str();
    assert_eq!(TargetUrl::parse(text).as_ref(), Ok(target), "{text}");
    assert!(text.len() <= TARGET_URL_BYTES_MAX);
    assert!(text.bytes().all(|b| b.is_ascii_graphic()), "{text}");
    assert!(!text.contains(['#', '\\']), "{text}");
    assert!(
        text.starts_with(&target.origin()),
        "{text} is not under {}",
        target.origin()
    );
    let uri: Uri = match text.parse() {
        Ok(uri) => uri,
        Err(error) => panic!("{text} is stored and could never be sent to: {error}"),
    };
    let host = uri.host().expect("an absolute URI has a host");
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let scheme_port = if uri.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    assert_eq!(
        uri.port_u16().unwrap_or(scheme_port),
        target.port(),
        "{text}"
    );
    match target.host() {
        Host::Ipv4(ip) => assert_eq!(bare.parse(), Ok(ip), "{text}"),
        Host::Ipv6(ip) => assert_eq!(bare.parse(), Ok(ip), "{text}"),
        Host::Domain(name) => {
            assert_eq!(name, host, "{text}");
            assert_eq!(
                numeric(name),
                None,
                "{text}: a resolver takes this name for an address"
            );
        }
    }
}

fn check_verdict(policy: &AddressPolicy, target: &TargetUrl, answers: &[SocketAddr]) {
    let verdict = policy.check_target(target);
    match target.host() {
        Host::Ipv4(ip) => check_literal(policy, ip.into(), target, verdict.is_ok()),
        Host::Ipv6(ip) => check_literal(policy, ip.into(), target, verdict.is_ok()),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_lowercase();
            let is_local = name == "localhost" || name.ends_with(".localhost");
            if is_local && verdict.is_ok() {
                assert!(
                    policy.allow_networks.iter().any(may_be_loopback),
                    "{target} is let through though no loopback is allowed"
                );
            }
            if verdict.is_ok() {
                assert_ne!(target.port(), 0, "{target}");
                connect(policy, answers);
            }
        }
    }
    if verdict.is_ok() && policy.allow_networks.is_empty() {
        let port = target.port();
        assert!(port == 80 || port == 443 || port >= 1024, "{target}");
    }
}

fn check_literal(policy: &AddressPolicy, ip: IpAddr, target: &TargetUrl, allowed: bool) {
    let peer = SocketAddr::new(ip, target.port());
    assert_eq!(policy.check_dial(peer).is_ok(), allowed, "{target}");
    if allowed {
        assert_eq!(policy.check_ip(ip), Ok(()), "{target}");
        assert_eq!(policy.check_answers(&[peer]), Ok(vec![peer]), "{target}");
        connect(policy, &[peer]);
    }
}

/// What a connector does with answers: it dials those that are left, and no other.
fn connect(policy: &AddressPolicy, answers: &[SocketAddr]) {
    let Ok(dialled) = policy.check_answers(answers) else {
        return;
    };
    for peer in &dialled {
        assert!(answers.contains(peer));
        assert!(!is_denied(policy, *peer), "{peer} is dialled");
    }
    if policy.mixed_answers == MixedAnswers::Fail && !dialled.iter().any(|peer| is_local(peer.ip()))
    {
        assert_eq!(dialled, answers, "a mixed name is refused whole");
    }
}

/// For any peer at all, whichever way it is asked about.
fn check_dials(policy: &AddressPolicy, peers: &[SocketAddr]) {
    for &peer in peers {
        let dial = policy.check_dial(peer);
        if is_denied(policy, peer) {
            assert!(dial.is_err(), "{peer} may be dialled");
        }
        if dial.is_ok() {
            assert_eq!(policy.check_ip(peer.ip()), Ok(()), "{peer}");
        }
        let elsewhere = SocketAddr::from(([203, 0, 113, 9], 50_000));
        assert_eq!(policy.check_connected(elsewhere, peer), dial, "{peer}");
        let here = SocketAddr::new(peer.ip(), 50_000);
        let connected = policy.check_connected(here, peer);
        assert!(dial.is_ok() || connected.is_err(), "{peer}");
        let ours = |listener: &SocketAddr| {
            listener.ip().is_unspecified() && listener.port() == peer.port()
        };
        if policy.own_listeners.iter().any(ours) {
            assert!(connected.is_err(), "{peer} is ourselves");
        }
    }
    connect(policy, peers);
}

fn is_local(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

fn may_be_loopback(net: &IpNet) -> bool {
    let loopback: [IpNet; 2] = [
        IpNet::new_assert(Ipv4Addr::new(127, 0, 0, 0).into(), 8),
        IpNet::new_assert(std::net::Ipv6Addr::LOCALHOST.into(), 128),
    ];
    loopback
        .iter()
        .any(|loopback| net.contains(loopback) || loopback.contains(net))
}

/// Said once more and by other means: whether something must not be dialled.
fn is_denied(policy: &AddressPolicy, peer: SocketAddr) -> bool {
    let meant = match peer.ip().to_canonical() {
        IpAddr::V6(ip) if policy.nat64 && ip.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0] => {
            let [.., a, b, c, d] = ip.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        ip => ip,
    };
    let is_own = policy
        .own_listeners
        .iter()
        .any(|own| own.port() == peer.port() && own.ip() == meant);
    let is_allowed = policy
        .allow_networks
        .iter()
        .any(|net| net.contains(&peer.ip()) || net.contains(&meant));
    is_own || peer.port() == 0 || (!is_allowed && !is_public(meant))
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            let odd = ip.is_unspecified()
                || ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_broadcast()
                || ip.is_documentation();
            let reserved = a == 0
                || a >= 240
                || (a == 100 && b & 0xc0 == 64)
                || (a == 198 && b & 0xfe == 18)
                || (a == 192 && b == 0 && c == 0)
                || ip.octets() == [168, 63, 129, 16];
            !odd && !reserved
        }
        IpAddr::V6(ip) => {
            let [a, b, ..] = ip.segments();
            let special = (a == 0x2001 && (b < 0x200 || b == 0xdb8)) || a == 0x2002;
            (a & 0xe000 == 0x2000) && !special && !(a == 0x3fff && b < 0x1000)
        }
    }
}

/// An IPv4 address as `inet_aton` reads it, which `getaddrinfo` tries before it asks anybody:
/// one to four parts, each decimal, octal or hexadecimal, the last filling what is left.
fn numeric(name: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u64> = name
        .split('.')
        .map(|part| {
            let (digits, radix) =
                if let Some(hex) = part.strip_prefix("0x").or(part.strip_prefix("0X")) {
                    (hex, 16)
                } else if part.len() > 1 && part.starts_with('0') {
                    (part, 8)
                } else {
                    (part, 10)
                };
            let plain = digits.bytes().all(|b| b.is_ascii_alphanumeric());
            plain
                .then(|| u64::from_str_radix(digits, radix).ok())
                .flatten()
        })
        .collect::<Option<_>>()?;
    let (last, heads) = parts.split_last()?;
    let room = 8 * (4_usize.checked_sub(heads.len())?);
    if heads.iter().any(|head| *head > 255) || *last >= 1 << room {
        return None;
    }
    let heads = heads
        .iter()
        .zip([24, 16, 8])
        .fold(0, |sum, (head, shift)| sum | (head << shift));
    u32::try_from(heads | last).ok().map(Ipv4Addr::from)
}
