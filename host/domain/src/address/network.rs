//! The networks that no delivery goes to: everything that is not the public internet.
//!
//! IPv4 is public unless listed, IPv6 only where listed, as the registries stand (IANA's
//! special-purpose registries, and 168.63.129.16, where Azure keeps its host agent).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

type Listed<N> = (N, &'static str);

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

const FORBIDDEN_V4: [Listed<Ipv4Net>; 19] = [
    (v4(0, 0, 0, 0, 8), "this host"),
    (v4(10, 0, 0, 0, 8), "a private network"),
    (v4(100, 64, 0, 0, 10), "a carrier's shared network"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(168, 63, 129, 16, 32), "a cloud's host agent"),
    (
        v4(169, 254, 0, 0, 16),
        "link-local, where clouds keep credentials",
    ),
    (v4(172, 16, 0, 0, 12), "a private network"),
    (v4(192, 0, 0, 0, 24), "reserved for protocols"),
    (v4(192, 0, 2, 0, 24), "reserved for documentation"),
    (v4(192, 31, 196, 0, 24), "an anycast service of the DNS"),
    (v4(192, 52, 193, 0, 24), "a multicast relay"),
    (v4(192, 88, 99, 0, 24), "a 6to4 relay"),
    (v4(192, 168, 0, 0, 16), "a private network"),
    (v4(192, 175, 48, 0, 24), "an anycast service of the DNS"),
    (v4(198, 18, 0, 0, 15), "reserved for benchmarks"),
    (v4(198, 51, 100, 0, 24), "reserved for documentation"),
    (v4(203, 0, 113, 0, 24), "reserved for documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
];

/// What is assigned to the public internet at all.
const PUBLIC_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

const FORBIDDEN_V6: [Listed<Ipv6Net>; 5] = [
    (
        v6(0x2001, 0, 0, 23),
        "reserved for protocols, Teredo among them",
    ),
    (v6(0x2001, 0xdb8, 0, 32), "reserved for documentation"),
    (v6(0x2002, 0, 0, 16), "a 6to4 tunnel"),
    (
        v6(0x2620, 0x4f, 0x8000, 48),
        "an anycast service of the DNS",
    ),
    (v6(0x3fff, 0, 0, 20), "reserved for documentation"),
];

/// More precise words for what lies outside [`PUBLIC_V6`].
const NAMED_V6: [Listed<Ipv6Net>; 4] = [
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), "loopback"),
    (v6(0xfc00, 0, 0, 7), "a private network"),
    (v6(0xfe80, 0, 0, 10), "link-local"),
    (v6(0xff00, 0, 0, 8), "multicast"),
];

const EVERYTHING_V6: Ipv6Net = v6(0, 0, 0, 0);

/// RFC 6052's well-known prefix: the last 32 bits are an IPv4 address.
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);

/// The forbidden network that holds an address, with words for it. An IPv4 address in IPv6
/// clothes must have been undressed before, see [`undressed`].
pub(super) fn forbidden(ip: IpAddr) -> Option<(IpNet, &'static str)> {
    match ip {
        IpAddr::V4(ip) => FORBIDDEN_V4
            .iter()
            .find(|(net, _)| net.contains(&ip))
            .map(|&(net, what)| (net.into(), what)),
        IpAddr::V6(ip) if PUBLIC_V6.contains(&ip) => FORBIDDEN_V6
            .iter()
            .find(|(net, _)| net.contains(&ip))
            .map(|&(net, what)| (net.into(), what)),
        IpAddr::V6(ip) => Some(NAMED_V6.iter().find(|(net, _)| net.contains(&ip)).map_or(
            (EVERYTHING_V6.into(), "outside the public 2000::/3"),
            |&(net, what)| (net.into(), what),
        )),
    }
}

