//! Points in time as the API writes and reads them: RFC 3339, UTC.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use whisperer_domain::time::Timestamp;

pub(super) fn write(at: Timestamp) -> String {
    at.rfc3339()
}

/// RFC 3339. None: it is something else, or before 1970.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok().map(Timestamp)
}

/// As [`read`], and as filters of the OMS were written: a date alone, a time without a zone
/// (UTC), a `+` of the offset that became a space in the query.
pub(super) fn read_leniently(text: &str) -> Option<Timestamp> {
    if let Some(at) = read(text) {
        return Some(at);
    }
    if let Ok(civil) = text.parse::<DateTime>() {
        let at = TimeZone::UTC.to_timestamp(civil).ok()?;
        return u64::try_from(at.as_millisecond()).ok().map(Timestamp);
    }
    let (moment, offset) = text.rsplit_once(' ')?;
    read(&format!("{moment}+{offset}"))
}

#[cfg(test)]
mod tests {
    use whisperer_domain::time::Timestamp;

    use super::{read, read_leniently, write};

    #[test]
    fn what_is_written_is_read_again() {
        let at = Timestamp(1_764_064_800_120);
        assert_eq!(write(at), "2025-11-25T10:00:00.120Z");
        assert_eq!(read(&write(at)), Some(at));
        assert!(write(Timestamp::MAX).starts_with("9999-12-"));
    }

    #[test]
    fn filters_are_read_leniently() {
        let ten = Some(Timestamp(1_764_064_800_000));
        for text in [
            "2025-11-25T10:00:00Z",
            "2025-11-25T12:00:00+02:00",
            "2025-11-25T12:00:00 02:00",
            "2025-11-25T10:00:00",
            "2025-11-25 10:00",
        ] {
            assert_eq!(read_leniently(text), ten, "{text}");
        }
        assert_eq!(
            read_leniently("2025-11-25"),
            Some(Timestamp(1_764_028_800_000))
        );
        for text in ["", "yesterday", "1969-12-31T23:59:59Z", "2025-13-01"] {
            assert_eq!(read_leniently(text), None, "{text}");
        }
    }
}
