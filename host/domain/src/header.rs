//! What may be said in a request's headers by a hook or a plugin, and what only we may say.

use serde::{Deserialize, Serialize};

/// One change that a plugin makes to the headers of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeaderOp {
    Set { name: String, value: String },
    Append { name: String, value: String },
    Remove { name: String },
}
