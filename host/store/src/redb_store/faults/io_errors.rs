//! A disk that fails at any of its calls, once or until it is mended: who asked is told the truth,
//! reads go on or are told to wait, the store comes back by itself, and nothing acknowledged is
//! lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use whisperer_domain::id::Sequence;
use whisperer_domain::port::{Ledger, Scope, StoreDown};

use super::disk::{Call, Disk, Failure, Ill, Keep};
use super::life::Life;
use super::stage::{self, config, ready, runtime};
use super::{cross, is_torture};
use crate::redb_store::RedbStore;

const ENOSPC: i32 = 28;
const EIO: i32 = 5;
/// Of each kind of call, the one that fails is the first to this one.
const NTH_MAX: u64 = 200;
/// In CI every so manieth of them is tried.
const STRIDE: usize = 9;
/// Failures that one store lives through: it grows, and is compared whole after each.
const IN_A_LIFE: u64 = 12;
/// A round writes at least once if anything can be written, so a call comes by then if it comes at
/// all.
const ROUNDS_MAX: usize = 300;
/// How long a disk that stays ill does so.
const ILL_FOR: Duration = Duration::from_millis(300);
/// How soon a store must be back once its disk is mended.
const BACK_AFTER_MAX: Duration = Duration::from_secs(10);

struct Patient {
    life: Life,
    disk: Arc<Disk>,
    store: Arc<RedbStore>,
}

impl Patient {
    fn new(seed: u64) -> Self {
        let life = Life::new(seed);
        let disk = Disk::blank();
        let store = stage::open(&disk, &config(), life.clock.clone()).unwrap();
        Self { life, disk, store }
    }

