//! What may be asked of a store, and how often each is drawn.

use proptest::prelude::*;

/// Numbers are taken modulo what exists, so that most operations hit something.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Create {
        target: u8,
        pattern: u8,
        ordered: u8,
    },
    SetOrdered {
        hook: u64,
        ordered: u8,
    },
    SetActive {
        hook: u64,
        active: bool,
    },
    Delete {
        hook: u64,
    },
    Post {
        id: u8,
        event_type: u8,
        fingerprint: u8,
        object: u8,
    },
    PostStale {
        id: u8,
    },
    Settle {
        sequence: u64,
        verdict: u8,
        number: u32,
        strikes: u32,
    },
    Disable {
        sequence: u64,
        is_gone: bool,
        is_late: bool,
    },
    Retry {
        sequence: u64,
    },
    Select {
        hook: Option<u64>,
        cancel: bool,
    },
    Acquire {
        after: u64,
        want: usize,
    },
    Take {
        hook: u64,
        rows: usize,
        held: u64,
        /// As the hook says, or at odds with it.
        ordered: Option<u8>,
    },
    List {
        hook: Option<u64>,
        limit: usize,
    },
    Lanes {
        pending_max: usize,
    },
    Advance {
        secs: u64,
    },
    Sweep {
        older_secs: u64,
    },
    Reopen,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let hook = 1..6u64;
    let sequence = 1..40u64;
    prop_oneof![
        2 => (0..3u8, 0..4u8, 0..3u8).prop_map(|(target, pattern, ordered)| Step::Create {
            target,
            pattern,
            ordered,
        }),
        2 => (hook.clone(), 0..3u8)
            .prop_map(|(hook, ordered)| Step::SetOrdered { hook, ordered }),
        1 => (hook.clone(), any::<bool>())
            .prop_map(|(hook, active)| Step::SetActive { hook, active }),
        1 => hook.clone().prop_map(|hook| Step::Delete { hook }),
        6 => (0..30u8, 0..2u8, 0..8u8, 0..3u8).prop_map(
            |(id, event_type, fingerprint, object)| Step::Post {
                id,
                event_type,
                fingerprint: u8::from(fingerprint == 0),
                object,
            }
        ),
        1 => (0..30u8).prop_map(|id| Step::PostStale { id }),
        6 => (sequence.clone(), 0..4u8, 1..4u32, 0..4u32).prop_map(
            |(sequence, verdict, number, strikes)| Step::Settle {
                sequence,
                verdict,
                number,
                strikes,
            }
        ),
        1 => (sequence.clone(), any::<bool>(), any::<bool>()).prop_map(
            |(sequence, is_gone, is_late)| Step::Disable { sequence, is_gone, is_late }
        ),
        2 => sequence.prop_map(|sequence| Step::Retry { sequence }),
        1 => (proptest::option::of(hook.clone()), any::<bool>())
            .prop_map(|(hook, cancel)| Step::Select { hook, cancel }),
        1 => (0..6u64, 1..4usize).prop_map(|(after, want)| Step::Acquire { after, want }),
        5 => (hook.clone(), 1..5usize, 0..40u64, proptest::option::weighted(0.1, 0..3u8)).prop_map(
            |(hook, rows, held, ordered)| Step::Take { hook, rows, held, ordered }
        ),
        2 => (proptest::option::of(hook), 1..9usize)
            .prop_map(|(hook, limit)| Step::List { hook, limit }),
        2 => (0..9usize).prop_map(|pending_max| Step::Lanes { pending_max }),
        2 => (0..8u64).prop_map(|secs| Step::Advance { secs }),
        2 => (0..8u64).prop_map(|older_secs| Step::Sweep { older_secs }),
        1 => Just(Step::Reopen),
    ]
}
