//! From a file's bytes to a generation that may run, everything tried off to the side.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use tokio::sync::{Mutex, oneshot};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};
use whisperer_domain::event_type::EventPattern;
use whisperer_domain::id::Digest;
use whisperer_domain::json_schema::{JsonSchema, Misfit};
use whisperer_domain::plugin::PluginFailure;
use whisperer_domain::secret::Secret;

use crate::bindings::PluginPre;
use crate::bindings::describer::DescriberPre;
use crate::bindings::describer::exports::whisperer::plugin::describe::Description;
use crate::call::introduce;
use crate::compiler::{Compiled, Compiler};
use crate::engine::Ticker;
use crate::fit::Fit;
use crate::folder::Unit;
use crate::guest::Guest;
use crate::inspect::{check_preamble, effort, shape};
use crate::limits::Limits;
use crate::registry::Generation;
use crate::sidecar::Sidecar;
use crate::status::About;

const PATTERNS_MAX: usize = 64;
/// The lowest priority there is.
#[cfg(target_os = "linux")]
const COMPILER_NICENESS: i32 = 19;

/// Compiled and linked, for as many instances as there are calls.
pub(crate) struct Code {
    pub(crate) pre: PluginPre<Guest>,
    pub(crate) describer: Option<DescriberPre<Guest>>,
    pub(crate) imports: Vec<String>,
    pub(crate) ticker: Ticker,
}

/// Why there is no new generation.
#[derive(Debug)]
pub(crate) enum NotLoaded {
    /// The file is to blame: only another one can help.
    Refused(String),
    /// The machine is: the same file may do later.
    Later(String),
}

pub(crate) struct Loader {
    engine: Engine,
    ticker: Ticker,
    linker: Arc<Linker<Guest>>,
    limits: Limits,
    /// And the cache that it compiles into. None: it is done in this process.
    compiler: Option<(Compiler, PathBuf)>,
    /// One at a time: compiling must not take the cores that deliveries run on.
    compiling: Mutex<()>,
}

impl Loader {
    pub(crate) fn new(
        engine: Engine,
        ticker: Ticker,
        linker: Linker<Guest>,
        limits: Limits,
        compiler: Option<(Compiler, PathBuf)>,
    ) -> Self {
        Self {
            engine,
            ticker,
            linker: Arc::new(linker),
            limits,
            compiler,
            compiling: Mutex::new(()),
        }
    }

    /// `running` is what runs under this name now: its code is used again if only the settings
    /// beside it changed.
    ///
    /// # Errors
    /// Why this unit cannot run.
    ///
    /// # Cancel safety
    /// Dropping the future ends a compiling process, and lets a compiling thread finish for
    /// nothing.
    pub(crate) async fn load(
        &self,
        unit: Unit,
        running: Option<&Generation>,
    ) -> Result<Generation, NotLoaded> {
        let beside = |why| NotLoaded::Refused(format!("the TOML file beside it: {why}"));
        let settings = unit.sidecar.transpose().map_err(beside)?;
        let sidecar = match &settings {
            None => Sidecar::default(),
            Some(text) => Sidecar::parse(&text.expose()).map_err(beside)?,
        };
        let limits = sidecar.limits(self.limits);
        let bytes = unit.component.map_err(NotLoaded::Refused)?;
        let digest = unit.digest.unwrap_or(Digest([0; 32]));
        let code = match running {
            Some(running) if running.digest == digest => Arc::clone(&running.code),
            Some(_) | None => Arc::new(self.compile(bytes, limits).await?),
        };
        let introduced = introduce(&code, &limits).await.map_err(|trouble| {
            let reason = format!(
                "tried out, it failed ({}): {}",
                trouble.kind.word(),
                trouble.message
            );
            if trouble.kind == PluginFailure::Busy {
                NotLoaded::Later(reason)
            } else {
                NotLoaded::Refused(reason)
            }
        })?;
        let (about, declared) = told(introduced).map_err(NotLoaded::Refused)?;
        let fit = Fit::to(schema(&about).map_err(NotLoaded::Refused)?);
        if let Some(config) = &sidecar.config {
            let misfits = fit.misfits(config);
            if !misfits.is_empty() {
                return Err(beside(format!("config: {}", listed(&misfits))));
            }
        }
        Ok(Generation {
            number: running.map_or(0, |running| running.number) + 1,
            digest,
            code,
            about,
            enabled: !sidecar.disabled,
            patterns: sidecar.events.unwrap_or(declared),
            config: sidecar
                .config
                .unwrap_or_else(|| Secret::new("{}".to_owned())),
            fit,
            settings,
            limits,
        })
    }

