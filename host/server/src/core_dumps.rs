//! No image of this process outlives it, and no neighbour looks into it: secrets lie closed in
//! memory, but payloads do not.
//!
//! The limit of a core file's size alone does not do it: where the system hands dumps to a program
//! (`|` in `core_pattern`), it is not asked. A process that is not dumpable is dumped nowhere, and
//! others of its own user can neither attach to it nor read its memory or environment; root can.
//! What it starts (the compiler of plugins) is dumpable again, has no secrets, and keeps the limit.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// From now on. What the system refuses is said, and keeps nobody from serving.
pub(crate) fn forbid() {
    let nothing = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let limited = setrlimit(Resource::Core, nothing);
    let hidden = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    if let Err(error) = limited.and(hidden) {
        tracing::warn!(%error, "core dumps cannot be forbidden: a crash may leave payloads on disk");
    }
}
