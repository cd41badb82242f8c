//! The vectors, and the rules of a rotation as a table.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{KeyPair, Keys, OldKey, OldKeys, SignatureForm, check_secret, headers, hmac};
use crate::secret::Secret;
use crate::time::Timestamp;

const MSG: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";

/// The keys of a hook, owned.
#[derive(Default)]
struct Ring {
    secret: Option<Secret>,
    old_secrets: OldKeys<Secret>,
    pair: Option<KeyPair>,
    old_pairs: OldKeys<KeyPair>,
}

impl Ring {
    fn secret(text: &str) -> Self {
        Self {
            secret: Some(Secret::new(text.to_owned())),
            ..Self::default()
        }
    }

    fn keys(&self) -> Keys<'_> {
        Keys {
            secret: self.secret.as_ref(),
            old_secrets: &self.old_secrets,
            pair: self.pair.as_ref(),
            old_pairs: &self.old_pairs,
        }
    }
}

fn lines(headers: Vec<(String, String)>) -> Vec<String> {
    let line = |(name, value)| format!("{name}: {value}");
    headers.into_iter().map(line).collect()
}

fn sign(form: SignatureForm, secret: &str, id: &str, secs: u64, body: &str) -> Vec<String> {
    let ring = Ring::secret(secret);
    let now = Timestamp(secs * 1000 + 999);
    lines(headers(
        &[form, form],
        &ring.keys(),
        id,
        now,
        body.as_bytes(),
    ))
}

#[test]
fn standard_webhooks_vectors() {
    let body = r#"{"test": 2432232314}"#;
    let cases = [
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            MSG,
            1_614_265_330,
            body,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            r#"{"email":"test@example.com","username":"test_user"}"#,
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
        (
            "my-secret-key",
            MSG,
            1_614_265_330,
            body,
            "v1,drRCR7i/rUD0PqIb/DoKqZ4zFj6WxUvEUH2KI0gHpNE=",
        ),
    ];
    for (secret, id, secs, body, signature) in cases {
        let expected = [
            format!("webhook-id: {id}"),
            format!("webhook-timestamp: {secs}"),
            format!("webhook-signature: {signature}"),
        ];
        assert_eq!(
            sign(SignatureForm::Standard, secret, id, secs, body),
            expected
        );
    }
}

#[test]
fn raw_forms_take_the_secret_as_text() {
    let hello = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    for (form, name) in [
        (SignatureForm::Github, "X-Hub-Signature-256"),
        (SignatureForm::Whisperer, "X-Whisperer-Signature"),
    ] {
        let got = sign(form, "It's a Secret to Everybody", MSG, 1, "Hello, World!");
        assert_eq!(got, [format!("{name}: sha256={hello}")]);
    }
    // Computed with OpenSSL: the key is the whole text, prefix and all.
    let prefixed = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let got = sign(SignatureForm::Whisperer, prefixed, MSG, 1, "Hello, World!");
    assert_eq!(
        got,
        [
            "X-Whisperer-Signature: sha256=7ad4fd21c74c164320d9ac01f24d0797c8be594bf356ab332fdd61a03b78cec0"
        ]
    );
}

#[test]
fn without_a_secret_only_id_and_timestamp_are_sent() {
    let forms = [
        SignatureForm::Whisperer,
        SignatureForm::Standard,
        SignatureForm::Github,
        SignatureForm::Ed25519,
    ];
    let got = headers(
        &forms,
        &Ring::default().keys(),
        "id",
        Timestamp(5_000),
        b"x",
    );
    assert_eq!(lines(got), ["webhook-id: id", "webhook-timestamp: 5"]);
}

#[test]
fn the_vector_of_v1a() {
    let pair = STANDARD.decode("6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc=");
    let ring = Ring {
        pair: Some(KeyPair::from_seed(&pair.unwrap().try_into().unwrap())),
        ..Ring::default()
    };
    let now = Timestamp(1_614_265_330_000);
    let body = br#"{"test": 2432232314}"#;
    let got = headers(&[SignatureForm::Ed25519], &ring.keys(), MSG, now, body);
    assert_eq!(
        lines(got),
        [
            "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp: 1614265330",
            "webhook-signature: v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
        ]
    );
}

/// Three keys of each kind, named by their age: `b` ends before `a`, though it is younger.
fn amid_rotations() -> Ring {
    let secret = |name: &str| Secret::new(name.to_owned());
    let old = |name: &str, until| OldKey {
        key: secret(name),
        until: Timestamp(until),
    };
    let old_pair = |seed: u8, until| OldKey {
        key: KeyPair::from_seed(&[seed; 32]),
        until: Timestamp(until),
    };
    Ring {
        secret: Some(secret("c")),
        old_secrets: [old("a", 3_000), old("b", 2_000)].into_iter().collect(),
        pair: Some(KeyPair::from_seed(b"cccccccccccccccccccccccccccccccc")),
        old_pairs: [old_pair(b'a', 3_000), old_pair(b'b', 2_000)]
            .into_iter()
            .collect(),
    }
}

