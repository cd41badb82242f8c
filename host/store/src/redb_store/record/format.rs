//! The bytes of what is stored, pinned.
//!
//! Files outlive builds. If a test here fails, a type that stands in records changed its shape:
//! keep the old shape (append variants at the end, give records a new version), do not change
//! the expected bytes.

use std::time::Duration;

use serde::Serialize;
use whisperer_domain::delivery::{
    CancelCause, DeadCause, DeliveryState, Revival, StateKind, Waiting,
};
use whisperer_domain::envelope::Envelope;
use whisperer_domain::event_type::{EventPattern, EventType};
use whisperer_domain::health::{Answer, Breaker, Health, Heard, Patience};
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::outcome::{Outcome, UnreachableCause};
use whisperer_domain::plugin::{PluginFailure, PluginName};
use whisperer_domain::schedule::RetryConfig;
use whisperer_domain::sign::SignatureForm;
use whisperer_domain::time::Timestamp;

use super::pin::HeaderOpRecord;
use super::{Counters, Kept, decode_counters, decode_health, encode_counters, encode_health};

fn hex<T: Serialize>(value: &T) -> String {
    let bytes = postcard::to_extend(value, Vec::new()).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn all<T: Serialize>(values: &[T]) -> Vec<String> {
    values.iter().map(hex).collect()
}

fn plugin() -> PluginName {
    PluginName::parse("p").unwrap()
}

fn text() -> String {
    "t".to_owned()
}

#[test]
fn delivery_states_keep_their_bytes() {
    let states = [
        DeliveryState::Pending {
            due: Timestamp(300),
            waiting_for: Some(Waiting::SecretUnreadable),
        },
        DeliveryState::Delivered,
        DeliveryState::Discarded {
            plugin: plugin(),
            code: text(),
            message: text(),
        },
        DeliveryState::Dead(DeadCause::Exhausted),
        DeliveryState::Dead(DeadCause::Expired),
        DeliveryState::Dead(DeadCause::Plugin {
            plugin: plugin(),
            code: text(),
            message: text(),
        }),
        DeliveryState::Dead(DeadCause::Unsendable(text())),
        DeliveryState::Dead(DeadCause::Aborted),
        DeliveryState::Cancelled(CancelCause::HookDeleted),
        DeliveryState::Cancelled(CancelCause::Gone),
        DeliveryState::Cancelled(CancelCause::ByHand),
    ];
    let bytes = [
        "00ac020102",
        "01",
        "02017001740174",
        "0300",
        "0301",
        "0302017001740174",
        "03030174",
        "0304",
        "0400",
        "0401",
        "0402",
    ];
    assert_eq!(all(&states), bytes);
    let waiting = [
        Waiting::PluginMissing(plugin()),
        Waiting::PluginNotReady(plugin()),
        Waiting::SecretUnreadable,
        Waiting::PluginQuarantined(plugin()),
        Waiting::PluginConfigUnfit(plugin()),
    ];
    assert_eq!(
        all(&waiting),
        ["000170", "010170", "02", "030170", "040170"]
    );
}

#[test]
fn outcomes_keep_their_bytes() {
    let outcomes = [
        Outcome::Delivered { status: 200 },
        Outcome::Refused {
            status: 503,
            retry_after_secs: Some(9),
        },
        Outcome::Unreachable {
            cause: UnreachableCause::Protocol,
            message: text(),
        },
        Outcome::TimedOut {
            while_doing: text(),
        },
        Outcome::Blocked { message: text() },
        Outcome::PluginFailed {
            plugin: plugin(),
            kind: PluginFailure::Failed,
            code: text(),
            message: text(),
        },
        Outcome::Discarded {
            plugin: plugin(),
            code: text(),
            message: text(),
        },
        Outcome::Internal { message: text() },
        Outcome::Unreachable {
            cause: UnreachableCause::Proxy,
            message: text(),
        },
    ];
    let bytes = [
        "00c801",
        "01f7030109",
        "02040174",
        "030174",
        "040174",
        "0501700b01740174",
        "06017001740174",
        "070174",
        "02050174",
    ];
    assert_eq!(all(&outcomes), bytes);
}

#[test]
fn what_hooks_and_pins_hold_keeps_its_bytes() {
    let retries = [
        RetryConfig::Fixed { seconds: 5 },
        RetryConfig::Linear {
            base: 5,
            limit: Some(9),
        },
        RetryConfig::Exponential {
            base: 2,
            factor: 3,
            limit: None,
        },
        RetryConfig::Random {
            min_value: 1,
            max_value: 2,
        },
        RetryConfig::Schedule {
            seconds: vec![1, 2],
        },
    ];
    assert_eq!(
        all(&retries),
        ["0005", "01050109", "02020300", "030102", "04020102"]
    );
    let patterns = [
        EventPattern::All,
        EventPattern::parse("a.*").unwrap(),
        EventPattern::Exact(EventType::parse("a").unwrap()),
    ];
    assert_eq!(all(&patterns), ["00", "010161", "020161"]);
    let envelopes = [
        Envelope::Whisperer,
        Envelope::Standard,
        Envelope::CloudEvents,
        Envelope::Bare,
    ];
    assert_eq!(all(&envelopes), ["00", "01", "02", "03"]);
    let forms = [
        SignatureForm::Whisperer,
        SignatureForm::Standard,
        SignatureForm::Github,
        SignatureForm::Ed25519,
    ];
    assert_eq!(all(&forms), ["00", "01", "02", "03"]);
    let (name, value) = (text(), text());
    let ops = [
        HeaderOpRecord::Set {
            name: name.clone(),
            value: value.clone(),
        },
        HeaderOpRecord::Append {
            name: name.clone(),
            value,
        },
        HeaderOpRecord::Remove { name },
    ];
    assert_eq!(all(&ops), ["0001740174", "0101740174", "020174"]);
}

#[test]
fn what_directives_hold_keeps_its_bytes() {
    assert_eq!(all(&StateKind::ALL), ["00", "01", "02", "03", "04"]);
    let revival = Revival {
        at: Timestamp(300),
        attempts: 2,
    };
    assert_eq!(hex(&revival), "ac0202");
}

#[test]
fn what_lanes_learn_keeps_its_bytes() {
    let breakers = [
        Breaker::Closed {
            strikes: 3,
            last: Some(Sequence(300)),
        },
        Breaker::default(),
        Breaker::Open {
            until: Timestamp(300),
            times: 2,
        },
    ];
    assert_eq!(all(&breakers), ["000301ac02", "000000", "01ac0202"]);
    let mut health = Health::default();
    let heard = Heard {
        answer: Answer::Later {
            wait: Some(Duration::from_millis(700)),
            down: false,
        },
        delivery: Sequence(1),
        began_at: Timestamp(300),
        rate: 16.0,
    };
    health.hear(&heard, Timestamp(300), &Patience::default());
    let bytes = encode_health(&health);
    // Failing since, told, breaker; a pace of half the rate, the wait, when it was cut, its end.
    let tail: String = bytes[5..].iter().map(|it| format!("{it:02x}")).collect();
    assert_eq!(
        tail,
        concat!(
            "01ac02",
            "00",
            "000000",
            "01",
            "0000000000002040",
            "e807",
            "ac02",
            "0000000000005040"
        )
    );
    assert_eq!(decode_health(HookId(1), &bytes).unwrap(), health);
}

#[test]
fn what_the_counters_say_of_retention_is_a_tail_that_older_ones_lack() {
    let first = encode_counters(&Counters::FIRST);
    assert_eq!(first[5..], [1, 1, 1, 1, 0, 0, 0]);
    let kept = Kept {
        live_bytes: 300,
        events_swept: 2,
    };
    let counters = Counters {
        kept,
        ..Counters::FIRST
    };
    let bytes = encode_counters(&counters);
    assert_eq!(bytes[first.len()..], [0xac, 0x02, 0x02]);
    assert_eq!(decode_counters("c", &bytes).unwrap(), counters);
    assert_eq!(decode_counters("c", &first).unwrap(), Counters::FIRST);
}