    /// Lives until the failure shows, and is held against the model after it. False: it never did.
    async fn suffer(&mut self, failure: Failure) -> bool {
        self.disk.fail(failure);
        let (since, mut rounds) = (Instant::now(), 0);
        // After several failures in a row the store rests from writing, for seconds in the end.
        while rounds < ROUNDS_MAX || since.elapsed() < BACK_AFTER_MAX {
            rounds += 1;
            let opening = self.opening();
            let in_flight = match self.life.round(&self.store).await {
                Some(in_flight) => in_flight,
                // What redb writes ahead of a commit may fail: it is written again with that.
                None if self.disk.failed() > 0 && !failure.lasts => {
                    let same = self.life.compare(&self.store, Vec::new()).await;
                    assert_eq!(same.err(), None, "{failure:?}");
                    self.disk.mend();
                    return true;
                }
                None => continue,
            };
            let failed = self.disk.failed() > 0;
            if failed && failure.lasts {
                self.stay_ill().await;
            }
            let mended = Instant::now();
            self.disk.mend_if(failed);
            // The answers come just before it is opened anew.
            while failed && self.opening() == opening {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            ready(&self.store).await;
            assert!(mended.elapsed() < BACK_AFTER_MAX, "{failure:?}");
            let told = format!(
                "{:?}",
                in_flight
                    .iter()
                    .map(|(_, answer)| answer)
                    .collect::<Vec<_>>()
            );
            let same = self.life.compare(&self.store, in_flight).await;
            let same = same.map_err(|what| format!("{what}\nafter the answers {told}"));
            assert_eq!(same.err(), None, "{failure:?}");
            assert_eq!(cross::check(&self.store).err(), None, "{failure:?}");
            if failed {
                return true;
            }
        }
        self.disk.mend_if(true);
        false
    }

    /// How often the database was opened by now.
    fn opening(&self) -> u64 {
        self.store.shared.opening.load(Ordering::SeqCst)
    }

    /// Meanwhile reads answer or are told to wait, and the database is not opened over and over.
    async fn stay_ill(&mut self) {
        let (since, opened) = (Instant::now(), self.disk.opened());
        while since.elapsed() < ILL_FOR {
            let read = self.store.find(Sequence(1), Scope::All).await;
            assert!(
                matches!(read, Ok(_) | Err(StoreDown::Reopening(_))),
                "{read:?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // It waits 50 ms, then 100, then 200, and so on.
        let waits = since.elapsed().as_millis() / 50 + 1;
        let most = u64::from(waits.ilog2()) + 2;
        let opened = self.disk.opened() - opened;
        assert!(
            opened <= most,
            "it was opened {opened} times, {most} are fine"
        );
    }

    /// Goes on for so many rounds, then loses power and everything that was not synced.
    async fn loses_power_after(mut self, rounds: usize) -> Result<(), String> {
        for _ in 0..rounds {
            while let Some(in_flight) = self.life.round(&self.store).await {
                ready(&self.store).await;
                self.life.compare(&self.store, in_flight).await?;
            }
        }
        let image = self.disk.remains(Keep::Nothing, &mut self.life.random);
        drop(self.store);
        let disk = Disk::with(image);
        let store = stage::open(&disk, &config(), self.life.clock.clone())
            .map_err(|error| error.to_string())?;
        self.life.compare(&store, Vec::new()).await?;
        cross::check(&store)
    }
}

impl Disk {
    fn mend_if(&self, is_to_be: bool) {
        if is_to_be {
            self.mend();
        }
    }
}

fn failure(call: Call, errno: i32, ill: Ill, lasts: bool, nth: u64) -> Failure {
    Failure {
        call,
        after: nth - 1,
        errno,
        ill,
        lasts,
    }
}

fn nths() -> impl Iterator<Item = u64> {
    (1..=NTH_MAX).step_by(if is_torture() { 1 } else { STRIDE })
}

/// What fails in which way: each kind in a thread of its own, as they mostly wait.
#[test]
fn whichever_call_fails_nothing_acknowledged_is_lost_and_the_store_comes_back() {
    let kinds = [
        (Call::Write, ENOSPC, Ill::Refused),
        (Call::Write, EIO, Ill::Refused),
        (Call::Sync, ENOSPC, Ill::Refused),
        (Call::Sync, EIO, Ill::Refused),
        (Call::Sync, EIO, Ill::Forgotten),
        (Call::Commit, EIO, Ill::DoneAllTheSame),
    ];
    thread::scope(|scope| {
        for (number, (call, errno, ill)) in kinds.into_iter().enumerate() {
            for lasts in [false, true] {
                scope.spawn(move || {
                    let nths: Vec<u64> = nths().collect();
                    for (life, some) in nths.chunks(IN_A_LIFE as usize).enumerate() {
                        runtime().block_on(async {
                            let mut patient = Patient::new((number * 1000 + life) as u64);
                            for nth in some {
                                let failure = failure(call, errno, ill, lasts, *nth);
                                assert!(patient.suffer(failure).await, "{failure:?} never came");
                            }
                            assert_eq!(
                                patient.loses_power_after(3).await.err(),
                                None,
                                "{call:?} {ill:?}"
                            );
                        });
                    }
                });
            }
        }
    });
}

/// A file grows now and then only: each store meets one failure.
#[test]
fn a_file_that_cannot_grow_loses_nothing_that_was_acknowledged() {
    let mut met = 0;
    for nth in 1..=if is_torture() { 30 } else { 4 } {
        for (errno, lasts) in [(ENOSPC, false), (ENOSPC, true), (EIO, true)] {
            runtime().block_on(async {
                let mut patient = Patient::new(5000 + nth);
                let failure = failure(Call::SetLen, errno, Ill::Refused, lasts, nth);
                met += u64::from(patient.suffer(failure).await);
                assert_eq!(
                    patient.loses_power_after(3).await.err(),
                    None,
                    "{failure:?}"
                );
            });
        }
    }
    println!("{met} files could not grow");
    assert!(met > 0, "no file had to grow: this proves nothing");
}

/// The other way round: if what a failed sync left behind stayed in the system's memory, later
/// commits would build upon it, and a power cut uncover that it never was on the disk. A single
/// round follows the failure: each further commit may happen to write anew what was forgotten.
#[test]
fn what_a_failed_sync_forgot_is_missed_if_the_cache_is_believed() {
    let mut found_out = 0;
    const LIVES: u64 = 24;
    for seed in 0..LIVES {
        runtime().block_on(async {
            let mut patient = Patient::new(6000 + seed);
            patient.disk.keep_what_is_clean();
            let failure = failure(Call::Commit, EIO, Ill::Forgotten, false, 30 + seed);
            assert!(patient.suffer(failure).await);
            found_out += u64::from(patient.loses_power_after(1).await.is_err());
        });
    }
    println!("{found_out} of {LIVES} stores that believed the cache were found out");
    assert!(found_out * 4 >= LIVES, "only {found_out} of {LIVES}");
}
