//! Waiting for what a delivery that was made due comes to. Nothing is polled: the store wakes the
//! request when the delivery is written, and the request reads it.

use std::time::Duration;

use whisperer_domain::attempt::Attempt;
use whisperer_domain::delivery::DeliveryState;
use whisperer_domain::hook::Hook;
use whisperer_domain::id::Sequence;
use whisperer_domain::port::{Attempted, BoxFuture, Scope};

use super::view;
use crate::api::Api;
use crate::api::problem::Problem;

/// Beside the exchange itself: the plugins' time, a place among the attempts, two commits.
const SLACK: Duration = Duration::from_secs(10);

/// A watch that began before the delivery was made due, so that nothing is missed.
pub(in crate::api) struct Watched<'a> {
    api: &'a Api,
    delivery: Sequence,
    scope: Scope,
    watch: BoxFuture<'static, ()>,
}

pub(in crate::api) struct Awaited {
    pub(in crate::api) found: Attempted,
    /// The attempt that was waited for; none if there was none, or it is still to come.
    pub(in crate::api) attempt: Option<Attempt>,
}

impl<'a> Watched<'a> {
    /// # Errors
    /// 503: as many wait already as may.
    pub(in crate::api) fn begin(
        api: &'a Api,
        delivery: Sequence,
        scope: Scope,
    ) -> Result<Self, Problem> {
        Ok(Self {
            api,
            delivery,
            scope,
            watch: watch(api, delivery)?,
        })
    }

    /// Waits until an attempt after the first `attempts_before` ones is settled, the delivery
    /// ended without one, or it is deferred; no longer than the hook's attempt can take, and not
    /// while the server stops.
    pub(in crate::api) async fn until_tried(
        mut self,
        attempts_before: u32,
        hook: &Hook,
    ) -> Result<Awaited, Problem> {
        let mut bound = self.api.clock.sleep(hook.timeout.saturating_add(SLACK));
        loop {
            let found = self.api.ledger.find(self.delivery, self.scope.clone());
            let found = found.await?.ok_or_else(Problem::not_found)?;
            let attempt = found.attempts.iter().find(|it| it.number > attempts_before);
            let is_over = match found.state() {
                DeliveryState::Pending { waiting_for, .. } => waiting_for.is_some(),
                DeliveryState::Delivered
                | DeliveryState::Discarded { .. }
                | DeliveryState::Dead(_)
                | DeliveryState::Cancelled(_) => true,
            };
            if attempt.is_some() || is_over {
                let attempt = attempt.cloned();
                return Ok(Awaited { found, attempt });
            }
            tokio::select! {
                () = &mut self.watch => self.watch = watch(self.api, self.delivery)?,
                () = &mut bound => return Ok(Awaited { found, attempt: None }),
                () = self.api.readiness.until_draining() => {
                    return Ok(Awaited { found, attempt: None });
                }
            }
        }
    }
}

impl Awaited {
    /// Why it is not delivered: by the attempt, or by what keeps or kept it from being made.
    pub(in crate::api) fn error(&self) -> Option<String> {
        if let Some(attempt) = &self.attempt {
            return view::error(&attempt.outcome);
        }
        match self.found.state() {
            DeliveryState::Pending { waiting_for, .. } => {
                let waiting = waiting_for.as_ref().map(view::waiting);
                waiting.map(|what| format!("it waits for {what}"))
            }
            state @ (DeliveryState::Delivered
            | DeliveryState::Discarded { .. }
            | DeliveryState::Dead(_)
            | DeliveryState::Cancelled(_)) => view::reason(state),
        }
    }
}

fn watch(api: &Api, delivery: Sequence) -> Result<BoxFuture<'static, ()>, Problem> {
    let watch = api.ledger.watch(delivery);
    watch.ok_or_else(|| {
        Problem::unavailable(
            1,
            "Too many requests wait for an attempt already: come again.",
        )
    })
}
