//! What must hold for any bytes that stand where a record should: they are refused, or they are a
//! record that comes back as it was when it is written again. The fuzz target `record_codec` looks
//! for some that break it, and what it found worth keeping is held against it here again.
//!
//! Input: a byte that chooses the kind, one for the version, then what stands behind the checksum,
//! which is computed here: no fuzzer guesses it. With the version's highest bit set the next byte
//! is a length: what follows so many bytes is a frame of its own, as deliveries have one as tail.

use whisperer_domain::access::AuditEntry;
use whisperer_domain::attempt::Attempt;
use whisperer_domain::delivery::Pin;
use whisperer_domain::hook::Hook;
use whisperer_domain::id::{EventId, EventKey, HookId, Sequence};
use zeroize::Zeroizing;

use super::{
    Cancellation, EventFilterRecord, HookRecord, IdempotencyRecord, OrderRecord, Row,
    decode_counters, encode_attempt, encode_counters,
};
use crate::redb_store::fault::Fault;
use crate::redb_store::frame;
use crate::redb_store::key::Key;
use crate::redb_store::record::Order;
use crate::redb_store::seal::Seal;

type Again = Result<Vec<u8>, Fault>;

/// A kind of record.
struct Kind {
    table: &'static str,
    /// Whether whatever stands behind this record is part of it.
    ends_in_bytes: fn(&[u8]) -> bool,
    /// Reads a record and writes it again.
    again: fn(&[u8]) -> Again,
}

const fn kind(table: &'static str, again: fn(&[u8]) -> Again) -> Kind {
    Kind {
        table,
        ends_in_bytes: |_| false,
        again,
    }
}

const fn with_bytes(table: &'static str, again: fn(&[u8]) -> Again) -> Kind {
    Kind {
        ends_in_bytes: |_| true,
        ..kind(table, again)
    }
}

/// In the order of the choice; new ones go to the end, or the corpus means something else.
const KINDS: [Kind; 15] = [
    with_bytes("events", |bytes| {
        let event = super::decode_event(EventKey(1), bytes)?;
        let object = super::decode_object_id(EventKey(1), bytes)?;
        assert_eq!(object, event.object_id);
        Ok(super::encode_event(&event))
    }),
    kind("deliveries", |bytes| {
        let row = Row::decode(Sequence(7), bytes)?;
        let again = row.encode();
        assert_eq!(Row::decode(Sequence(7), &again)?, row);
        Ok(again)
    }),
    kind("hooks", |bytes| {
        let record = HookRecord::decode("hooks", HookId(3), bytes)?;
        let again = record.encode();
        check_hook(record);
        Ok(again)
    }),
    Kind {
        ends_in_bytes: |bytes| {
            let pin = super::decode_pin(Sequence(7), bytes, &seal());
            matches!(pin, Ok(Pin::Made { .. }))
        },
        // Sealed anew it has other bytes each time.
        ..kind("pins", |bytes| {
            let pin = super::decode_pin(Sequence(7), bytes, &seal())?;
            let again = super::encode_pin(Sequence(7), pin.clone(), &seal())?;
            assert_eq!(super::decode_pin(Sequence(7), &again, &seal())?, pin);
            Ok(bytes.to_vec())
        })
    },
    with_bytes("plugins", |bytes| {
        super::decode_membership("p", bytes).map(|found| super::encode_membership(&found))
    }),
    kind("event_types", |bytes| {
        super::decode_event_type("a", bytes).map(|found| super::encode_event_type(&found))
    }),
    kind("tokens", |bytes| {
        super::decode_token([7; 32], bytes).map(|found| super::encode_token(&found))
    }),
    kind("lanes", |bytes| {
        super::decode_health(HookId(3), bytes).map(|found| super::encode_health(&found))
    }),
    kind("event_ids", |bytes| {
        let id = EventId::parse("e").map_err(|what| frame::damaged("event_ids", &1, &what))?;
        super::decode_event_id(&id, bytes).map(|found| super::encode_event_id(&found))
    }),
    kind("directives", |bytes| {
        let order: Order = frame::decode::<OrderRecord>("directives", &1, bytes)?.into();
        Ok(frame::encode(&order.to_record()))
    }),
    kind("cancellations", |bytes| {
        frame::decode::<Cancellation>("cancellations", &1, bytes).map(|found| frame::encode(&found))
    }),
    kind("idempotency", |bytes| {
        frame::decode::<IdempotencyRecord>("idempotency", &1, bytes)
            .map(|found| frame::encode(&found))
    }),
    kind("event_filters", |bytes| {
        frame::decode::<EventFilterRecord>("event_filters", &1, bytes)
            .map(|found| frame::encode(&found))
    }),
    kind("attempts", |bytes| {
        frame::decode::<Attempt>("attempts", &1, bytes)
            .map(|found| encode_attempt(&found, found.number))
    }),
    kind("audit", |bytes| {
        frame::decode::<AuditEntry>("audit", &1, bytes).map(|found| frame::encode(&found))
    }),
];

