//! Power cuts under the whole ledger: whatever a disk kept of what was not synced, the store opens
//! and holds everything that it acknowledged, and nothing half. And a disk whose syncs do nothing
//! must be found out, else all this proves nothing.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::disk::{Disk, Keep};
use super::life::{InFlight, Life};
use super::stage::{self, config, runtime};
use super::{asked, cross};
use crate::config::StoreConfig;
use crate::redb_store::RedbStore;

const SEEDS: u64 = 300;
const LYING_SEEDS: u64 = 60;
/// The test that has a disk lie, and how it says in a process of its own what was found.
const LIAR: &str = "redb_store::faults::power::a_disk_whose_syncs_do_nothing_is_found_out";
const FOUND_OUT: &str = "found out: ";
/// Calls of the disk that one stretch of a life makes, at least and at most.
const CUT_AT: std::ops::RangeInclusive<u64> = 20..=4000;
/// And those that an opening after a cut makes before it is cut again: it makes some thirty.
const CUT_AGAIN_AT: std::ops::RangeInclusive<u64> = 1..=40;

/// What many lives came to.
#[derive(Debug, Default)]
struct Tally {
    cuts: u64,
    cut_again: u64,
    acknowledged: u64,
    /// Steps that were under way at a cut, and were on the disk all the same.
    survived: u64,
}

/// One life with several cuts. An error tells what is lost, half or refused.
async fn live(seed: u64, lies: bool, tally: &mut Tally) -> Result<(), String> {
    let mut life = Life::new(seed);
    let config = StoreConfig {
        quick_repair: seed.is_multiple_of(2),
        ..config()
    };
    let mut disk = Disk::blank();
    if lies {
        disk.lie();
    }
    let mut store = stage::open(&disk, &config, life.clock.clone()).unwrap();
    for _ in 0..life.random.usize(1..4) {
        disk.cut_after(life.random.u64(CUT_AT));
        let in_flight = until_down(&mut life, &store).await;
        drop(store);
        tally.cuts += 1;
        let keep = life.random.choice(Keep::ALL).unwrap();
        let image = disk.remains(keep, &mut life.random);
        let told = |what: String| format!("after a cut that keeps {keep:?}: {what}");
        let image = recovered(image, &config, &mut life, tally).map_err(told)?;
        if config.quick_repair {
            stage::verify(&image).map_err(|what| told(format!("it is refused: {what}")))?;
        }
        disk = Disk::with(image);
        store = stage::open(&disk, &config, life.clock.clone())
            .map_err(|error| told(format!("it is refused: {error}")))?;
        let survived = life.compare(&store, in_flight).await.map_err(told)?;
        tally.survived += survived as u64;
        cross::check(&store).map_err(told)?;
        tally.acknowledged += std::mem::take(&mut life.acknowledged);
    }
    Ok(())
}

async fn until_down(life: &mut Life, store: &RedbStore) -> InFlight {
    loop {
        if let Some(in_flight) = life.round(store).await {
            return in_flight;
        }
    }
}

/// Opens what is left, and has the power go amid that, some times over.
fn recovered(
    mut image: Vec<u8>,
    config: &StoreConfig,
    life: &mut Life,
    tally: &mut Tally,
) -> Result<Vec<u8>, String> {
    for _ in 0..life.random.usize(0..3) {
        if config.quick_repair {
            stage::verify(&image).map_err(|what| format!("it is refused: {what}"))?;
        }
        let disk = Disk::with(image);
        disk.cut_after(life.random.u64(CUT_AGAIN_AT));
        match stage::open(&disk, config, life.clock.clone()) {
            Ok(store) => drop(store),
            Err(_) if disk.is_cut() => {}
            Err(error) => return Err(format!("it is refused: {error}")),
        }
        tally.cut_again += u64::from(disk.is_cut());
        let keep = life.random.choice(Keep::ALL).unwrap();
        image = disk.remains(keep, &mut life.random);
    }
    Ok(image)
}

