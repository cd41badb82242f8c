//! A sandbox over a folder of its own, and calls through its port.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use whisperer_domain::event::Event;
use whisperer_domain::event_type::EventType;
use whisperer_domain::hook::{ChainLink, PluginChoice};
use whisperer_domain::id::{EventId, EventKey, HookId};
use whisperer_domain::plugin::PluginName;
use whisperer_domain::port::{Chained, Transform, TransformJob};
use whisperer_domain::secret::Secret;
use whisperer_domain::time::Timestamp;
use whisperer_sandbox::{ForgetfulCatalog, Sandbox, SandboxConfig};

pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) runtime: Runtime,
    _stop: DropGuard,
}

impl Bench {
    /// Waits until these files, under these names, are loaded.
    pub(crate) fn with(
        files: &[(&str, &Path)],
        cache: Option<&Path>,
    ) -> Result<Self, Box<dyn Error>> {
        let bench = Self::begin(files, cache)?;
        bench.runtime.block_on(bench.sandbox.reconciled());
        for status in bench.sandbox.plugins() {
            if let Some(refusal) = status.refusal {
                return Err(format!("{}: {}", status.name, refusal.reason).into());
            }
        }
        Ok(bench)
    }

    pub(crate) fn begin(
        files: &[(&str, &Path)],
        cache: Option<&Path>,
    ) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        for (name, file) in files {
            std::fs::copy(file, folder.path().join(format!("{name}.wasm")))?;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let stop = CancellationToken::new();
        let config = SandboxConfig {
            cache: cache.map(Into::into),
            ..SandboxConfig::new(folder.path())
        };
        let sandbox = {
            let _inside = runtime.enter();
            Sandbox::start(
                config,
                Arc::new(ForgetfulCatalog),
                &TaskTracker::new(),
                stop.clone(),
            )?
        };
        Ok(Self {
            folder,
            sandbox,
            runtime,
            _stop: stop.drop_guard(),
        })
    }

    /// The sorted times of `calls` calls; all must come to the same kind of result as `made` says.
    pub(crate) fn times(
        &self,
        choice: &PluginChoice,
        event: &Arc<Event>,
        calls: usize,
        made: bool,
    ) -> Result<Vec<Duration>, Box<dyn Error>> {
        self.runtime.block_on(async {
            let mut times = Vec::with_capacity(calls);
            for _ in 0..calls {
                let job = job(choice, event);
                let start = Instant::now();
                let transformed = self.sandbox.run(job).await;
                times.push(start.elapsed());
                match (&transformed.result, made) {
                    (Chained::Made(_), true) | (Chained::Unchanged, false) => {}
                    (other, _) => return Err(format!("{other:?}").into()),
                }
            }
            times.sort_unstable();
            Ok(times)
        })
    }
}

pub(crate) fn job(choice: &PluginChoice, event: &Arc<Event>) -> TransformJob {
    TransformJob {
        choice: choice.clone(),
        event: Arc::clone(event),
        hook: HookId(1),
        origin: "https://example.com".to_owned(),
    }
}

pub(crate) fn chain(links: &[(&str, &str)]) -> Result<PluginChoice, Box<dyn Error>> {
    let link = |(name, config): &(&str, &str)| {
        let config = Secret::new((*config).to_owned());
        Ok(ChainLink::new(PluginName::parse(name)?, config))
    };
    let links: Result<Vec<_>, Box<dyn Error>> = links.iter().map(link).collect();
    Ok(PluginChoice::Chain(links?))
}

/// An order of about so many bytes, with the two fields that are redacted near its start.
pub(crate) fn event(bytes: usize) -> Result<Arc<Event>, Box<dyn Error>> {
    let mut items = Vec::new();
    let mut length = 180;
    while length < bytes {
        let n = items.len();
        let item =
            format!(r#"{{"sku": "art-{n}", "price": {n}.50, "name": "An article of the shop"}}"#);
        length += item.len() + 2;
        items.push(item);
    }
    let payload = format!(
        r#"{{"number": "P-1", "customer": {{"name": "Ada", "email": "ada@example.com", "phone": "+44 1"}}, "items": [{}], "note": "leave it at the door"}}"#,
        items.join(", ")
    );
    Ok(Arc::new(Event {
        key: EventKey(1),
        id: EventId::parse("evt-1")?,
        event_type: EventType::parse("package.created")?,
        occurred_at: Timestamp(0),
        accepted_at: Timestamp(0),
        object_id: None,
        content_type: "application/json".to_owned(),
        cloud: None,
        payload: payload.into(),
    }))
}
