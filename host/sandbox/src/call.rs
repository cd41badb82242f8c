//! One call: a fresh instance, an answer or a named failure, and nothing left of it.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
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

impl Code {
    /// For one instance of it.
    fn store(&self, limits: &Limits, origin: &Origin<'_>, log: &GuestLog) -> Store<Guest> {
        let running = self.ticker.run();
        Guest::store(self.pre.engine(), running, limits, origin, log.clone())
    }
}

/// # Cancel safety
/// Dropping the future drops the store and with it all of the call.
pub(crate) async fn transform(code: &Code, limits: &Limits, input: Input<'_>) -> Answer {
    let log = GuestLog::new(limits.log_bytes_max);
    let mut store = code.store(limits, &input.origin, &log);
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
    let mut store = code.store(limits, &origin, &log);
    let introduced = async {
        code.pre.instantiate_async(&mut store).await?;
        let Some(describer) = &code.describer else {
            return Ok(None);
        };
        let mut store = code.store(limits, &origin, &log);
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
///
/// A fault of the host's own ends the call alone, not the task that made it: nothing of the call
/// is used after it, so nothing can be seen half done.
async fn bounded<T>(
    limits: &Limits,
    log: &GuestLog,
    call: impl Future<Output = wasmtime::Result<T>>,
) -> Result<T, Trouble> {
    let call = AssertUnwindSafe(Box::pin(call)).catch_unwind();
    match tokio::time::timeout(limits.wall(), call).await {
        Ok(Ok(Ok(answer))) => Ok(answer),
        Ok(Ok(Err(error))) => Err(classify(&error, limits, log)),
        Ok(Err(panic)) => Err(crashed(&*panic)),
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

/// The words go to the operator: to whoever owns the hook they tell nothing.
fn crashed(panic: &(dyn Any + Send)) -> Trouble {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(
        panic = words.unwrap_or("without words"),
        "the host crashed in a plugin's call: this is a bug of the server"
    );
    Trouble::new(PluginFailure::Failed, "the server failed while it ran it")
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

#[cfg(test)]
mod ticks;

#[cfg(test)]
mod tests {
    use wasmtime::Engine;
    use wasmtime::component::Linker;
    use whisperer_domain::plugin::PluginFailure;
    use whisperer_domain::time::Timestamp;

    use super::{Answer, Input, transform, types};
    use crate::bindings::whisperer::plugin::log::Level;
    use crate::config::SandboxConfig;
    use crate::engine::Ticker;
    use crate::guest::{Guest, Origin};
    use crate::limits::Limits;
    use crate::linker::linker;
    use crate::load::compile;
    use crate::wat::wat;
    use crate::{engine, limits};

    const CALLS_MAX: usize = 2;

    pub(super) async fn call(
        engine: &Engine,
        ticker: &Ticker,
        linker: &Linker<Guest>,
        name: &str,
    ) -> Answer {
        let limits = Limits::default();
        let code = compile(engine, ticker, linker, &wat(name), &limits)
            .ok()
            .unwrap();
        let text = |text: &str| text.to_owned();
        let target = types::Target {
            hook_id: text("1"),
            origin: text("https://example.com"),
            attributes: Vec::new(),
        };
        let event = types::Event {
            id: text("evt-1"),
            event_type: text("package.created"),
            occurred_at_ms: 0,
            content_type: text("application/json"),
            payload: b"{}".to_vec(),
            headers: Vec::new(),
            attributes: Vec::new(),
        };
        let input = Input {
            origin: Origin {
                event_id: "evt-1",
                occurred_at: Timestamp(0),
            },
            event,
            target: &target,
            config: "{}",
        };
        transform(&code, &limits, input).await
    }

    /// The log of the host is replaced by one that panics when it is called. More often than
    /// the pool has places: none of them may be lost.
    #[tokio::test]
    async fn a_host_function_that_panics_ends_its_call_alone() {
        let config = SandboxConfig {
            calls_max: CALLS_MAX,
            ..SandboxConfig::new("unused")
        };
        let engine = engine::build(&config).unwrap();
        let ticker = Ticker::start(&engine).unwrap();
        let sound = linker(&engine).unwrap();
        let mut broken = linker(&engine).unwrap();
        broken.allow_shadowing(true);
        let mut log = broken.instance("whisperer:plugin/log@1.0.0").unwrap();
        log.func_wrap("write", |_, _: (Level, String)| -> wasmtime::Result<()> {
            panic!("a bug of the host's")
        })
        .unwrap();
        for _ in 0..limits::CORE_INSTANCES_MAX {
            let answer = call(&engine, &ticker, &broken, "log-flood").await;
            let trouble = answer.result.unwrap_err();
            assert_eq!(trouble.kind, PluginFailure::Failed, "{}", trouble.message);
            let answer = call(&engine, &ticker, &sound, "good").await;
            assert!(matches!(answer.result, Ok(types::Outcome::Unchanged)));
        }
    }
}
