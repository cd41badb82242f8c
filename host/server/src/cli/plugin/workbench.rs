//! One plugin in a sandbox of its own: a temporary folder with that file, watched and loaded as a
//! server does it, and a catalog that forgets.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use whisperer_domain::event::Event;
use whisperer_domain::hook::{ChainLink, PluginChoice};
use whisperer_domain::id::HookId;
use whisperer_domain::plugin::PluginName;
use whisperer_domain::port::{Transform as _, TransformJob};
use whisperer_domain::secret::Secret;
use whisperer_sandbox::{ForgetfulCatalog, PluginStatus, Sandbox, SandboxConfig, Trial};

pub(super) struct Workbench {
    runtime: Runtime,
    sandbox: Arc<Sandbox>,
    name: PluginName,
    _folder: TempDir,
    _stop: DropGuard,
}

/// A call on the workbench.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) event: Arc<Event>,
    /// JSON text.
    pub(super) config: String,
    pub(super) hook: HookId,
    pub(super) origin: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Counting {
    /// As a server runs it.
    Off,
    /// Slower code that counts its instructions.
    Instructions,
}

impl Workbench {
    /// # Errors
    /// No file, or no engine. That the file is refused is not an error here: see
    /// [`Workbench::loaded`].
    pub(super) fn with(file: &Path, counting: Counting) -> anyhow::Result<Self> {
        let name = name_of(file);
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let copied = folder.path().join(format!("{name}.wasm"));
        fs::copy(file, &copied).with_context(|| format!("cannot read {}", file.display()))?;
        let settings = file.with_extension("toml");
        if settings.is_file() {
            fs::copy(&settings, copied.with_extension("toml"))
                .with_context(|| format!("cannot read {}", settings.display()))?;
        }
        let config = SandboxConfig {
            cache: cache_folder(),
            count_instructions: counting == Counting::Instructions,
            ..SandboxConfig::new(folder.path())
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let stop = CancellationToken::new();
        let sandbox = {
            let _inside = runtime.enter();
            Sandbox::start(
                config,
                Arc::new(ForgetfulCatalog),
                &TaskTracker::new(),
                stop.clone(),
            )?
        };
        runtime.block_on(sandbox.reconciled());
        Ok(Self {
            runtime,
            sandbox,
            name,
            _folder: folder,
            _stop: stop.drop_guard(),
        })
    }

    /// # Errors
    /// The loader's reason, if it refused the file.
    pub(super) fn loaded(&self) -> anyhow::Result<PluginStatus> {
        let status = self
            .sandbox
            .plugin(&self.name)
            .context("the file went away while it was read")?;
        if let Some(refusal) = &status.refusal {
            bail!("a server would refuse it: {}", refusal.reason);
        }
        Ok(status)
    }

    pub(super) fn call(&self, call: &Call) -> Trial {
        self.runtime.block_on(self.sandbox.try_out(&self.job(call)))
    }

    /// How long the port takes for `calls` deliveries, one after another, each by itself; with
    /// `chain` false those of an empty chain.
    pub(super) fn times(&self, call: &Call, calls: usize, chain: bool) -> Vec<Duration> {
        let mut job = self.job(call);
        if !chain {
            job.choice = PluginChoice::Chain(Vec::new());
        }
        let mut times = Vec::with_capacity(calls);
        self.runtime.block_on(async {
            for _ in 0..calls {
                let job = TransformJob {
                    choice: job.choice.clone(),
                    event: Arc::clone(&job.event),
                    hook: job.hook,
                    origin: job.origin.clone(),
                };
                let start = std::time::Instant::now();
                let made = self.sandbox.run(job).await;
                times.push(start.elapsed());
                drop(made);
            }
        });
        times.sort_unstable();
        times
    }

    fn job(&self, call: &Call) -> TransformJob {
        TransformJob {
            choice: PluginChoice::Chain(vec![ChainLink::new(
                self.name.clone(),
                Secret::new(call.config.clone()),
            )]),
            event: Arc::clone(&call.event),
            hook: call.hook,
            origin: call.origin.clone(),
        }
    }
}

/// What the file would be called on a server; any file may be tried.
fn name_of(file: &Path) -> PluginName {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    stem.and_then(|stem| PluginName::parse(stem).ok())
        .unwrap_or_else(|| {
            // Within the rule for names.
            PluginName::parse("plugin").expect("plugin is a plugin name")
        })
}

/// Compiling JavaScript takes many seconds, so it is kept between commands; none without a home.
fn cache_folder() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|it| !it.is_empty());
    let base = set("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(".cache")))?;
    Some(base.join("whisperer").join("compiled"))
}
