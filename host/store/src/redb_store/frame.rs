//! How a record lies in a table: a version byte, a CRC-32 over the rest, then postcard, then
//! (where a record has a tail) raw bytes up to the end.
//!
//! redb checks no checksums on reads, so each record carries its own; and postcard takes any
//! bytes for something, so nothing is decoded whose checksum does not hold. A record that does
//! not read is [`Fault::Damaged`], which names the table and the key; it is never a panic.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use super::fault::Fault;

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 5;

pub(super) fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    encode_with_tail(record, &[])
}

pub(super) fn encode_with_tail<T: Serialize>(record: &T, tail: &[u8]) -> Vec<u8> {
    encode_as(VERSION, record, tail)
}

/// A record that has another shape than its table's first ones: who does not know that version
/// refuses it.
pub(super) fn encode_as<T: Serialize>(version: u8, record: &T, tail: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + 128 + tail.len());
    bytes.extend_from_slice(&[version, 0, 0, 0, 0]);
    // A Vec takes any length, and derived serialisers name the length of every sequence: the
    // only two things that postcard can refuse.
    let mut bytes =
        postcard::to_extend(record, bytes).expect("derived records always serialise into memory");
    bytes.extend_from_slice(tail);
    let sum = crc32fast::hash(&bytes[HEAD_BYTES..]);
    bytes[1..HEAD_BYTES].copy_from_slice(&sum.to_le_bytes());
    bytes
}

pub(super) fn decode<'a, T: Deserialize<'a>>(
    table: &'static str,
    key: &dyn Display,
    bytes: &'a [u8],
) -> Result<T, Fault> {
    let (record, tail) = decode_with_tail(table, key, bytes)?;
    if tail.is_empty() {
        Ok(record)
    } else {
        Err(damaged(table, key, "has bytes after its end"))
    }
}

pub(super) fn decode_with_tail<'a, T: Deserialize<'a>>(
    table: &'static str,
    key: &dyn Display,
    bytes: &'a [u8],
) -> Result<(T, &'a [u8]), Fault> {
    decode_as(VERSION, table, key, bytes)
}

/// What version a record says it has.
pub(super) fn version_of(bytes: &[u8]) -> Option<u8> {
    bytes.first().copied()
}

pub(super) fn decode_as<'a, T: Deserialize<'a>>(
    known: u8,
    table: &'static str,
    key: &dyn Display,
    bytes: &'a [u8],
) -> Result<(T, &'a [u8]), Fault> {
    let Some((&[version, a, b, c, d], body)) = bytes.split_first_chunk::<HEAD_BYTES>() else {
        return Err(damaged(table, key, "is too short"));
    };
    if version != known {
        return Err(damaged(
            table,
            key,
            &format!("has record version {version}, known is {known}"),
        ));
    }
    if crc32fast::hash(body) != u32::from_le_bytes([a, b, c, d]) {
        return Err(damaged(table, key, "does not match its checksum"));
    }
    postcard::take_from_bytes(body)
        .map_err(|error| damaged(table, key, &format!("does not decode: {error}")))
}

/// Fields that records did not have at first, as a tail: none while they say nothing, so that
/// such a record is the same as an old one.
pub(super) fn appended<T: Serialize + Default + PartialEq>(fields: &T) -> Vec<u8> {
    if *fields == T::default() {
        return Vec::new();
    }
    // As above: nothing that postcard can refuse.
    postcard::to_extend(fields, Vec::new()).expect("derived records always serialise into memory")
}

pub(super) fn read_appended<T: for<'a> Deserialize<'a> + Default>(
    table: &'static str,
    key: &dyn Display,
    tail: &[u8],
) -> Result<T, Fault> {
    match take_appended(table, key, tail)? {
        (fields, []) => Ok(fields),
        (_, [_, ..]) => Err(damaged(table, key, "has bytes after its end")),
    }
}

/// The same, with what was appended still later.
pub(super) fn take_appended<'a, T: Deserialize<'a> + Default>(
    table: &'static str,
    key: &dyn Display,
    tail: &'a [u8],
) -> Result<(T, &'a [u8]), Fault> {
    if tail.is_empty() {
        return Ok((T::default(), tail));
    }
    postcard::take_from_bytes(tail)
        .map_err(|error| damaged(table, key, &format!("does not decode: {error}")))
}

pub(super) fn damaged(table: &'static str, key: &dyn Display, what: &str) -> Fault {
    Fault::Damaged {
        table,
        key: key.to_string(),
        what: what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{decode, decode_with_tail, encode, encode_with_tail};
    use crate::redb_store::fault::Fault;

    #[test]
    fn a_tail_comes_back_as_it_was() {
        let bytes = encode_with_tail(&("head", 7u32), b"raw \0 bytes");
        let (head, tail): ((String, u32), _) = decode_with_tail("t", &1, &bytes).unwrap();
        assert_eq!(head, ("head".to_owned(), 7));
        assert_eq!(tail, b"raw \0 bytes");
    }

    #[test]
    fn any_flipped_bit_is_damage_that_names_its_place() {
        let good = encode(&("a record", 42u64));
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let fault = decode::<(String, u64)>("events", &9, &bad).unwrap_err();
            assert!(
                matches!(&fault, Fault::Damaged { table: "events", key, .. } if key == "9"),
                "bit {bit}: {fault}"
            );
        }
    }

    proptest! {
        #[test]
        fn rubbish_is_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(decode::<(String, Vec<u64>)>("t", &0, &bytes).is_err());
        }
    }
}