    async fn compile(&self, bytes: Vec<u8>, limits: Limits) -> Result<Code, NotLoaded> {
        check_preamble(&bytes).map_err(NotLoaded::Refused)?;
        let _alone = self.compiling.lock().await;
        let compiled = match &self.compiler {
            Some((compiler, cache)) => compiler.compile(&bytes, cache).await?,
            None => Compiled::Not,
        };
        self.make(bytes, compiled, limits).await
    }

    /// On a thread of its own and not on the runtime's: a process that is told to end would wait
    /// for those, and without a compiler a large component takes seconds.
    async fn make(
        &self,
        bytes: Vec<u8>,
        compiled: Compiled,
        limits: Limits,
    ) -> Result<Code, NotLoaded> {
        let (answer, made) = oneshot::channel();
        let (engine, ticker) = (self.engine.clone(), self.ticker.clone());
        let linker = Arc::clone(&self.linker);
        let work = move || {
            step_back();
            // Nobody waits any more: the sandbox is ending.
            let _ = answer.send(match compiled {
                Compiled::Elsewhere => link(&engine, &ticker, &linker, &bytes, &limits),
                Compiled::Not => compile(&engine, &ticker, &linker, &bytes, &limits),
            });
        };
        thread::Builder::new()
            .name("plugin-compiler".to_owned())
            .spawn(work)
            .map_err(|why| NotLoaded::Later(format!("no thread to compile it on: {why}")))?;
        match made.await {
            Ok(code) => code.map_err(NotLoaded::Refused),
            Err(_) => Err(NotLoaded::Refused("the compiler crashed on it".to_owned())),
        }
    }
}

/// A large component compiles for many seconds: what runs deliveries goes before it.
fn step_back() {
    // Of this thread alone: Linux knows the niceness of threads.
    #[cfg(target_os = "linux")]
    if let Err(why) = rustix::process::setpriority_process(None, COMPILER_NICENESS) {
        tracing::debug!(reason = %why, "plugins are compiled at full priority");
    }
}

/// What nobody looked at yet.
pub(crate) fn compile(
    engine: &Engine,
    ticker: &Ticker,
    linker: &Linker<Guest>,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Code, String> {
    effort::check(bytes)?;
    link(engine, ticker, linker, bytes, limits)
}

fn link(
    engine: &Engine,
    ticker: &Ticker,
    linker: &Linker<Guest>,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Code, String> {
    let component = Component::from_binary(engine, bytes)
        .map_err(|why| format!("it cannot be compiled (cut off?): {why:#}"))?;
    let shape = shape(engine, &component, limits)?;
    let pre = linker.instantiate_pre(&component).map_err(|why| {
        format!("it wants something of WASI that is not in the 0.2 that plugins get: {why:#}")
    })?;
    let unfit = |why: wasmtime::Error| format!("it does not fit the contract: {why:#}");
    let describer = if shape.describes {
        Some(DescriberPre::new(pre.clone()).map_err(unfit)?)
    } else {
        None
    };
    Ok(Code {
        pre: PluginPre::new(pre).map_err(unfit)?,
        describer,
        imports: shape.imports,
        ticker: ticker.clone(),
    })
}

fn schema(about: &About) -> Result<Option<JsonSchema>, String> {
    let parsed = about.config_schema.as_deref().map(JsonSchema::parse);
    parsed
        .transpose()
        .map_err(|why| format!("the schema it gives for its configuration: {why}"))
}

/// In one line.
pub(crate) fn listed(misfits: &[Misfit]) -> String {
    let all: Vec<String> = misfits.iter().map(ToString::to_string).collect();
    all.join("; ")
}

fn told(description: Option<Description>) -> Result<(About, Vec<EventPattern>), String> {
    let Some(description) = description else {
        return Ok((About::default(), Vec::new()));
    };
    if description.events.len() > PATTERNS_MAX {
        return Err(format!(
            "it declares more than {PATTERNS_MAX} event patterns"
        ));
    }
    let patterns: Result<Vec<_>, _> = description
        .events
        .iter()
        .map(|text| EventPattern::parse(text))
        .collect();
    let about = About {
        version: description.version,
        summary: description.summary,
        config_schema: description.config_schema,
        config_example: description.config_example,
    };
    Ok((
        about,
        patterns.map_err(|why| format!("it declares an event pattern: {why}"))?,
    ))
}
