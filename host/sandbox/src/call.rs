//! One call: a fresh instance, an answer or a named failure, and nothing left of it.

use std::future::Future;

use wasmtime::Store;
use whisperer_domain::plugin::PluginFailure;

use crate::bindings::describer::exports::whisperer::plugin::describe::Description;
use crate::bindings::whisperer::plugin::types;
use crate::failure::{Trouble, classify, too_large};
use crate::guest::{Guest, Origin, Usage};
use crate::guest_log::GuestLog;
use crate::limits::Limits;
use crate::load::Code;

pub(crate) struct Input<'a> {
    pub(crate) origin: Origin<'a>,
    pub(crate) event: types::Event,
    pub(crate) target: &'a types::Target,
    pub(crate) config: &'a str,
}

pub(crate) struct Answer {
    pub(crate) result: Result<types::Outcome, Trouble>,
    pub(crate) log: Vec<String>,
    pub(crate) usage: Usage,
}

/// # Cancel safety
/// Dropping the future drops the store and with it all of the call.
pub(crate) async fn transform(code: &Code, limits: &Limits, input: Input<'_>) -> Answer {
    let log = GuestLog::new(limits.log_bytes_max);
    let mut store = Guest::store(code.pre.engine(), limits, &input.origin, log.clone());
    let called = call_transform(code, &mut store, &input);
    let result = match bounded(limits, &log, called).await {
        Ok(Ok(outcome)) => sized(outcome, limits),
        Ok(Err(types::Failure::Retry(reason))) => Err(Trouble::said(
            PluginFailure::Retry,
            &reason.code,
            &reason.message,
        )),
        Ok(Err(types::Failure::Reject(reason))) => Err(Trouble::said(
            PluginFailure::Reject,
            &reason.code,
            &reason.message,
        )),
        Err(trouble) => Err(trouble),
    };
    Answer {
        result,
        log: log.lines(),
        usage: Guest::usage(&store),
    }
}

async fn call_transform(
    code: &Code,
    store: &mut Store<Guest>,
    input: &Input<'_>,
) -> wasmtime::Result<Result<types::Outcome, types::Failure>> {
    let plugin = code.pre.instantiate_async(&mut *store).await?;
    plugin
        .whisperer_plugin_transform()
        .call_transform(store, &input.event, input.target, input.config)
        .await
}

/// An instance made once to see that it can be, and what it says of itself, if anything.
///
/// # Errors
/// How it failed, as a call would.
pub(crate) async fn introduce(
    code: &Code,
    limits: &Limits,
) -> Result<Option<Description>, Trouble> {
    let log = GuestLog::new(limits.log_bytes_max);
    let origin = Origin {
        event_id: "",
        occurred_at: whisperer_domain::time::Timestamp(0),
    };
    let mut store = Guest::store(code.pre.engine(), limits, &origin, log.clone());
    let introduced = async {
        code.pre.instantiate_async(&mut store).await?;
        let Some(describer) = &code.describer else {
            return Ok(None);
        };
        let mut store = Guest::store(code.pre.engine(), limits, &origin, log.clone());
        let described = describer.instantiate_async(&mut store).await?;
        let description = described
            .whisperer_plugin_describe()
            .call_describe(&mut store)
            .await?;
        Ok(Some(description))
    };
    bounded(limits, &log, introduced).await
}

/// The outer deadline, for a machine that does not give the guest its time. Boxed, because a
/// call's state is large and lives in every delivery's future.
async fn bounded<T>(
    limits: &Limits,
    log: &GuestLog,
    call: impl Future<Output = wasmtime::Result<T>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limits.wall(), Box::pin(call)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(classify(&error, limits, log)),
        Err(_) => {
            let message = format!(
                "it did not get its {} ms within {} ms",
                limits.own_time.as_millis(),
                limits.wall().as_millis()
            );
            Err(Trouble::new(PluginFailure::Busy, message))
        }
    }
}

/// Headers and reasons have room of their own beside the payload, so its bound is checked again.
fn sized(outcome: types::Outcome, limits: &Limits) -> Result<types::Outcome, Trouble> {
    match &outcome {
        types::Outcome::Modified(types::Patch {
            payload: Some(payload),
            ..
        }) if payload.len() > limits.output_bytes_max => Err(too_large(limits)),
        types::Outcome::Modified(_) | types::Outcome::Unchanged | types::Outcome::Discard(_) => {
            Ok(outcome)
        }
    }
}
