//! The policy as egress and the API see it; the networks have their own table in `network.rs`.

use std::net::SocketAddr;

use super::{AddressPolicy, Forbidden, MixedAnswers};
use crate::target_url::TargetUrl;

fn allowing(networks: &[&str]) -> AddressPolicy {
    AddressPolicy {
        allow_networks: networks.iter().map(|net| net.parse().unwrap()).collect(),
        ..AddressPolicy::default()
    }
}

fn listening(networks: &[&str], listeners: &[&str]) -> AddressPolicy {
    AddressPolicy {
        own_listeners: sockets(listeners),
        ..allowing(networks)
    }
}

fn sockets(addresses: &[&str]) -> Vec<SocketAddr> {
    addresses.iter().map(|a| a.parse().unwrap()).collect()
}

fn target(policy: &AddressPolicy, url: &str) -> Result<(), Forbidden> {
    policy.check_target(&TargetUrl::parse(url).unwrap())
}

/// a spelling is refused when it is parsed, or as the address that it turns into.
#[test]
fn invariant_6_no_spelling_of_an_address_gets_through() {
    let policy = AddressPolicy::default();
    let spellings = [
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://127.1/",
        "http://127.0.1/",
        "http://0/",
        "http://127.0.0.1./",
        "http://①②⑦.⓪.⓪.①/",
        "http://127.0.0.1/",
        "http://127。0。0。1/",
        "http://\u{ff11}\u{ff12}\u{ff17}\u{ff0e}\u{ff10}\u{ff0e}\u{ff10}\u{ff0e}\u{ff11}/",
        "http://%31%32%37.0.0.1/",
        "http://127.0.0.%31/",
        "http:169.254.169.254/",
        "http:///169.254.169.254/",
        "http:\\\\169.254.169.254\\",
        "http://example.com\\@169.254.169.254/",
        "http://example.com:80@169.254.169.254/",
        "http://example.com@169.254.169.254/",
        "http://[::]/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[0:0:0:0:0:ffff:a9fe:a9fe]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:7f00:1::]/",
        "http://[fd00::1]/",
        "https://169.254.169.254/latest/meta-data/",
        "http://192.168.0.1:8080/",
    ];
    for spelling in spellings {
        let refused = match TargetUrl::parse(spelling) {
            Ok(url) => policy.check_target(&url).is_err(),
            Err(_) => true,
        };
        assert!(refused, "{spelling} must be refused");
    }
}

#[test]
fn names_of_this_machine_and_network_are_refused_in_any_casing() {
    let policy = AddressPolicy::default();
    let names = [
        ("localhost", "localhost"),
        ("LOCALHOST", "localhost"),
        ("localhost.", "localhost"),
        (
            "\u{ff4c}\u{ff4f}\u{ff43}\u{ff41}\u{ff4c}\u{ff48}\u{ff4f}\u{ff53}\u{ff54}",
            "localhost",
        ),
        ("foo.localhost", "localhost"),
        ("a.b.LocalHost.", "localhost"),
        ("metadata.google.internal", "internal"),
        ("internal", "internal"),
        ("printer.local", "local"),
    ];
    for (name, suffix) in names {
        let verdict = target(&policy, &format!("http://{name}/"));
        assert_eq!(verdict, Err(Forbidden::Name(suffix)), "{name}");
    }
    for name in [
        "example.com",
        "notlocalhost",
        "local.example",
        "internal.example.com",
    ] {
        assert_eq!(
            target(&policy, &format!("https://{name}/")),
            Ok(()),
            "{name}"
        );
    }
}

#[test]
fn ports_of_other_protocols_are_refused_unless_the_network_is_allowed() {
    let policy = allowing(&["10.1.0.0/16"]);
    for port in [0, 21, 22, 25, 5432, 6379] {
        let refusal = Err(Forbidden::Port(port));
        assert_eq!(target(&policy, &format!("http://8.8.8.8:{port}/")), refusal);
        let plain = AddressPolicy::default();
        assert_eq!(
            target(&plain, &format!("http://example.com:{port}/")),
            refusal
        );
    }
    for port in [80, 443, 1024, 8080, 8443, 65535] {
        assert_eq!(target(&policy, &format!("http://8.8.8.8:{port}/")), Ok(()));
        assert_eq!(
            target(&policy, &format!("http://example.com:{port}/")),
            Ok(())
        );
    }
    assert_eq!(target(&policy, "http://10.1.2.3:22/"), Ok(()));
    assert_eq!(
        target(&policy, "http://10.1.2.3:0/"),
        Err(Forbidden::Port(0))
    );
    // Allowed loopback says nothing about a name elsewhere.
    let loopback = allowing(&["127.0.0.0/8"]);
    assert_eq!(
        target(&loopback, "http://example.com:22/"),
        Err(Forbidden::Port(22))
    );
    assert_eq!(target(&loopback, "http://localhost:22/"), Ok(()));
}

