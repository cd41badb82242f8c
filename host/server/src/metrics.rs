//! How delivering stands, for `/metrics`: written from its own counters when somebody asks. What
//! plugins do is recorded as it happens, see [`recorder`](crate::recorder).

use std::fmt::Write as _;

use whisperer_delivery::DeliveryStats;
use whisperer_domain::port::Space;
use whisperer_domain::port::Stock;
use whisperer_domain::time::Timestamp;

/// What is read of.
pub(crate) struct Seen {
    pub(crate) stats: DeliveryStats,
    pub(crate) hooks_ordered: u64,
    pub(crate) space: Space,
    pub(crate) commits: u64,
}

#[derive(Clone, Copy)]
struct Metric {
    name: &'static str,
    kind: &'static str,
    meaning: &'static str,
    read: fn(&Seen) -> u64,
}

const fn level(name: &'static str, meaning: &'static str, read: fn(&Seen) -> u64) -> Metric {
    Metric {
        name,
        kind: "gauge",
        meaning,
        read,
    }
}

const fn count(name: &'static str, meaning: &'static str, read: fn(&Seen) -> u64) -> Metric {
    Metric {
        kind: "counter",
        ..level(name, meaning, read)
    }
}

const METRICS: [Metric; 16] = [
    level(
        "whisperer_lanes",
        "Hooks with deliveries that are pending, or with something to remember of their receivers.",
        |seen| seen.stats.lanes,
    ),
    level(
        "whisperer_lanes_breaker_open",
        "Of them, those whose receiver kept failing: it is left alone, or tried by one attempt at a \
         time.",
        |seen| seen.stats.breakers_open,
    ),
    level(
        "whisperer_lanes_paced",
        "Of them, those that go slower because their receiver was asked too much (429, 503).",
        |seen| seen.stats.paced,
    ),
    level(
        "whisperer_hooks_ordered",
        "Hooks whose deliveries wait for those before them.",
        |seen| seen.hooks_ordered,
    ),
    level(
        "whisperer_attempts_running",
        "Attempts under way.",
        |seen| seen.stats.attempts_running,
    ),
    level(
        "whisperer_attempts_slow_running",
        "Of them, those for receivers that take long.",
        |seen| seen.stats.slow_running,
    ),
    level(
        "whisperer_results_unsettled",
        "Attempts that ended and are not yet on disk.",
        |seen| seen.stats.unsettled,
    ),
    level(
        "whisperer_buffered_bytes",
        "Payloads that wait in memory.",
        |seen| seen.stats.buffered_bytes,
    ),
    count(
        "whisperer_deferrals_total",
        "Tries that could not be made, because of a plugin or a secret.",
        |seen| seen.stats.deferred,
    ),
    count(
        "whisperer_deliveries_dead_total",
        "Deliveries that were given up.",
        |seen| seen.stats.dead,
    ),
    count(
        "whisperer_overflows_total",
        "Fresh deliveries that found no room in memory and were read from the store later.",
        |seen| seen.stats.overflowed,
    ),
    count(
        "whisperer_lane_reads_total",
        "Reads of the store by lanes that were behind.",
        |seen| seen.stats.reads,
    ),
    count(
        "whisperer_store_failures_total",
        "Calls of the store that failed and were repeated.",
        |seen| seen.stats.store_failures,
    ),
    count(
        "whisperer_store_commits_total",
        "Commits of the database since the start; each is a sync of the disk that many share.",
        |seen| seen.commits,
    ),
    level(
        "whisperer_store_free_bytes",
        "Bytes of the data folder's disk that are free; 0 if that is not known.",
        |seen| seen.space.free_bytes.unwrap_or(0),
    ),
    level(
        "whisperer_store_disk_short",
        "1 while so few are free that no events are accepted.",
        |seen| u64::from(seen.space.is_short),
    ),
];

/// What lies in the store.
struct OfStock {
    name: &'static str,
    kind: &'static str,
    meaning: &'static str,
    read: fn(&Stock, Timestamp) -> u64,
}

