//! W-01: how many ticks a guest that does not end gets, counted and not timed: the next tick comes
//! only when the guest is seen running again, so that none passes it by.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use whisperer_domain::plugin::PluginFailure;

use super::tests::call;
use crate::config::SandboxConfig;
use crate::engine::{self, TICK, Ticker};
use crate::limits::Limits;
use crate::linker::linker;

/// How often the call was polled: once to begin, and once more after each time it gave way.
type Polls = Arc<AtomicU64>;

/// Lets an epoch pass for each time that the guest goes on; while it is only beginning, which is
/// all one poll, again and again.
fn tick(engine: &wasmtime::Engine, polls: &Polls, done: &AtomicBool) {
    let mut seen = 0;
    while !done.load(Ordering::Acquire) {
        let now = polls.load(Ordering::Acquire);
        if now > seen || now == 1 {
            seen = now;
            thread::sleep(Duration::from_micros(200));
            engine.increment_epoch();
        }
    }
}

/// The wall's clock stands still: only the guest's own time is looked at.
#[tokio::test(start_paused = true)]
async fn who_does_not_end_gets_its_time_and_two_ticks_at_most() {
    let engine = engine::build(&SandboxConfig::new("unused")).unwrap();
    let (linker, by_hand) = (linker(&engine).unwrap(), Ticker::by_hand());
    let own_ticks = Limits::default().own_time.as_millis() / TICK.as_millis();
    for name in ["spin", "exponential", "indirect"] {
        let (polls, done) = (Polls::default(), Arc::new(AtomicBool::new(false)));
        let ticker = thread::spawn({
            let (engine, polls, done) = (engine.clone(), Arc::clone(&polls), Arc::clone(&done));
            move || tick(&engine, &polls, &done)
        });
        let mut called = pin!(call(&engine, &by_hand, &linker, name));
        let answer = std::future::poll_fn(|context| {
            polls.fetch_add(1, Ordering::AcqRel);
            called.as_mut().poll(context)
        })
        .await;
        done.store(true, Ordering::Release);
        ticker.join().unwrap();
        let trouble = answer.result.unwrap_err();
        let message = trouble.message;
        assert_eq!(trouble.kind, PluginFailure::Timeout, "{name}: {message}");
        // It gave way at all of them but the last, which ended it.
        let ticks = u128::from(polls.load(Ordering::Acquire));
        assert!(
            (own_ticks..=own_ticks + 2).contains(&ticks),
            "{name}: {ticks} ticks of {own_ticks}"
        );
    }
}
