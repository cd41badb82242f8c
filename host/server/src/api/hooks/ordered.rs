//! `ordered`: false, true, or `"object"`.

use serde_json::Value;
use whisperer_domain::hook::Ordered;

use super::schema;
use crate::api::field_errors::Checked;
use crate::api::value;

const OBJECT: &str = "object";

pub(super) fn read(given: &Value) -> Checked<Ordered> {
    if given == OBJECT {
        return Ok(Ordered::Object);
    }
    match value::boolean(given) {
        Ok(true) => Ok(Ordered::Hook),
        Ok(false) => Ok(Ordered::No),
        Err(_) => Err(
            "Must be false, true (each delivery waits for all before it) or \"object\" \
             (for those before it with the same object_id)."
                .into(),
        ),
    }
}

pub(super) fn show(ordered: Ordered) -> schema::Ordered {
    match ordered {
        Ordered::No => schema::Ordered::Whole(false),
        Ordered::Hook => schema::Ordered::Whole(true),
        Ordered::Object => schema::Ordered::By(schema::OrderedBy::Object),
    }
}
