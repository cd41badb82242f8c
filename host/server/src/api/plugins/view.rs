//! A plugin as the API shows it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use whisperer_domain::catalog::CatalogSnapshot;
use whisperer_domain::id::HookId;
use whisperer_domain::json_schema::Misfit;
use whisperer_sandbox::{Limits, PluginStatus, Spread, Stray, UnfitHook};

use crate::api::auth::Principal;

#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Plugin)]
pub(super) struct PluginView {
    name: String,
    enabled: bool,
    /// Counts the loads of this plugin since the start; null: none of its files ever loaded.
    generation: Option<u64>,
    digest: Option<String>,
    /// What it says of itself.
    version: String,
    summary: String,
    config_schema: Option<Value>,
    config_example: Option<Value>,
    /// It runs by itself on events that match one of these.
    events: Vec<String>,
    imports: Vec<String>,
    limits: Option<LimitsView>,
    /// Why the newest file does not run. An older one may run meanwhile.
    load_error: Option<String>,
    /// What the operator's own default lacks; hooks that give no configuration wait.
    default_config_errors: Vec<String>,
    /// Hooks whose configuration does not fit what runs now. Their deliveries wait.
    unfit_hooks: Vec<UnfitView>,
    /// Those of other owners.
    unfit_hooks_not_shown: usize,
    quarantine: QuarantineView,
    calls: u64,
    /// By kind.
    failures: BTreeMap<&'static str, u64>,
    took_us: SpreadView,
    memory_bytes: SpreadView,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PluginLimits)]
struct LimitsView {
    time_ms: u64,
    memory_bytes: usize,
    output_bytes: usize,
    log_bytes: usize,
    concurrency: usize,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UnfitHook)]
struct UnfitView {
    hook: u64,
    errors: Vec<String>,
}

#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Quarantine)]
struct QuarantineView {
    everywhere: bool,
    hooks: Vec<u64>,
}

#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Spread)]
struct SpreadView {
    p50: u64,
    p99: u64,
    max: u64,
}

impl PluginView {
    /// A non-admin sees its own hooks only.
    pub(super) fn of(status: PluginStatus, who: &Principal, snapshot: &CatalogSnapshot) -> Self {
        let sees = |hook: &HookId| snapshot.hooks.get(hook).is_some_and(|hook| who.sees(hook));
        let all = status.unfit.len();
        let unfit_hooks: Vec<UnfitView> = status
            .unfit
            .into_iter()
            .filter(|unfit| sees(&unfit.hook))
            .map(UnfitView::from)
            .collect();
        Self {
            name: status.name.to_string(),
            enabled: status.enabled,
            generation: (status.generation > 0).then_some(status.generation),
            digest: status.digest.map(|digest| digest.to_string()),
            version: status.about.version,
            summary: status.about.summary,
            config_schema: json(status.about.config_schema),
            config_example: json(status.about.config_example),
            events: status.patterns.iter().map(ToString::to_string).collect(),
            imports: status.imports,
            limits: status.limits.map(LimitsView::from),
            load_error: status.refusal.map(|refusal| refusal.reason),
            default_config_errors: lines(&status.default_misfits),
            unfit_hooks_not_shown: all - unfit_hooks.len(),
            unfit_hooks,
            quarantine: QuarantineView {
                everywhere: status.stopped.everywhere,
                hooks: status
                    .stopped
                    .hooks
                    .iter()
                    .filter(|hook| sees(hook))
                    .map(|hook| hook.0)
                    .collect(),
            },
            calls: status.totals.calls,
            failures: status
                .totals
                .failures
                .iter()
                .map(|(kind, count)| (kind.word(), *count))
                .collect(),
            took_us: status.totals.took_us.into(),
            memory_bytes: status.totals.memory_bytes.into(),
        }
    }
}

impl From<Stray> for PluginView {
    /// A file that is no plugin, shown where its owner will look for it: under its file's name,
    /// which no plugin can have, and with what is wrong about it.
    fn from(stray: Stray) -> Self {
        Self {
            name: stray.file,
            load_error: Some(stray.reason),
            ..Self::default()
        }
    }
}

impl From<Limits> for LimitsView {
    fn from(limits: Limits) -> Self {
        Self {
            time_ms: u64::try_from(limits.own_time.as_millis()).unwrap_or(u64::MAX),
            memory_bytes: limits.memory_bytes_max,
            output_bytes: limits.output_bytes_max,
            log_bytes: limits.log_bytes_max,
            concurrency: limits.calls_max,
        }
    }
}

impl From<UnfitHook> for UnfitView {
    fn from(unfit: UnfitHook) -> Self {
        Self {
            hook: unfit.hook.0,
            errors: lines(&unfit.misfits),
        }
    }
}

impl From<Spread> for SpreadView {
    fn from(spread: Spread) -> Self {
        Self {
            p50: spread.p50,
            p99: spread.p99,
            max: spread.max,
        }
    }
}

fn lines(misfits: &[Misfit]) -> Vec<String> {
    misfits.iter().map(ToString::to_string).collect()
}

/// As JSON, if it is; a stranger's text that is none is shown as text.
fn json(text: Option<String>) -> Option<Value> {
    text.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)))
}
