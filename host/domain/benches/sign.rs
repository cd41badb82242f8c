//! What signing one attempt costs: each form, and each number of keys that a rotation may leave.

#![allow(
    clippy::unwrap_used,
    reason = "what a bench cannot go on without ends it, with the place"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use whisperer_domain::secret::Secret;
use whisperer_domain::sign::{
    KeyPair, Keys, OLD_KEYS_MAX, OldKey, OldKeys, SignatureForm, headers,
};
use whisperer_domain::time::Timestamp;

const ID: &str = "0199c0ffee0199c0ffee0199c0ffee01";
const FORMS: [(&str, &[SignatureForm]); 5] = [
    ("whisperer", &[SignatureForm::Whisperer]),
    ("standard", &[SignatureForm::Standard]),
    ("github", &[SignatureForm::Github]),
    ("ed25519", &[SignatureForm::Ed25519]),
    // Of a hook that says nothing about it.
    (
        "default",
        &[SignatureForm::Whisperer, SignatureForm::Standard],
    ),
];

/// All that a hook can have to sign with.
struct Bunch {
    secret: Secret,
    old_secrets: OldKeys<Secret>,
    pair: KeyPair,
    old_pairs: OldKeys<KeyPair>,
}

fn secret(number: u8) -> Secret {
    Secret::new(format!("a secret of ordinary length, {number}"))
}

fn pair(number: u8) -> KeyPair {
    KeyPair::from_seed(&[number; 32])
}

fn old<T>(count: u8, key: fn(u8) -> T) -> OldKeys<T> {
    let until = Timestamp(u64::MAX);
    let old = |number| OldKey {
        key: key(number),
        until,
    };
    (1..=count).map(old).collect()
}

impl Bunch {
    fn with_old(count: u8) -> Self {
        Self {
            secret: secret(0),
            old_secrets: old(count, secret),
            pair: pair(0),
            old_pairs: old(count, pair),
        }
    }

    fn sign(&self, forms: &[SignatureForm], body: &[u8]) -> Vec<(String, String)> {
        let keys = Keys {
            secret: Some(&self.secret),
            old_secrets: &self.old_secrets,
            pair: Some(&self.pair),
            old_pairs: &self.old_pairs,
        };
        headers(forms, black_box(&keys), ID, Timestamp(1), black_box(body))
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let (bunch, rotated) = (
        Bunch::with_old(0),
        Bunch::with_old(u8::try_from(OLD_KEYS_MAX).unwrap()),
    );
    let mut group = criterion.benchmark_group("sign");
    for (name, forms) in FORMS {
        for bytes in [256, 1 << 10, 16 << 10] {
            let body = vec![b'x'; bytes];
            let id = BenchmarkId::new(name, format!("{bytes} B"));
            group.bench_function(id, |bench| bench.iter(|| bunch.sign(forms, &body)));
        }
    }
    for (name, forms) in [FORMS[1], FORMS[3]] {
        let body = vec![b'x'; 1 << 10];
        let id = BenchmarkId::new(name, "1024 B, all old keys");
        group.bench_function(id, |bench| bench.iter(|| rotated.sign(forms, &body)));
    }
    group.bench_function("public key of a pair", |bench| {
        bench.iter(|| black_box(&bunch.pair).public());
    });
    group.finish();
    criterion.final_summary();
}
