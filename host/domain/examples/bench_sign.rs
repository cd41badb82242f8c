//! What signing one attempt costs, by form and number of keys.
//! `cargo run --release -p whisperer-domain --example bench_sign`

use std::hint::black_box;
use std::time::Instant;

use whisperer_domain::secret::Secret;
use whisperer_domain::sign::{KeyPair, Keys, OldKey, OldKeys, SignatureForm, headers};
use whisperer_domain::time::Timestamp;

const ID: &str = "0199c0ffee0199c0ffee0199c0ffee01";
const ROUNDS: u32 = 100;
const SAMPLES: usize = 60;

fn main() {
    println!("| forms | body | keys of each kind | one attempt, us |");
    println!("|---|---|---|---|");
    let all: [(&str, &[SignatureForm]); 3] = [
        (
            "whisperer, standard",
            &[SignatureForm::Whisperer, SignatureForm::Standard],
        ),
        ("ed25519", &[SignatureForm::Ed25519]),
        (
            "standard, ed25519",
            &[SignatureForm::Standard, SignatureForm::Ed25519],
        ),
    ];
    for (name, forms) in all {
        for bytes in [1 << 10, 64 << 10] {
            for keys in [1, 11] {
                let micros = measure(forms, &vec![b'x'; bytes], keys);
                println!("| {name} | {} KiB | {keys} | {micros:.1} |", bytes >> 10);
            }
        }
    }
    let pair = KeyPair::from_seed(&[7; 32]);
    let micros = quickest(|| {
        black_box(black_box(&pair).public());
    });
    println!("\nThe public key of a pair, which each signature makes anew: {micros:.1} us");
}

fn measure(forms: &[SignatureForm], body: &[u8], keys: u8) -> f64 {
    let until = Timestamp(u64::MAX);
    let secret = |number: u8| Secret::new(format!("a secret of ordinary length, {number}"));
    let pair = |number: u8| KeyPair::from_seed(&[number; 32]);
    let old_secrets: OldKeys<_> = (1..keys)
        .map(|number| OldKey {
            key: secret(number),
            until,
        })
        .collect();
    let old_pairs: OldKeys<_> = (1..keys)
        .map(|number| OldKey {
            key: pair(number),
            until,
        })
        .collect();
    let (secret, pair) = (secret(0), pair(0));
    let keys = Keys {
        secret: Some(&secret),
        old_secrets: &old_secrets,
        pair: Some(&pair),
        old_pairs: &old_pairs,
    };
    quickest(|| {
        let made = headers(forms, black_box(&keys), ID, Timestamp(1), black_box(body));
        drop(black_box(made));
    })
}

/// Of some samples the quickest, in microseconds a round: what else the machine does only adds.
fn quickest(mut round: impl FnMut()) -> f64 {
    (0..SAMPLES)
        .map(|_| {
            let start = Instant::now();
            (0..ROUNDS).for_each(|_| round());
            start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS)
        })
        .fold(f64::INFINITY, f64::min)
}