///
#[test]
fn an_allowed_network_allows_nothing_beside_it() {
    let policy = allowing(&["10.1.0.0/16", "fd00:1::/32"]);
    for ip in ["10.1.0.0", "10.1.255.255", "::ffff:10.1.0.1", "fd00:1::1"] {
        assert_eq!(policy.check_ip(ip.parse().unwrap()), Ok(()), "{ip}");
    }
    for ip in [
        "10.0.255.255",
        "10.2.0.0",
        "127.0.0.1",
        "fd00:2::1",
        "::ffff:10.2.0.1",
    ] {
        assert!(policy.check_ip(ip.parse().unwrap()).is_err(), "{ip}");
    }
    assert_eq!(
        target(&policy, "http://db.internal/"),
        Ok(()),
        "left to its answers"
    );
    assert!(target(&policy, "http://localhost/").is_err());
    let loopback = allowing(&["127.0.0.0/8"]);
    assert_eq!(target(&loopback, "http://localhost:9/"), Ok(()));
    assert!(target(&loopback, "http://db.internal/").is_err());
}

#[test]
fn our_own_listeners_are_refused_even_where_all_is_allowed() {
    let everything = ["0.0.0.0/0", "::/0"];
    let own = |listener: &str, peer: &str| {
        listening(&everything, &[listener]).check_dial(peer.parse().unwrap())
            == Err(Forbidden::OwnListener)
    };
    assert!(own("127.0.0.1:8080", "127.0.0.1:8080"));
    assert!(own("127.0.0.1:8080", "[::ffff:127.0.0.1]:8080"));
    assert!(own("127.0.0.1:8080", "0.0.0.0:8080"));
    assert!(own("0.0.0.0:8080", "127.9.9.9:8080"));
    assert!(own("[::]:8080", "127.0.0.1:8080"));
    assert!(own("[::]:8080", "[::1]:8080"));
    assert!(own("10.0.0.5:8080", "10.0.0.5:8080"));
    assert!(!own("127.0.0.1:8080", "127.0.0.1:8081"));
    assert!(!own("127.0.0.1:8080", "127.0.0.2:8080"));
    assert!(
        !own("0.0.0.0:8080", "10.0.0.5:8080"),
        "may be another machine"
    );

    let policy = listening(&everything, &["0.0.0.0:8080"]);
    let connected = |local: &str, peer: &str| {
        policy.check_connected(local.parse().unwrap(), peer.parse().unwrap())
    };
    let refusal = Err(Forbidden::OwnListener);
    assert_eq!(connected("10.0.0.5:50000", "10.0.0.5:8080"), refusal);
    assert_eq!(connected("10.0.0.5:50000", "10.0.0.6:8080"), Ok(()));
    assert_eq!(connected("10.0.0.5:50000", "10.0.0.5:8081"), Ok(()));
    assert_eq!(target(&policy, "http://localhost:8080/"), refusal);
    assert_eq!(target(&policy, "http://a.localhost.:8080/"), refusal);
}

#[test]
fn a_name_with_a_forbidden_answer_fails_or_is_filtered() {
    let answers = sockets(&["8.8.8.8:443", "10.0.0.1:443", "[2606:4700::1]:443"]);
    let fail = AddressPolicy::default();
    assert!(matches!(
        fail.check_answers(&answers),
        Err(Forbidden::Network { .. })
    ));
    assert_eq!(fail.check_answers(&answers[..1]), Ok(answers[..1].to_vec()));
    assert_eq!(fail.check_answers(&[]), Ok(Vec::new()));
    let filter = AddressPolicy {
        mixed_answers: MixedAnswers::Filter,
        ..AddressPolicy::default()
    };
    assert_eq!(
        filter.check_answers(&answers),
        Ok(vec![answers[0], answers[2]])
    );
    assert!(filter.check_answers(&answers[1..2]).is_err());
    for hidden in ["[::ffff:10.0.0.1]:443", "[64:ff9b::a00:1]:443"] {
        let mixed = sockets(&["8.8.8.8:443", hidden]);
        assert!(fail.check_answers(&mixed).is_err(), "{hidden}");
    }
}

#[test]
fn localhost_means_the_loopback_that_is_allowed() {
    let both = sockets(&["[::1]:9000", "127.0.0.1:9000"]);
    let policy = allowing(&["127.0.0.0/8"]);
    assert_eq!(policy.check_answers(&both), Ok(both[1..].to_vec()));
    let with_private = sockets(&["127.0.0.1:9000", "10.0.0.1:9000"]);
    assert!(policy.check_answers(&with_private).is_err());
    assert!(AddressPolicy::default().check_answers(&both).is_err());
    let ours = listening(&["127.0.0.0/8"], &["[::1]:9000"]);
    assert_eq!(ours.check_answers(&both), Err(Forbidden::OwnListener));
}

#[test]
fn refusals_are_sentences_with_a_way_out() {
    let policy = AddressPolicy::default();
    let refusal = target(&policy, "http://10.0.0.1/").unwrap_err();
    assert_eq!(
        refusal.sentence(),
        "Must not be sent to: its address lies in 10.0.0.0/8, which is a private network. Use an \
         address on the public internet, or have the operator allow the network \
         (--allow-network)."
    );
}
