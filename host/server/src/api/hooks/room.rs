//! How much the hooks of an owner may hold: the catalog is in memory whole, and its owners
//! decide what is in it.

use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::hook::Hook;

/// A hundred thousand hooks of ordinary size; hooks of the longest kind, more than a hundred.
const OWNER_BYTES_MAX: usize = 32 << 20;

/// Whether `hook` still fits beside the others of its owner, in place of its own earlier form.
pub(super) fn check(hook: &Hook, snapshot: &CatalogSnapshot) -> Result<(), String> {
    if snapshot.hooks.held_bytes_with(hook) <= OWNER_BYTES_MAX {
        return Ok(());
    }
    Err(format!(
        "The hooks of one owner may hold {} MiB together, and with this one they would hold more.",
        OWNER_BYTES_MAX >> 20
    ))
}
