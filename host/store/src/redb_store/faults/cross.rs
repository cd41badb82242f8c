//! Whether what is left of a store is whole: what `whisperer check` asks, of every record and every
//! reference.

use std::sync::Arc;

use whisperer_domain::port::{Finding, Onward};

use crate::redb_store::{RedbStore, check as checking};

const FINDINGS_MAX: usize = 10;

/// # Errors
/// What does not fit together.
pub(super) fn check(store: &RedbStore) -> Result<(), String> {
    let txn = store.shared.begin_read();
    let txn = txn.map_err(|fault| fault.to_string())?;
    let seal = store.shared.seal.load();
    let onward: Onward = Arc::new(|_progress| true);
    let checked = checking::run(&txn, Some(&seal), FINDINGS_MAX, &onward);
    let checked = checked.map_err(|error| error.to_string())?;
    if checked.found == 0 {
        return Ok(());
    }
    let findings: Vec<String> = checked.findings.iter().map(Finding::to_string).collect();
    Err(format!("the store is not whole: {}", findings.join("; ")))
}
