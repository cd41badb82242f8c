//! The concrete parts: the only place where the crates of the floor below are named and put
//! into each other's ports.

use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whisperer_delivery::{Background, Delivery, DeliveryConfig, DeliveryHandle};
use whisperer_domain::address::AddressPolicy;
use whisperer_domain::health::Patience;
use whisperer_domain::hook::Ordered;
use whisperer_domain::port::{Catalog as _, Clock, Ledger as _, Retention, Upkeep as _};
use whisperer_egress::{Connections, Egress, EgressConfig, EgressProxy, ExtraRoots};
use whisperer_sandbox::{CompileBounds, Compiler, Sandbox, SandboxConfig};
use whisperer_store::{RedbStore, StoreConfig};

use crate::api::{Api, Limits, MetricsText, Ports};
use crate::cli::COMPILE_PLUGIN;
use crate::config::Config;
use crate::metrics::{self, Seen};
use crate::recorder;
use crate::{Readiness, SystemClock};

#[derive(Clone)]
pub(super) struct Parts {
    pub(super) store: Arc<RedbStore>,
    pub(super) sandbox: Arc<Sandbox>,
    egress: Arc<Egress>,
    background: Background,
    policy: Arc<AddressPolicy>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) readiness: Arc<Readiness>,
    recorder: PrometheusHandle,
    seed: u64,
}

impl Parts {
    /// # Errors
    /// The first part that cannot be had, and why.
    pub(super) fn open(
        config: &Config,
        own: SocketAddr,
        workers: &TaskTracker,
        stop: &CancellationToken,
        background: Handle,
    ) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        private_folder(&config.data)?;
        // Before anything that counts.
        let recorder = recorder::start();
        workers.spawn(
            stop.clone()
                .run_until_cancelled_owned(upkeep(recorder.clone())),
        );
        let store = RedbStore::open(store_config(config), Arc::clone(&clock))?;
        let sandbox = Sandbox::start(
            sandbox_config(config),
            Arc::clone(&store) as _,
            workers,
            stop.clone(),
        )?;
        let policy = Arc::new(AddressPolicy {
            allow_networks: config.allow_networks.clone(),
            own_listeners: vec![own],
            ..AddressPolicy::default()
        });
        let connections = Connections::new(config.attempts_max);
        let egress = || -> anyhow::Result<Egress> {
            let own = EgressConfig {
                connections: Arc::clone(&connections),
                ..EgressConfig::new(Arc::clone(&policy), Arc::clone(&clock))
            };
            Ok(Egress::new(egress_config(config, own)?)?)
        };
        let background = Background {
            runtime: background,
            transport: Arc::new(egress()?),
        };
        let egress = egress()?;
        let mut seed = [0_u8; 8];
        getrandom::fill(&mut seed).context("the system gives no random bytes")?;
        Ok(Self {
            store,
            sandbox,
            egress: Arc::new(egress),
            background,
            policy,
            clock,
            readiness: Arc::default(),
            recorder,
            seed: u64::from_ne_bytes(seed),
        })
    }

    /// Its metrics tell of delivering from when that has started.
    pub(super) fn api(
        &self,
        config: &Config,
        delivery: &Arc<OnceCell<DeliveryHandle>>,
    ) -> Arc<Api> {
        let ports = Ports {
            catalog: Arc::clone(&self.store) as _,
            ledger: Arc::clone(&self.store) as _,
            clock: Arc::clone(&self.clock),
            policy: Arc::clone(&self.policy),
            plugins: Arc::clone(&self.sandbox) as _,
            metrics: self.metrics_text(Arc::clone(delivery)),
            readiness: Arc::clone(&self.readiness),
        };
        let limits = Limits {
            event_body_bytes_max: config.event_body_bytes_max,
            body_memory_bytes_max: config.body_memory_bytes_max,
            body_timeout: Duration::from_secs(config.body_timeout_secs),
            token_rate: NonZeroU32::new(config.token_rate),
        };
        Api::new(ports, limits)
    }

    fn metrics_text(&self, delivery: Arc<OnceCell<DeliveryHandle>>) -> MetricsText {
        let (recorder, store) = (self.recorder.clone(), Arc::clone(&self.store));
        let clock = Arc::clone(&self.clock);
        Arc::new(move || {
            let mut text = recorder.render();
            metrics::write_stock(&mut text, &store.stock(), clock.now());
            if let Some(delivery) = delivery.get() {
                let catalog = store.snapshot();
                let hooks = catalog.hooks.values();
                let ordered = hooks.filter(|hook| hook.ordered != Ordered::No).count();
                let status = store.status();
                let seen = Seen {
                    stats: delivery.stats(),
                    hooks_ordered: ordered as u64,
                    space: status.space,
                    commits: status.commits,
                };
                metrics::write(&mut text, &seen);
            }
            text
        })
    }

    pub(super) fn delivery_config(&self, config: &Config) -> DeliveryConfig {
        let disabled_secs = config.failing_disabled_secs;
        DeliveryConfig {
            attempts_max: config.attempts_max,
            buffer_bytes: config.delivery_buffer_bytes,
            patience: Patience {
                told_after: Duration::from_secs(config.failing_told_secs),
                disabled_after: (disabled_secs > 0).then(|| Duration::from_secs(disabled_secs)),
            },
            ..DeliveryConfig::new(self.seed)
        }
    }

    pub(super) fn deliver(
        &self,
        config: DeliveryConfig,
        workers: TaskTracker,
        stop: CancellationToken,
        grace: Duration,
    ) -> DeliveryHandle {
        let ports = whisperer_delivery::Ports {
            ledger: Arc::clone(&self.store) as _,
            catalog: Arc::clone(&self.store) as _,
            transform: Arc::clone(&self.sandbox) as _,
            transport: Arc::clone(&self.egress) as _,
            clock: Arc::clone(&self.clock),
            background: Some(self.background.clone()),
        };
        Delivery::start(config, ports, workers, stop, grace)
    }
}

