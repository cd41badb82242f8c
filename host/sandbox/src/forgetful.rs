//! A catalog that forgets: for a sandbox that is tried out by itself, whose plugins are nobody's to
//! remember.

use std::sync::Arc;

use whisperer_domain::catalog::{CatalogChange, CatalogSnapshot, Changed};
use whisperer_domain::port::{BoxFuture, Catalog, CatalogError};

pub struct ForgetfulCatalog;

impl Catalog for ForgetfulCatalog {
    fn snapshot(&self) -> Arc<CatalogSnapshot> {
        Arc::default()
    }

    fn change(&self, _: CatalogChange) -> BoxFuture<'_, Result<Changed, CatalogError>> {
        Box::pin(async { Ok(Changed::Done) })
    }
}
