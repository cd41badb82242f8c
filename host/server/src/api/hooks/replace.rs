//! Replacing a hook that others may change meanwhile: the newest is read, the new one made of it,
//! and if somebody was faster it is made again, a bounded number of times.

use std::sync::Arc;

use http::HeaderMap;
use whisperer_domain::catalog::{CatalogChange, CatalogSnapshot, Changed};
use whisperer_domain::hook::Hook;
use whisperer_domain::id::HookId;
use whisperer_domain::port::CatalogError;

use super::{HookView, STALE_ROUNDS_MAX, check_if_match, visible};
use crate::api::Api;
use crate::api::auth::Principal;
use crate::api::problem::Problem;

/// Who wants which hook to be another.
pub(super) struct Replacement<'a> {
    pub(super) api: &'a Api,
    pub(super) who: &'a Principal,
    pub(super) id: HookId,
    /// Of the request: `If-Match` in them holds.
    pub(super) headers: &'a HeaderMap,
    /// As the audit names it.
    pub(super) word: &'static str,
}

impl Replacement<'_> {
    /// `make` answers the new hook; none: it is as it is wanted already, and nothing is written.
    ///
    /// # Errors
    /// What `make` says, or why the store did not take it.
    pub(super) async fn by(
        self,
        make: impl Fn(&Hook, &CatalogSnapshot) -> Result<Option<Hook>, Problem>,
    ) -> Result<Option<Arc<Hook>>, Problem> {
        let Self { api, who, id, .. } = self;
        for _ in 0..STALE_ROUNDS_MAX {
            let snapshot = api.catalog.snapshot();
            let old = visible(&snapshot, who, id)?;
            check_if_match(self.headers, old)?;
            let Some(new) = make(old, &snapshot)? else {
                return Ok(None);
            };
            let now = api.clock.now();
            let note = who.note(
                self.word,
                Some(&HookView::remembered(old, &snapshot, now)),
                Some(&HookView::remembered(&new, &snapshot, now)),
            );
            let change = CatalogChange::ReplaceHook(Box::new(new));
            match api.catalog.change_noted(change, note).await {
                Ok(Changed::Hook(hook)) => return Ok(Some(hook)),
                Ok(Changed::Done) => {
                    return Err(Problem::internal(
                        &"the store changed a hook and showed none",
                    ));
                }
                Err(CatalogError::Stale) => {}
                Err(
                    error @ (CatalogError::Duplicate
                    | CatalogError::NotFound
                    | CatalogError::TooManyPending { .. }
                    | CatalogError::Down(_)),
                ) => return Err(error.into()),
            }
        }
        Err(CatalogError::Stale.into())
    }
}
