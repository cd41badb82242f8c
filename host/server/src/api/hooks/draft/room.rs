//! How much the hooks of an owner may hold: the catalog is in memory whole, and its owners
//! decide what is in it.

use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::hook::{Hook, PluginChoice};

/// A hundred thousand hooks of ordinary size; hooks of the longest kind, more than a hundred.
const OWNER_BYTES_MAX: usize = 32 << 20;

/// Whether `hook` still fits beside the others of its owner, in place of its own earlier form.
pub(super) fn check(hook: &Hook, snapshot: &CatalogSnapshot) -> Result<(), String> {
    let others = snapshot
        .hooks
        .values()
        .filter(|other| other.owner == hook.owner && other.id != hook.id);
    let held = bytes_of(hook) + others.map(|other| bytes_of(other)).sum::<usize>();
    if held <= OWNER_BYTES_MAX {
        return Ok(());
    }
    Err(format!(
        "The hooks of one owner may hold {} MiB together, and with this one they would hold more.",
        OWNER_BYTES_MAX >> 20
    ))
}

/// The texts whose length is the owner's choice.
fn bytes_of(hook: &Hook) -> usize {
    let headers = hook.additional_headers.iter().flatten();
    let headers = headers.map(|(name, value)| name.len() + value.expose().len());
    let plugins = match &hook.plugins {
        PluginChoice::ByPattern => &[][..],
        PluginChoice::Chain(links) => links,
    };
    let plugins = plugins.iter().map(|link| link.config.expose().len());
    hook.config.len()
        + hook.filter.as_ref().map_or(0, |filter| filter.text().len())
        + hook.target.as_str().len()
        + hook.secret_key.as_ref().map_or(0, |key| key.expose().len())
        + headers.sum::<usize>()
        + plugins.sum::<usize>()
}
