//! What is posted, and what the receiver reads of it again: an order of about 1 KiB that carries
//! its number and the moment at which it was due to be posted.

use serde::Deserialize;

/// Fills an event up to about 1 KiB.
const PAD: &str = "An article of the shop, of which nobody reads the description. ";
const PADS: usize = 14;

#[derive(Clone, Copy, Deserialize)]
pub(crate) struct Stamp {
    /// By the schedule, not when it was posted in truth: so a stall of the generator counts.
    pub(crate) due_us: u64,
    pub(crate) number: u64,
}

/// The request that a receiver gets, as far as it is looked at.
#[derive(Deserialize)]
pub(crate) struct Envelope {
    pub(crate) payload: Stamp,
}

/// The body of a post. With an id it can be posted again and is still the same event.
pub(crate) fn body(event_type: &str, stamp: Stamp, id: Option<&str>) -> String {
    let Stamp { due_us, number } = stamp;
    let id = id.map(|id| format!(r#""id":"{id}","#)).unwrap_or_default();
    let pad = PAD.repeat(PADS);
    format!(
        r#"{{{id}"type":"{event_type}","payload":{{"due_us":{due_us},"number":{number},"pad":"{pad}"}}}}"#
    )
}
