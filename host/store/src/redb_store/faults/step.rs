//! What is asked of a store, whole: the same step can be asked of the store under test and of the
//! model, and comes to the same words.

use whisperer_domain::catalog::{CatalogChange, Changed, Revision};
use whisperer_domain::event::NewEvent;
use whisperer_domain::id::HookId;
use whisperer_domain::port::{
    AcceptError, AuditedCatalog, CatalogError, DirectError, Directive, Lanes, Ledger, Run, Scope,
    Settlement, StoreDown,
};

/// A store as posters, lanes and the API see it.
pub(super) trait Whole: Ledger + Lanes + AuditedCatalog {}

impl<T: Ledger + Lanes + AuditedCatalog> Whole for T {}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Post {
        event: Box<NewEvent>,
        recipients: Vec<HookId>,
        revision: Revision,
    },
    Settle(Vec<Settlement>),
    Change(CatalogChange),
    Direct(Directive),
}

/// What was answered: something of the matter, or that the store is down.
pub(super) type Answer = Result<String, StoreDown>;

pub(super) async fn ask(store: &dyn Whole, step: Step) -> Answer {
    match step {
        Step::Post {
            event,
            recipients,
            revision,
        } => match store.accept(*event, recipients, revision).await {
            Err(AcceptError::Down(down)) => Err(down),
            answer => Ok(format!("{answer:?}")),
        },
        Step::Settle(items) => match store.settle(items.into()).await {
            Err(down) => Err(down),
            Ok(settled) => Ok(format!("{settled:?}")),
        },
        Step::Change(change) => match store.change(change).await {
            Err(CatalogError::Down(down)) => Err(down),
            Err(refused) => Ok(format!("{refused:?}")),
            Ok(Changed::Hook(hook)) => Ok(format!("{hook:?}")),
            Ok(Changed::Done) => Ok("done".to_owned()),
        },
        Step::Direct(directive) => {
            match store.direct(directive, Scope::All, Run::Real(None)).await {
                Err(DirectError::Down(down)) => Err(down),
                answer => Ok(format!("{answer:?}")),
            }
        }
    }
}

impl Step {
    /// It is written by several transactions, or read for before it is queued: it goes alone.
    pub(super) fn is_alone(&self) -> bool {
        matches!(
            self,
            Self::Direct(Directive::Cancel(_) | Directive::Requeue { .. })
        )
    }
}
