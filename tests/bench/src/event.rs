//! What is posted: an order of about 1 KiB that carries its stamp.

use crate::stamp::Stamp;

/// Fills an event up to about 1 KiB.
const PAD: &str = "An article of the shop, of which nobody reads the description. ";
const PADS: usize = 14;

/// The body of a post. With an id it can be posted again and is still the same event.
pub(crate) fn body(event_type: &str, stamp: Stamp, id: Option<&str>) -> String {
    let Stamp { due_us, number } = stamp;
    let id = id.map(|id| format!(r#""id":"{id}","#)).unwrap_or_default();
    let pad = PAD.repeat(PADS);
    format!(
        r#"{{{id}"type":"{event_type}","payload":{{"due_us":{due_us},"number":{number},"pad":"{pad}"}}}}"#
    )
}