#[test]
fn each_key_that_holds_signs_and_single_forms_stay_with_the_oldest() {
    use SignatureForm::{Ed25519, Github, Standard, Whisperer};
    let ring = amid_rotations();
    // At which time, the keys of the list, newest first, and the key of the single forms.
    for (now, listed, single) in [
        (1_000, "cba", "a"),
        (2_000, "cba", "a"),
        (2_001, "ca", "a"),
        (3_000, "ca", "a"),
        (3_001, "c", "c"),
    ] {
        for (forms, v1, v1a) in [
            (&[Whisperer, Standard][..], true, false),
            (&[Standard, Ed25519, Github], true, true),
            (&[Ed25519, Whisperer, Standard], true, true),
            (&[Github, Ed25519], false, true),
        ] {
            let got = headers(forms, &ring.keys(), "id", Timestamp(now), b"body");
            let find = |wanted: &str| {
                let mut found = got.iter().filter(|(name, _)| name == wanted);
                let value = found.next().map(|(_, value)| value.as_str());
                assert!(found.next().is_none(), "{wanted} twice: {got:?}");
                value
            };
            let text = format!("id.{}.body", now / 1000);
            let mut expected = Vec::new();
            if v1 {
                let mac = |name: char| hmac(name.to_string().as_bytes(), &[text.as_bytes()]);
                expected.extend(
                    listed
                        .chars()
                        .map(|it| format!("v1,{}", STANDARD.encode(mac(it)))),
                );
            }
            if v1a {
                let by = |seed: char| KeyPair::from_seed(&[seed as u8; 32]);
                let by = |seed| STANDARD.encode(by(seed).sign(&[text.as_bytes()]));
                expected.extend(listed.chars().map(|it| format!("v1a,{}", by(it))));
            }
            assert_eq!(find("webhook-signature"), Some(expected.join(" ").as_str()));
            assert_eq!(find("webhook-id"), Some("id"));
            let mac = hex::encode(hmac(single.as_bytes(), &[b"body"]));
            for (form, name) in [
                (Whisperer, "X-Whisperer-Signature"),
                (Github, "X-Hub-Signature-256"),
            ] {
                let expected = forms.contains(&form).then(|| format!("sha256={mac}"));
                assert_eq!(find(name), expected.as_deref(), "{forms:?} at {now}");
            }
        }
    }
}

#[test]
fn ten_old_keys_of_each_kind_make_a_header_that_receivers_take() {
    let forms = [SignatureForm::Standard, SignatureForm::Ed25519];
    let until = Timestamp(9_000);
    let old_secret = |number: usize| OldKey {
        key: Secret::new(format!("old secret {number}")),
        until,
    };
    let old_pair = |number: usize| OldKey {
        key: KeyPair::from_seed(&[u8::try_from(number).unwrap(); 32]),
        until,
    };
    let ring = Ring {
        secret: Some(Secret::new("newest".to_owned())),
        old_secrets: (0..super::OLD_KEYS_MAX).map(old_secret).collect(),
        pair: Some(KeyPair::from_seed(&[99; 32])),
        old_pairs: (0..super::OLD_KEYS_MAX).map(old_pair).collect(),
    };
    let got = headers(&forms, &ring.keys(), MSG, Timestamp(1), b"x");
    let (_, value) = got.iter().find(|it| it.0 == "webhook-signature").unwrap();
    assert_eq!(value.split(' ').count(), 22);
    assert!(value.len() < 1_600, "{} bytes", value.len());
}

#[test]
fn secrets_are_taken_or_refused_by_the_rule() {
    let whsec = |bytes: usize| {
        let text = STANDARD.encode(vec![0xfb; bytes]);
        format!("whsec_{text}")
    };
    let taken = [
        "x",
        "my-secret-key",
        "🔑",
        " a b ",
        "WHSEC_x",
        &"x".repeat(1024),
    ];
    for secret in taken {
        assert_eq!(check_secret(secret), Ok(()), "{secret:?}");
    }
    for bytes in [24, 25, 64] {
        assert_eq!(check_secret(&whsec(bytes)), Ok(()), "{bytes} bytes");
    }
    let refused = [
        String::new(),
        "x".repeat(1025),
        "a\n".to_owned(),
        "a\0b".to_owned(),
        "whsec_".to_owned(),
        "whsec_no base64".to_owned(),
        whsec(23),
        whsec(65),
        whsec(25).trim_end_matches('=').to_owned(),
        whsec(24).replace('+', "-").replace('/', "_"),
        whsec(24) + "\n",
    ];
    for secret in refused {
        let reason = check_secret(&secret).unwrap_err();
        assert!(secret.len() < 8 || !reason.contains(&secret), "{reason}");
    }
}