const OF_STOCK: [OfStock; 4] = [
    OfStock {
        name: "whisperer_store_live_bytes",
        kind: "gauge",
        meaning: "Records of events, deliveries, attempts and pins: what `retention_bytes` bounds.",
        read: |stock, _| stock.live_bytes,
    },
    OfStock {
        name: "whisperer_store_file_bytes",
        kind: "gauge",
        meaning: "Length of the database file: `whisperer compact` gives back what it does not need.",
        read: |stock, _| stock.file_bytes.unwrap_or_default(),
    },
    OfStock {
        name: "whisperer_events_swept_total",
        kind: "counter",
        meaning: "Events that retention gave up, since the store was made.",
        read: |stock, _| stock.events_swept,
    },
    OfStock {
        name: "whisperer_oldest_event_age_seconds",
        kind: "gauge",
        meaning: "Age of the oldest event; far beyond `retention_days` it has something pending.",
        read: |stock, now| {
            let age = stock.oldest_event_at.map(|at| now.0.saturating_sub(at.0));
            age.unwrap_or_default() / 1000
        },
    },
];

const ATTEMPTS: &str = "whisperer_attempts_total";
const ATTEMPTS_MEANING: &str = "Attempts that ended, by `outcome`.";

/// All names that are written here.
pub fn names() -> impl Iterator<Item = &'static str> {
    let of_stock = OF_STOCK.iter().map(|metric| metric.name);
    let all = METRICS.iter().map(|metric| metric.name).chain([ATTEMPTS]);
    all.chain(of_stock)
}

/// What lies in the store, in the text format of Prometheus.
pub(crate) fn write_stock(text: &mut String, stock: &Stock, now: Timestamp) {
    for metric in &OF_STOCK {
        head(text, metric.name, metric.kind, metric.meaning);
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{} {}", metric.name, (metric.read)(stock, now));
    }
}

/// In the text format of Prometheus.
pub(crate) fn write(text: &mut String, seen: &Seen) {
    for metric in METRICS {
        let Metric { name, kind, .. } = metric;
        head(text, name, kind, metric.meaning);
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{name} {}", (metric.read)(seen));
    }
    head(text, ATTEMPTS, "counter", ATTEMPTS_MEANING);
    for (outcome, attempts) in by_outcome(&seen.stats) {
        let _ = writeln!(text, "{ATTEMPTS}{{outcome=\"{outcome}\"}} {attempts}");
    }
}

fn head(text: &mut String, name: &str, kind: &str, meaning: &str) {
    let _ = writeln!(text, "# HELP {name} {meaning}\n# TYPE {name} {kind}");
}

/// By the words that attempts are shown with.
fn by_outcome(stats: &DeliveryStats) -> [(&'static str, u64); 8] {
    [
        ("delivered", stats.delivered),
        ("refused", stats.refused),
        ("unreachable", stats.unreachable),
        ("timed_out", stats.timed_out),
        ("blocked", stats.blocked),
        ("plugin_failed", stats.plugin_failed),
        ("discarded", stats.discarded),
        ("internal", stats.internal),
    ]
}

#[cfg(test)]
mod tests {
    use whisperer_delivery::DeliveryStats;
    use whisperer_domain::port::Space;
    use whisperer_domain::port::Stock;
    use whisperer_domain::time::Timestamp;

    use super::{Seen, names, write, write_stock};

    #[test]
    fn each_metric_is_told_once_with_its_kind_and_its_value() {
        let stats = DeliveryStats {
            lanes: 5,
            breakers_open: 2,
            paced: 1,
            attempts_running: 4,
            slow_running: 3,
            timed_out: 9,
            ..DeliveryStats::default()
        };
        let mut text = String::new();
        let seen = Seen {
            stats,
            hooks_ordered: 6,
            space: Space {
                free_bytes: Some(77),
                is_short: true,
            },
            commits: 78,
        };
        write(&mut text, &seen);
        let stock = Stock {
            live_bytes: 7,
            file_bytes: Some(8),
            events_swept: 9,
            oldest_event_at: Some(Timestamp(1000)),
        };
        write_stock(&mut text, &stock, Timestamp(11_999));
        for line in [
            "whisperer_store_live_bytes 7",
            "whisperer_store_file_bytes 8",
            "whisperer_events_swept_total 9",
            "whisperer_oldest_event_age_seconds 10",
            "whisperer_lanes 5",
            "whisperer_lanes_breaker_open 2",
            "whisperer_lanes_paced 1",
            "whisperer_hooks_ordered 6",
            "whisperer_store_commits_total 78",
            "whisperer_store_free_bytes 77",
            "whisperer_store_disk_short 1",
            "whisperer_attempts_running 4",
            "whisperer_attempts_slow_running 3",
            "whisperer_attempts_total{outcome=\"timed_out\"} 9",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in {text}");
        }
        for name in names() {
            let type_of = format!("# TYPE {name} ");
            assert_eq!(text.matches(&type_of).count(), 1, "{name}");
        }
    }
}
