//! What a new text of the contract may not do to an old one.
//!
//! The host may give more: functions, types and interfaces of its own, imported where they were
//! not. It may not ask for more: whatever plugins export stays, item by item.

use crate::package::{Item, Package};

/// A sentence for each broken promise; empty if plugins made for `old` notice nothing.
pub(crate) fn broken(old: &Package, new: &Package) -> Vec<String> {
    let mut broken = Vec::new();
    if old.name != new.name || old.order[0] != new.order[0] {
        broken.push(format!(
            "{} {} is not a later version of {} {}",
            new.name, new.version, old.name, old.version
        ));
    }
    if new.order < old.order {
        broken.push(format!("{} comes before {}", new.version, old.version));
    }
    for (item, shape) in &old.items {
        match new.items.get(item) {
            Some(now) if now == shape => {}
            Some(now) => broken.push(format!("{item:?} was {shape}, is {now}")),
            None => broken.push(format!("{item:?} is gone")),
        }
    }
    let added = new
        .items
        .iter()
        .filter(|(it, _)| !old.items.contains_key(it));
    for (item, shape) in added {
        if !may_come(item, shape, old) {
            broken.push(format!("{item:?} asks old plugins for more: {shape}"));
        }
    }
    broken
}

fn may_come(item: &Item, shape: &str, old: &Package) -> bool {
    if shape.contains("which no plugin can take") {
        return false;
    }
    let is_new = |world: &String| !old.items.contains_key(&Item::World(world.clone()));
    match item {
        Item::Interface(_) | Item::World(_) | Item::Import { .. } => true,
        Item::Type { interface, .. } | Item::Function { interface, .. } => {
            !old.exported.contains(interface)
        }
        Item::Export { world, .. } => is_new(world),
    }
}
