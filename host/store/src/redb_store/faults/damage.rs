//! Files that were altered: cut short, with a bit flipped, a page of zeros, two pages swapped. None
//! makes the store panic, none is taken for an empty one, and a file that is refused is left as it
//! is.
//!
//! Up to a size the store reads all of a file before it opens it (`check_bytes_max`), and hands out
//! nothing that is not as it was written. Beyond that size the records' checksums still hold: a
//! record is what was written or an error that names it; what has no checksum of its own, keys and
//! indexes, can then be missed.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use uuid::Uuid;
use whisperer_domain::hook::Ordered;
use whisperer_domain::id::{DeliveryUuid, EventId, HookId, Sequence};
use whisperer_domain::port::{Budget, Catalog, Fence, Lanes, Lease, Ledger, Scope, StoreDown};
use whisperer_domain::time::Timestamp;

use super::is_torture;
use super::life::Life;
use super::stage::{Hand, runtime};
use super::whole::HOOKS_MAX;
use crate::config::StoreConfig;
use crate::error::StoreError;
use crate::redb_store::RedbStore;

const PAGE: usize = 4096;

/// What came of one alteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Came {
    Refused,
    /// Opened, and everything is as it was.
    NoEffect,
    /// Opened; something cannot be read, and says so.
    Named,
    /// Opened, and something is not as it was, or not there, and nobody says so.
    Silent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Hook(u64),
    Lane(u64),
    Event(u64),
    Delivery(u64),
}

#[derive(Debug, PartialEq, Eq)]
enum Read {
    Nothing,
    Whole(String),
    /// The sequences that a lane is given.
    Ready(Vec<u64>),
}

type Items = BTreeMap<Item, Result<Read, StoreDown>>;

/// A database with content, and what is read of it.
struct Whole {
    folder: TempDir,
    bytes: Vec<u8>,
    items: Items,
}

impl Whole {
    /// A life, and its end: by an orderly close.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut life = Life::new(7);
        let store = RedbStore::open(config(folder.path(), u64::MAX), life.clock.clone()).unwrap();
        let runtime = runtime();
        runtime.block_on(async {
            for _ in 0..60 {
                assert!(life.round(&store).await.is_none());
            }
        });
        let items = runtime.block_on(items(&store));
        assert!(items.values().all(Result::is_ok) && items.len() > 200);
        drop(store);
        let bytes = fs::read(path(folder.path())).unwrap();
        Self {
            folder,
            bytes,
            items,
        }
    }

    /// Opens it altered, and reads all of it.
    fn come(&self, altered: &[u8], check_bytes_max: u64) -> Came {
        let path = path(self.folder.path());
        fs::write(&path, altered).unwrap();
        let config = config(self.folder.path(), check_bytes_max);
        let opened = catch_unwind(|| RedbStore::open(config, Hand::new()));
        let store = match opened.expect("no panic gets out of opening") {
            Ok(store) => store,
            Err(error) => {
                assert!(
                    fs::read(&path).unwrap() == altered,
                    "{error}: it was written to"
                );
                assert!(
                    matches!(
                        error,
                        StoreError::Damaged { .. } | StoreError::Foreign { .. }
                    ),
                    "{error:?}"
                );
                assert!(error.to_string().contains("whisperer.redb"), "{error}");
                return Came::Refused;
            }
        };
        let read = catch_unwind(AssertUnwindSafe(|| runtime().block_on(items(&store))));
        let came = self.judge(&read.expect("no panic gets out of reading"));
        // redb may panic over it in the thread that writes, which contains it.
        drop(store);
        came
    }

    fn judge(&self, found: &Items) -> Came {
        let mut came = Came::NoEffect;
        for (item, expected) in &self.items {
            let Ok(expected) = expected else { continue };
            came = came.max(match (item, found.get(item)) {
                (_, Some(Ok(found))) if found == expected => Came::NoEffect,
                (_, Some(Err(_))) => Came::Named,
                // One that cannot be read is left out of the catalog, and the log names it.
                (Item::Hook(_), Some(Ok(Read::Nothing))) => Came::Named,
                (Item::Lane(_), Some(Ok(Read::Ready(ready)))) => missed(expected, ready, found),
                (_, Some(Ok(_)) | None) => Came::Silent,
            });
        }
        came
    }
}

