//! A delivery's uuid: version 7 over the time at which it was made.
//!
//! The time is not decoration: a store that keeps deliveries in order of creation finds one by
//! its uuid without an index, by looking where that time stands.

use uuid::{Builder, Uuid, Variant};
use whisperer_domain::id::DeliveryUuid;
use whisperer_domain::time::Timestamp;

/// How many bytes of chance [`made`] takes.
pub(crate) const CHANCE_BYTES: usize = 10;

pub(crate) fn made(at: Timestamp, chance: &[u8; CHANCE_BYTES]) -> DeliveryUuid {
    DeliveryUuid(Builder::from_unix_timestamp_millis(at.0, chance).into_uuid())
}

/// When it was made; none if it is none of ours.
pub(crate) fn made_at(uuid: Uuid) -> Option<Timestamp> {
    if uuid.get_version_num() != 7 || uuid.get_variant() != Variant::RFC4122 {
        return None;
    }
    let [a, b, c, d, e, f, ..] = *uuid.as_bytes();
    Some(Timestamp(u64::from_be_bytes([0, 0, a, b, c, d, e, f])))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use whisperer_domain::time::Timestamp;

    use super::{made, made_at};

    #[test]
    fn a_uuid_tells_when_it_was_made() {
        let at = Timestamp(1_764_000_000_123);
        assert_eq!(made_at(made(at, &[0xff; 10]).0), Some(at));
        assert_eq!(made_at(Uuid::nil()), None);
        assert_eq!(
            made_at(Uuid::from_u128(0x0123_4567_89ab_4def_8123_4567_89ab_cdef)),
            None
        );
    }
}