/// One life, a panic included.
fn lived(seed: u64, lies: bool, tally: &mut Tally) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| {
        runtime().block_on(live(seed, lies, tally))
    }))
    .unwrap_or_else(|_panic| Err("it panicked, as said above".to_owned()))
}

/// One life on a disk that lies, in a process of its own: over a file that is damaged where no
/// checksum looks, redb may panic while a panic unwinds, and that ends the process.
fn lived_apart(seed: u64) -> Result<(), String> {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", LIAR])
        .env("LYING_SEED", seed.to_string())
        .output()
        .unwrap();
    if child.status.code().is_none() {
        return Err("it is refused: redb ended the process".to_owned());
    }
    assert!(child.status.success(), "seed {seed}: {child:?}");
    let said = String::from_utf8(child.stdout).unwrap();
    match said.lines().find_map(|line| line.split_once(FOUND_OUT)) {
        Some((_, what)) => Err(what.to_owned()),
        None => Ok(()),
    }
}

/// Runs as many lives as there are seeds, on as many threads as there are cores: what they came to
/// together, and what went wrong by seed.
fn live_all(
    seeds: u64,
    live: impl Fn(u64, &mut Tally) -> Result<(), String> + Sync,
) -> (Tally, Vec<(u64, String)>) {
    let next = AtomicU64::new(0);
    let all = Mutex::new((Tally::default(), Vec::new()));
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    let mut tally = Tally::default();
                    let lived = live(seed, &mut tally);
                    let mut all = all.lock().unwrap();
                    all.0.cuts += tally.cuts;
                    all.0.cut_again += tally.cut_again;
                    all.0.acknowledged += tally.acknowledged;
                    all.0.survived += tally.survived;
                    if let Err(what) = lived {
                        all.1.push((seed, what));
                    }
                }
            });
        }
    });
    all.into_inner().unwrap()
}

#[test]
fn a_power_cut_loses_nothing_that_was_acknowledged_and_leaves_nothing_half() {
    if let Some(seed) = asked("POWER_CUT_SEED") {
        let mut tally = Tally::default();
        let lived = runtime().block_on(live(seed, false, &mut tally));
        println!("{tally:?}");
        lived.unwrap();
        return;
    }
    let seeds = asked("POWER_CUT_SEEDS").unwrap_or(SEEDS);
    let (tally, failed) = live_all(seeds, |seed, tally| lived(seed, false, tally));
    println!("{seeds} seeds, {} failed: {tally:?}", failed.len());
    if let Some((seed, what)) = failed.first() {
        panic!(
            "{} of {seeds} seeds failed; POWER_CUT_SEED={seed} plays it again\n{what}",
            failed.len()
        );
    }
    assert!(
        tally.acknowledged > 20 * seeds && tally.cut_again > 0 && tally.survived > 0,
        "the lives are too dull to prove anything: {tally:?}"
    );
}

/// The other way round: what would be found if syncs did nothing.
#[test]
fn a_disk_whose_syncs_do_nothing_is_found_out() {
    if let Some(seed) = asked("LYING_SEED") {
        if let Err(what) = lived(seed, true, &mut Tally::default()) {
            println!("\n{FOUND_OUT}{what}");
        }
        return;
    }
    let seeds = asked("POWER_CUT_SEEDS").unwrap_or(LYING_SEEDS).min(500);
    let (_, failed) = live_all(seeds, |seed, _| lived_apart(seed));
    let told = |words: &str| failed.iter().filter(|(_, it)| it.contains(words)).count();
    let (refused, ended) = (told("refused"), told("ended the process"));
    println!(
        "{seeds} seeds with syncs that do nothing: {refused} refused to open or to go on ({ended} \
         of them by the end of the process), {} lost or half",
        failed.len() - refused
    );
    assert!(
        failed.len() as u64 * 2 >= seeds,
        "only {} of {seeds} were found out",
        failed.len()
    );
}
