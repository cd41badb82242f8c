//! reqwest's resolver: it gets addresses that the policy has passed. Literals never come here.

use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::error::Barred;
use crate::progress::Progress;
use crate::resolve::Names;

pub(super) struct GuardedResolver(pub(super) Arc<Names>);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let names = Arc::clone(&self.0);
        Box::pin(async move {
            let progress = Progress::current().ok_or(Barred::Unaccounted)?;
            let permitted = names
                .permitted(name.as_str(), progress.port(), &progress)
                .await?;
            progress.reaches();
            let tried: Addrs = Box::new(permitted.into_iter());
            Ok(tried)
        })
    }
}
