//! The bytes of what hooks did not have at first.

use super::{Appended, OrderedRecord, Pacing};
use crate::redb_store::frame;

#[test]
fn what_was_appended_keeps_its_bytes() {
    let filter = || Appended {
        filter: Some("{}".to_owned()),
    };
    let pacing = |ordered| Pacing {
        rate_limit: Some(300),
        ordered,
    };
    assert_eq!(frame::appended(&filter()), b"\x01\x02{}");
    for (ordered, word) in [
        (OrderedRecord::No, 0),
        (OrderedRecord::Hook, 1),
        (OrderedRecord::Object, 2),
    ] {
        let bytes = frame::appended(&(Appended::default(), pacing(ordered)));
        assert_eq!(bytes, [0, 1, 0xac, 2, word]);
    }
    let (first, rest) = frame::take_appended::<Appended>("t", &1, b"\x01\x02{}").unwrap();
    assert!(first == filter(), "from before there was a pace");
    let later: Pacing = frame::read_appended("t", &1, rest).unwrap();
    assert!(later == Pacing::default());
}
