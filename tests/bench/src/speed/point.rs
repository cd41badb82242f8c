//! The points at which speed is measured: a base, and from it one factor at a time.

use std::time::Duration;

use serde::Serialize;

use super::plugin::Plugin;
use crate::floor::Effort;
use crate::generator::Pace;
use crate::receiver::Hooks;

/// Whisperer takes some thousands of event types.
const TYPES_MAX: u32 = 5_000;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Point {
    pub(crate) name: String,
    /// What is varied: points of a group stand together.
    pub(crate) group: &'static str,
    pub(crate) hooks: Hooks,
    /// Beside them, of a type of which there are no events.
    pub(crate) idle_hooks: u32,
    pub(crate) connections: u32,
    pub(crate) payload_bytes: usize,
    pub(crate) pace: Pace,
    pub(crate) plugin: Option<Plugin>,
}

/// How long each run of a point is under load.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Lasts {
    pub(crate) warm_up: Duration,
    pub(crate) measure: Duration,
    pub(crate) floor: Effort,
}

impl Lasts {
    /// About six seconds a run with what is around it: three runs of all points, and the machine's
    /// limits beside them, take less than ten minutes.
    pub(crate) fn whole() -> Self {
        Self {
            warm_up: Duration::from_millis(1_500),
            measure: Duration::from_secs(4),
            floor: Effort {
                warm_up: Duration::from_millis(300),
                http: Duration::from_millis(1_000),
                disk: Duration::from_millis(700),
            },
        }
    }

    /// Tries the tool out; the figures mean little.
    pub(crate) fn quick() -> Self {
        Self {
            warm_up: Duration::from_millis(300),
            measure: Duration::from_secs(1),
            floor: Effort {
                warm_up: Duration::from_millis(100),
                http: Duration::from_millis(300),
                disk: Duration::from_millis(200),
            },
        }
    }
}

impl Point {
    pub(crate) fn base() -> Self {
        Self {
            name: "base".to_owned(),
            group: "base",
            hooks: Hooks::Every(1),
            idle_hooks: 0,
            connections: 64,
            payload_bytes: 1_024,
            pace: Pace::Closed,
            plugin: None,
        }
    }

    /// Each event to one of so many hooks; where there are more than can have a type of their own,
    /// the others get none.
    pub(crate) fn hooks(count: u32) -> Self {
        Self::varied("hooks", format!("hooks-{count}"), |it| {
            it.hooks = Hooks::OneOf(count.min(TYPES_MAX));
            it.idle_hooks = count.saturating_sub(TYPES_MAX);
        })
    }

    fn varied(group: &'static str, name: String, change: impl FnOnce(&mut Self)) -> Self {
        let mut point = Self {
            name,
            group,
            ..Self::base()
        };
        change(&mut point);
        point
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.pace == Pace::Closed
    }

    /// What it is asked for by: its name, or its group's.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.group == name
    }
}

/// Every point, those of one group beside each other.
pub(crate) fn all() -> Vec<Point> {
    let mut points = vec![
        Point::base(),
        Point::varied("fan-out", "fan-out-10".to_owned(), |it| {
            it.hooks = Hooks::Every(10);
        }),
        Point::hooks(100),
    ];
    points.extend([1, 16, 256].map(|connections| {
        let name = format!("connections-{connections}");
        Point::varied("connections", name, |it| it.connections = connections)
    }));
    points.extend([100, 500, 2_000].map(|per_second| {
        let name = format!("open-{per_second}");
        Point::varied("open", name, |it| it.pace = Pace::Open(per_second))
    }));
    let sizes = [("256-B", 256), ("16-KiB", 16 << 10), ("100-KiB", 100 << 10)];
    points.extend(sizes.map(|(name, bytes)| {
        Point::varied("payload", format!("payload-{name}"), |it| {
            it.payload_bytes = bytes;
        })
    }));
    points.extend(Plugin::ALL.map(|plugin| {
        Point::varied("plugins", plugin.name().to_owned(), |it| {
            it.plugin = Some(plugin);
        })
    }));
    points
}