/// # Panics
/// The property does not hold.
#[cfg_attr(
    not(fuzzing),
    expect(unreachable_pub, reason = "the fuzzer comes in by it")
)]
pub fn record_codec(input: &[u8]) {
    let Some((&[choice, version], body)) = input.split_first_chunk::<2>() else {
        return;
    };
    let kind = &KINDS[usize::from(choice) % KINDS.len()];
    // As it came: no checksum holds, but by chance.
    check(kind, body);
    let framed = match (version & 0x80, body.split_first()) {
        (0x80, Some((length, rest))) => {
            let (record, tail) = rest.split_at(rest.len().min(usize::from(*length)));
            reframed(1, &[record, &reframed(version & 0x7f, tail)].concat())
        }
        _ => reframed(version, body),
    };
    check(kind, &framed);
    if let Ok(counters) = decode_counters("counters", &framed) {
        assert_eq!(
            decode_counters("counters", &encode_counters(&counters)).ok(),
            Some(counters)
        );
    }
}

fn check(kind: &Kind, bytes: &[u8]) {
    let written = match (kind.again)(bytes) {
        Ok(written) => written,
        Err(Fault::Damaged { table, what, .. }) => {
            assert!(table == kind.table && !what.is_empty(), "{table}: {what}");
            return;
        }
        Err(fault) => panic!("bytes alone are damaged or not: {fault}"),
    };
    match (kind.again)(&written) {
        Ok(again) => assert_eq!(again, written, "{}", kind.table),
        Err(fault) => panic!("what was read and written is read no more: {fault}"),
    }
    if !(kind.ends_in_bytes)(&written) {
        // Something that a newer host appended: who does not know it must not drop it. No field
        // that may follow begins like this; a zero could be an absent one.
        let longer = reframed(written[0], &[&written[5..], &[0xff; 16]].concat());
        assert!(
            (kind.again)(&longer).is_err(),
            "{} drops what follows",
            kind.table
        );
    }
}

fn seal() -> Seal {
    Seal::new(Key::new(&Zeroizing::new([7; 32])))
}

fn reframed(version: u8, body: &[u8]) -> Vec<u8> {
    let sum = crc32fast::hash(body).to_le_bytes();
    [&[version], &sum[..], body].concat()
}

/// A hook whose secrets do not open is masked; sealed as it is then, it comes back the same.
fn check_hook(record: HookRecord) {
    let seal = seal();
    let Ok(hook) = record.into_hook("hooks", HookId(3), &seal) else {
        return;
    };
    let sealed = HookRecord::sealed(&hook, &seal).expect("there are random bytes");
    let record = HookRecord::decode("hooks", hook.id, &sealed.encode());
    let again = record.and_then(|record| record.into_hook("hooks", hook.id, &seal));
    let expected = Hook {
        secrets_unreadable: false,
        ..hook
    };
    assert_eq!(again.expect("what was just sealed"), expected);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    #[test]
    fn what_fuzzing_kept_holds() {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus/record_codec");
        let inputs: Vec<_> = fs::read_dir(folder).unwrap().collect();
        assert!(inputs.len() >= 10, "only {} inputs", inputs.len());
        for input in inputs {
            let path = input.unwrap().path();
            println!("{}", path.display());
            super::record_codec(&fs::read(path).unwrap());
        }
    }
}