async fn upkeep(recorder: PrometheusHandle) {
    loop {
        tokio::time::sleep(recorder::UPKEEP_EVERY).await;
        recorder.run_upkeep();
    }
}

pub(crate) const KEY_FILE: &str = "secrets.key";

/// Where database and key lie in a data folder.
pub(crate) fn files(data: &Path) -> StoreConfig {
    StoreConfig::new(data.join("whisperer.redb"), data.join(KEY_FILE))
}

fn store_config(config: &Config) -> StoreConfig {
    let day = Duration::from_secs(24 * 3600);
    StoreConfig {
        cache_bytes: config.store_cache_bytes,
        queue_max: config.store_queue_max,
        queue_bytes_max: config.store_queue_bytes_max,
        quick_repair: config.store_quick_repair,
        retention: Retention {
            age: (config.retention_days > 0).then(|| day * config.retention_days),
            bytes: (config.retention_bytes > 0).then_some(config.retention_bytes),
        },
        check_bytes_max: config.store_check_bytes_max,
        free_bytes_min: config.store_free_bytes_min,
        ..files(&config.data)
    }
}

/// # Errors
/// A file of roots cannot be read, or the proxy is none.
fn egress_config(config: &Config, mut egress: EgressConfig) -> anyhow::Result<EgressConfig> {
    for path in &config.extra_roots {
        let name = path.display().to_string();
        let pem = fs::read(path).with_context(|| format!("extra_roots: cannot read {name}"))?;
        egress.extra_roots.push(ExtraRoots { name, pem });
    }
    if let Some(proxy) = &config.egress_proxy {
        let proxy = EgressProxy::parse(&proxy.expose())
            .map_err(|wrong| anyhow::anyhow!("egress_proxy {wrong}"))?;
        egress.proxy = Some(proxy);
    }
    Ok(egress)
}

fn sandbox_config(config: &Config) -> SandboxConfig {
    let mut sandbox = SandboxConfig::new(config.plugins_folder());
    // Beside the plugin folder, never in it: what lies there is executed as machine code.
    sandbox.cache = Some(config.data.join("compiled"));
    sandbox.compiler = compiler(config);
    sandbox.limits.own_time = Duration::from_millis(config.plugin_timeout_ms);
    sandbox.limits.memory_bytes_max = config.plugin_memory_bytes;
    if config.plugin_concurrency > 0 {
        sandbox.limits.calls_max = config.plugin_concurrency;
    }
    sandbox
}

/// This program once more.
fn compiler(config: &Config) -> Option<Compiler> {
    // On Linux by a name that leads to the very file that runs, though another version may have
    // taken its path meanwhile.
    let running = Path::new("/proc/self/exe");
    let program = if running.exists() {
        Ok(running.to_owned())
    } else {
        std::env::current_exe()
    };
    match program {
        Ok(program) => Some(Compiler {
            program,
            arguments: vec![COMPILE_PLUGIN.into()],
            bounds: CompileBounds {
                processor_secs: config.plugin_compile_secs,
                ..CompileBounds::default()
            },
        }),
        Err(why) => {
            tracing::warn!(
                reason = %why,
                "where this program lies cannot be told: plugins are compiled in the server's \
                 process, where nothing can stop it"
            );
            None
        }
    }
}

/// Makes the folder if it is missing, for its owner alone: it holds the key of all secrets.
pub(crate) fn private_folder(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make the data folder {}", folder.display()))
}
