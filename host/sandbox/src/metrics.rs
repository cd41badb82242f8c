//! The sandbox's metrics: every name is here. Plugins are labels by name, because a folder holds
//! few; hooks, events and deliveries never are.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use whisperer_domain::plugin::PluginName;

use crate::tally::Counted;

/// Calls of a plugin, by how they ended: `ok`, or the kind of failure.
pub const CALLS: &str = "whisperer_plugin_calls_total";
/// Seconds that a call took, without waiting for a turn.
pub const CALL_SECONDS: &str = "whisperer_plugin_call_seconds";
/// The most memory that a call had, in bytes.
pub const CALL_MEMORY_BYTES: &str = "whisperer_plugin_call_memory_bytes";
/// The generation that runs; 0: none does.
pub const GENERATION: &str = "whisperer_plugin_generation";
/// 1 while the newest file is refused.
pub const REFUSED: &str = "whisperer_plugin_refused";
/// Times that a plugin was stopped because it kept breaking; `scope` is `hook` or `all`.
pub const QUARANTINES: &str = "whisperer_plugin_quarantines_total";

/// Each metric with what it means, for whoever exports them.
pub const ALL: [(&str, &str); 6] = [
    (CALLS, "Calls of a plugin by how they ended."),
    (CALL_SECONDS, "Time of a plugin's calls."),
    (CALL_MEMORY_BYTES, "Peak memory of a plugin's calls."),
    (GENERATION, "Generation of a plugin that runs; 0: none."),
    (REFUSED, "1 while a plugin's newest file is refused."),
    (QUARANTINES, "Times that a plugin was put into quarantine."),
];

/// What is recorded at every call, looked up once.
pub(crate) struct PluginMeters {
    name: String,
    ok: Counter,
    seconds: Histogram,
    memory_bytes: Histogram,
}

impl PluginMeters {
    pub(crate) fn of(name: &PluginName) -> Self {
        let name = name.to_string();
        Self {
            ok: counter!(CALLS, "plugin" => name.clone(), "result" => "ok"),
            seconds: histogram!(CALL_SECONDS, "plugin" => name.clone()),
            memory_bytes: histogram!(CALL_MEMORY_BYTES, "plugin" => name.clone()),
            name,
        }
    }

    pub(crate) fn note(&self, call: &Counted) {
        match call.failure {
            None => self.ok.increment(1),
            Some(kind) => {
                counter!(CALLS, "plugin" => self.name.clone(), "result" => kind.word())
                    .increment(1);
            }
        }
        self.seconds.record(call.took);
        self.memory_bytes.record(call.memory_bytes as f64);
    }
}

pub(crate) fn generation(name: &PluginName) -> Gauge {
    gauge!(GENERATION, "plugin" => name.to_string())
}

pub(crate) fn refused(name: &PluginName) -> Gauge {
    gauge!(REFUSED, "plugin" => name.to_string())
}

pub(crate) fn quarantined(name: &PluginName, scope: &'static str) {
    counter!(QUARANTINES, "plugin" => name.to_string(), "scope" => scope).increment(1);
}
