//! What a directive makes of a delivery: pure, so that every store decides alike.

use std::sync::Arc;

use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::delivery::{CancelCause, Delivery, DeliveryState, Revival, StateKind};
use whisperer_domain::hook::Hook;
use whisperer_domain::id::HookId;
use whisperer_domain::port::{DirectError, Scope, Selection};
use whisperer_domain::time::Timestamp;

/// A selection with what is to become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bulk {
    pub(crate) selection: Selection,
    pub(crate) scope: Scope,
    pub(crate) aim: Aim,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    Requeue(StateKind),
    Cancel,
}

impl Bulk {
    /// Whether it means this delivery as it stands now.
    pub(crate) fn means(&self, delivery: &Delivery, catalog: &CatalogSnapshot) -> bool {
        let wanted = match self.aim {
            Aim::Requeue(kind) => kind,
            Aim::Cancel => StateKind::Pending,
        };
        delivery.state.kind() == wanted
            && self.selection.admits(delivery)
            && catalog
                .hooks
                .get(&delivery.hook)
                .is_some_and(|hook| is_within(&self.scope, hook))
    }

    /// Does it. To be asked only about what it means.
    pub(crate) fn carry_out(&self, delivery: &mut Delivery, now: Timestamp) {
        match self.aim {
            Aim::Requeue(_) => make_due(delivery, now),
            Aim::Cancel => {
                delivery.state = DeliveryState::Cancelled(CancelCause::ByHand);
                delivery.modified_at = now.max(delivery.created_at);
            }
        }
    }
}

/// Whether a single delivery may be tried again now.
pub(crate) fn may_retry(
    delivery: &Delivery,
    force: bool,
    hook: Option<&Arc<Hook>>,
    scope: &Scope,
) -> Result<(), DirectError> {
    let Some(hook) = hook else {
        // Whose it was is the API's to look up: here only the truth must not be told to others.
        return Err(match scope {
            Scope::All => DirectError::HookGone,
            Scope::Of(_) => DirectError::NotFound,
        });
    };
    if !is_within(scope, hook) {
        return Err(DirectError::NotFound);
    }
    match delivery.state.kind() {
        StateKind::Delivered if !force => return Err(DirectError::Delivered),
        StateKind::Pending if !force => return Err(DirectError::Pending),
        StateKind::Delivered
        | StateKind::Pending
        | StateKind::Discarded
        | StateKind::Dead
        | StateKind::Cancelled => {}
    }
    if hook.delivers() {
        Ok(())
    } else {
        Err(DirectError::HookHeld)
    }
}

/// Makes it pending and due. What had ended begins its schedule and its age anew.
pub(crate) fn make_due(delivery: &mut Delivery, now: Timestamp) {
    if delivery.state.due().is_none() {
        delivery.revival = Some(Revival {
            at: now,
            attempts: delivery.attempts,
        });
    }
    delivery.state = DeliveryState::Pending {
        due: now,
        waiting_for: None,
    };
    delivery.modified_at = now.max(delivery.created_at);
}

/// Whether new deliveries may be made for these hooks.
pub(crate) fn all_accept(recipients: &[HookId], catalog: &CatalogSnapshot) -> bool {
    recipients.iter().all(|id| {
        let hook = catalog.hooks.get(id);
        hook.is_some_and(|hook| hook.accepts())
    })
}

fn is_within(scope: &Scope, hook: &Hook) -> bool {
    match scope {
        Scope::All => true,
        Scope::Of(owner) => hook.owner == *owner,
    }
}