/// A lane passes over what cannot be read, and the log names it.
fn missed(expected: &Read, ready: &[u64], found: &Items) -> Came {
    let Read::Ready(expected) = expected else {
        return Came::Silent;
    };
    let is_named = |sequence: &u64| {
        let delivery = found.get(&Item::Delivery(*sequence));
        delivery.is_some_and(Result::is_err)
    };
    let mut left = expected.iter().filter(|sequence| !is_named(sequence));
    if left.all(|sequence| ready.contains(sequence))
        && ready.iter().all(|sequence| expected.contains(sequence))
    {
        Came::Named
    } else {
        Came::Silent
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("whisperer.redb")
}

fn config(folder: &Path, check_bytes_max: u64) -> StoreConfig {
    StoreConfig {
        check_bytes_max,
        ..StoreConfig::new(path(folder), folder.join("whisperer.key"))
    }
}

/// All that can be asked for by name.
async fn items(store: &Arc<RedbStore>) -> Items {
    let mut items = Items::new();
    let hooks = store.snapshot().hooks.clone();
    let whole = |read: Option<String>| read.map_or(Read::Nothing, Read::Whole);
    for number in 1..=HOOKS_MAX {
        let hook = hooks.get(&HookId(number));
        let read = whole(hook.map(|hook| format!("{hook:?}")));
        items.insert(Item::Hook(number), Ok(read));
        let lease = Lease {
            hook: HookId(number),
            fence: Fence(1),
        };
        let budget = Budget {
            rows: 1000,
            bytes: 1 << 30,
        };
        let ordered = hook.map_or(Ordered::No, |hook| hook.ordered);
        let end = Timestamp(4_000_000_000_000);
        let taken = store.take(lease, end, Vec::new(), budget, ordered).await;
        let taken = taken.map(|taken| {
            let ready = taken.ready.iter();
            Read::Ready(ready.map(|ready| ready.delivery.sequence.0).collect())
        });
        items.insert(Item::Lane(number), taken);
    }
    for number in 0..400 {
        let id = EventId::parse(&format!("e{number}")).unwrap();
        let found = store.find_event(id).await;
        let found = found.map(|found| whole(found.map(|found| format!("{found:?}"))));
        items.insert(Item::Event(number), found);
    }
    for number in 1..600 {
        let found = store.find(Sequence(number), Scope::All).await;
        let found = found.map(|found| {
            whole(found.map(|mut found| {
                found.view.delivery.uuid = DeliveryUuid(Uuid::nil());
                format!("{found:?}")
            }))
        });
        items.insert(Item::Delivery(number), found);
    }
    items
}

/// Does each alteration with the check of the whole file and without it; what came of them.
fn came_of(
    whole: &Whole,
    what: &str,
    count: u64,
    alter: impl Fn(&mut Vec<u8>, &mut fastrand::Rng),
) -> [BTreeMap<Came, u64>; 2] {
    let few = count / 10;
    let count = if is_torture() { count } else { few };
    // The same few in CI and in torture.
    let mut random = fastrand::Rng::with_seed(few);
    let mut came = [BTreeMap::new(), BTreeMap::new()];
    for number in 0..count {
        let mut altered = whole.bytes.clone();
        alter(&mut altered, &mut random);
        *came[0].entry(whole.come(&altered, u64::MAX)).or_default() += 1;
        // Of some files that nobody checked redb ends the process, by a panic while it unwinds:
        // not of these.
        if number < few {
            *came[1].entry(whole.come(&altered, 0)).or_default() += 1;
        }
    }
    println!(
        "{count} x {what}: checked {:?}, unchecked {:?}",
        came[0], came[1]
    );
    came
}

#[test]
fn of_an_altered_file_nothing_wrong_is_handed_out() {
    let whole = Whole::new();
    assert_eq!(whole.come(&whole.bytes, u64::MAX), Came::NoEffect);
    let pages = whole.bytes.len() / PAGE;
    let flipped = came_of(&whole, "a bit flipped", 1500, |bytes, random| {
        let bit = random.usize(0..bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
    });
    let zeroed = came_of(&whole, "a page of zeros", 300, |bytes, random| {
        let at = random.usize(0..pages) * PAGE;
        bytes[at..at + PAGE].fill(0);
    });
    let swapped = came_of(&whole, "two pages swapped", 300, |bytes, random| {
        let (one, other) = (random.usize(0..pages) * PAGE, random.usize(0..pages) * PAGE);
        for at in 0..PAGE {
            bytes.swap(one + at, other + at);
        }
    });
    for [checked, _] in [&flipped, &zeroed, &swapped] {
        assert!(checked.contains_key(&Came::Refused), "nothing was refused");
        assert_eq!(checked.get(&Came::Silent), None, "wrong, and not said");
    }
    let [_, unchecked] = &flipped;
    assert!(
        unchecked.contains_key(&Came::Named),
        "no record's checksum had anything to do: {unchecked:?}"
    );
}

#[test]
fn a_file_that_was_cut_short_is_refused_wherever() {
    let whole = Whole::new();
    let mut random = fastrand::Rng::with_seed(3);
    let mut refused = 0;
    let count = if is_torture() { 300 } else { 60 };
    for _ in 0..count {
        let kept = random.usize(1..whole.bytes.len());
        for check_bytes_max in [u64::MAX, 0] {
            let came = whole.come(&whole.bytes[..kept], check_bytes_max);
            assert_eq!(came, Came::Refused, "{kept} bytes are left");
            refused += 1;
        }
    }
    assert_eq!(refused, 2 * count);
    let path = path(whole.folder.path());
    fs::write(&path, "").unwrap();
    let config = config(whole.folder.path(), u64::MAX);
    let error = RedbStore::open(config, Hand::new()).err().unwrap();
    assert!(matches!(error, StoreError::Empty { .. }), "{error:?}");
    assert_eq!(fs::metadata(&path).unwrap().len(), 0, "it is left as it is");
}