/// The address that is meant: `::ffff:a.b.c.d` is a.b.c.d to every system, and behind a NAT64
/// gateway so is `64:ff9b::a.b.c.d`.
pub(super) fn undressed(ip: IpAddr, nat64: bool) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) if nat64 && NAT64.contains(&v6) => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        canonical => canonical,
    }
}

/// Whether a network holds loopback addresses.
pub(super) fn touches_loopback(net: &IpNet) -> bool {
    match net {
        IpNet::V4(net) => {
            let loopback = v4(127, 0, 0, 0, 8);
            net.contains(&loopback) || loopback.contains(net)
        }
        IpNet::V6(net) => net.contains(&Ipv6Addr::LOCALHOST),
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{forbidden, undressed};

    fn is_forbidden(text: &str, nat64: bool) -> bool {
        let ip: IpAddr = text.parse().unwrap();
        forbidden(undressed(ip, nat64)).is_some()
    }

    /// First and last address of each network, and its neighbours.
    #[test]
    fn every_network_and_its_edges() {
        let denied = "0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 \
            127.0.0.0 127.255.255.255 168.63.129.16 169.254.0.0 169.254.169.254 169.254.255.255 \
            172.16.0.0 172.31.255.255 192.0.0.0 192.0.0.255 192.0.2.0 192.0.2.255 192.31.196.0 \
            192.31.196.255 192.52.193.0 192.52.193.255 192.88.99.0 192.88.99.255 192.168.0.0 \
            192.168.255.255 192.175.48.0 192.175.48.255 198.18.0.0 198.19.255.255 198.51.100.0 \
            198.51.100.255 203.0.113.0 203.0.113.255 224.0.0.0 239.255.255.255 240.0.0.0 \
            255.255.255.255 :: ::1 ::7f00:1 ::ffff:10.0.0.1 ::ffff:127.0.0.1 ::ffff:0:127.0.0.1 \
            64:ff9b::8.8.8.8 64:ff9b:1::1 100::1 1fff:ffff::1 2001:: 2001::1 2001:1ff:ffff::1 \
            2001:db8:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff 2002:: 2002:7f00:1:: 2002:ffff::1 \
            2620:4f:8000:: 2620:4f:8000:ffff:ffff:ffff:ffff:ffff 3fff:: 3fff:fff:ffff::1 \
            4000:: 5f00::1 fc00:: fd00::1 fdff::1 fe80::1 febf::1 fec0::1 ff00:: ff02::1";
        for ip in denied.split_ascii_whitespace() {
            assert!(is_forbidden(ip, false), "{ip} must be refused");
        }
        let public = "1.0.0.0 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 \
            126.255.255.255 128.0.0.0 168.63.129.15 168.63.129.17 169.253.255.255 169.255.0.0 \
            172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.1.255 192.0.3.0 \
            192.31.195.255 192.31.197.0 192.52.192.255 192.52.194.0 192.88.98.255 192.88.100.0 \
            192.167.255.255 192.169.0.0 192.175.47.255 192.175.49.0 198.17.255.255 198.20.0.0 \
            198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255 \
            ::ffff:8.8.8.8 2000:: 2001:200:: 2001:db7:ffff::1 2001:db9:: 2001:4860:4860::8888 \
            2003:: 2606:4700::1111 2620:4f:7fff:ffff::1 2620:4f:8001:: 3ffe:ffff::1 \
            3fff:1000:: 3fff:ffff::1";
        for ip in public.split_ascii_whitespace() {
            assert!(!is_forbidden(ip, false), "{ip} must pass");
        }
    }

    #[test]
    fn nat64_is_decoded_only_when_enabled() {
        assert!(!is_forbidden("64:ff9b::8.8.8.8", true));
        assert!(is_forbidden("64:ff9b::a00:1", true), "10.0.0.1");
        assert!(
            is_forbidden("64:ff9b:0:0:0:1:808:808", true),
            "not in the /96"
        );
        assert!(is_forbidden("64:ff9b:1::808:808", true));
    }
}
