//! A plugin that keeps breaking is stopped: for the hook it breaks on, and for all once it
//! breaks on several. Its deliveries wait instead of using up their attempts.
//!
//! What counts is that the code broke: [`FAULTS_MAX`] traps, timeouts or memory failures of one
//! digest on one hook, in a row. Whatever a plugin answers, `retry` and `reject` too, ends the
//! row. Now and then one call goes through as a probe; if it answers, the stop is over. Another
//! digest starts afresh.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use whisperer_domain::id::{Digest, HookId};
use whisperer_domain::plugin::PluginFailure;

/// Faults in a row that stop a plugin for a hook.
pub(crate) const FAULTS_MAX: u32 = 20;
/// Hooks that a plugin may be stopped for before it is stopped for all.
pub(crate) const HOOKS_MAX: usize = 3;

pub(crate) struct Quarantine {
    probe_every: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    digest: Option<Digest>,
    /// Hooks on which its last call broke; nobody else costs memory here.
    hooks: HashMap<HookId, Row>,
    /// Stopped for all: when the next probe may go.
    everywhere: Option<Instant>,
}

struct Row {
    faults: u32,
    /// Stopped for this hook: when the next probe may go.
    next_probe: Option<Instant>,
}

/// What a call said about the plugin's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It ran to an answer.
    Sound,
    /// It broke.
    Fault,
    /// The machine was the trouble.
    Nothing,
}

/// A change of what is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    StoppedForHook,
    StoppedForAll,
    Released,
}

/// What of a plugin is stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    pub everywhere: bool,
    pub hooks: Vec<HookId>,
}

impl Sign {
    /// No failure at all is as good as an answer.
    pub(crate) fn of(failure: Option<PluginFailure>) -> Self {
        match failure {
            None
            | Some(
                PluginFailure::Retry
                | PluginFailure::Reject
                | PluginFailure::OutputTooLarge
                | PluginFailure::InvalidOutput,
            ) => Self::Sound,
            Some(
                PluginFailure::Timeout
                | PluginFailure::Memory
                | PluginFailure::Stack
                | PluginFailure::Panic
                | PluginFailure::Trap
                | PluginFailure::Exit,
            ) => Self::Fault,
            Some(PluginFailure::Busy | PluginFailure::Failed) => Self::Nothing,
        }
    }
}

impl Quarantine {
    pub(crate) fn new(probe_every: Duration) -> Self {
        Self {
            probe_every,
            state: Mutex::default(),
        }
    }

    /// Whether a call may go. A call that goes although the plugin is stopped is the probe, and
    /// the next one has to wait.
    pub(crate) fn admits(&self, digest: Digest, hook: HookId, now: Instant) -> bool {
        let mut state = self.lock();
        if state.digest != Some(digest) {
            return true;
        }
        let State {
            hooks, everywhere, ..
        } = &mut *state;
        let own = hooks.get_mut(&hook).and_then(|row| row.next_probe.as_mut());
        let mut stops: Vec<&mut Instant> = own.into_iter().chain(everywhere).collect();
        if stops.iter().any(|next_probe| **next_probe > now) {
            return false;
        }
        for next_probe in &mut stops {
            **next_probe = now + self.probe_every;
        }
        true
    }

    /// Takes note of how a call ended.
    pub(crate) fn note(
        &self,
        digest: Digest,
        hook: HookId,
        sign: Sign,
        now: Instant,
    ) -> Option<Turn> {
        match sign {
            Sign::Nothing => None,
            Sign::Sound => self.sound(digest, hook),
            Sign::Fault => self.fault(digest, hook, now),
        }
    }

    fn sound(&self, digest: Digest, hook: HookId) -> Option<Turn> {
        let mut state = self.lock();
        if state.digest != Some(digest) {
            return None;
        }
        let row = state.hooks.remove(&hook);
        let own = row.is_some_and(|row| row.next_probe.is_some());
        let all = state.everywhere.take().is_some();
        (own || all).then_some(Turn::Released)
    }

    fn fault(&self, digest: Digest, hook: HookId, now: Instant) -> Option<Turn> {
        let mut state = self.lock();
        if state.digest != Some(digest) {
            // The first fault of a new file; or the last of the old one, which then costs the
            // new one nothing but this.
            *state = State {
                digest: Some(digest),
                ..State::default()
            };
        }
        let row = state.hooks.entry(hook).or_insert(Row {
            faults: 0,
            next_probe: None,
        });
        row.faults = row.faults.saturating_add(1);
        if row.faults < FAULTS_MAX || row.next_probe.is_some() {
            return None;
        }
        row.next_probe = Some(now + self.probe_every);
        let stopped = state.hooks.values().filter(|row| row.next_probe.is_some());
        if stopped.count() >= HOOKS_MAX && state.everywhere.is_none() {
            state.everywhere = Some(now + self.probe_every);
            return Some(Turn::StoppedForAll);
        }
        Some(Turn::StoppedForHook)
    }

    /// By hand. False if nothing was stopped.
    pub(crate) fn release(&self) -> bool {
        let was = self.stopped();
        *self.lock() = State::default();
        was != Stopped::default()
    }

    pub(crate) fn stopped(&self) -> Stopped {
        let state = self.lock();
        let stopped = state
            .hooks
            .iter()
            .filter(|(_, row)| row.next_probe.is_some());
        let mut hooks: Vec<HookId> = stopped.map(|(hook, _)| *hook).collect();
        hooks.sort_unstable();
        Stopped {
            everywhere: state.everywhere.is_some(),
            hooks,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing in here panics between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;
    use whisperer_domain::id::{Digest, HookId};
    use whisperer_domain::plugin::PluginFailure;

    use super::{FAULTS_MAX, Quarantine, Sign, Stopped, Turn};

    const CODE: Digest = Digest([1; 32]);
    const MINUTE: Duration = Duration::from_secs(60);

    fn break_on(quarantine: &Quarantine, hook: u64, now: Instant) -> Option<Turn> {
        let note = |_| quarantine.note(CODE, HookId(hook), Sign::Fault, now);
        (0..FAULTS_MAX).filter_map(note).last()
    }

    #[test]
    fn a_row_of_faults_stops_it_for_that_hook_alone() {
        let (quarantine, now) = (Quarantine::new(MINUTE), Instant::now());
        for _ in 1..FAULTS_MAX {
            assert_eq!(quarantine.note(CODE, HookId(1), Sign::Fault, now), None);
        }
        assert!(quarantine.admits(CODE, HookId(1), now));
        let last = quarantine.note(CODE, HookId(1), Sign::Fault, now);
        assert_eq!(last, Some(Turn::StoppedForHook));
        assert!(!quarantine.admits(CODE, HookId(1), now));
        assert!(quarantine.admits(CODE, HookId(2), now));
    }

    #[test]
    fn an_answer_ends_the_row_and_a_busy_machine_does_not() {
        let (quarantine, now) = (Quarantine::new(MINUTE), Instant::now());
        for _ in 1..FAULTS_MAX {
            quarantine.note(CODE, HookId(1), Sign::Fault, now);
        }
        let busy = Sign::of(Some(PluginFailure::Busy));
        quarantine.note(CODE, HookId(1), busy, now);
        let reject = Sign::of(Some(PluginFailure::Reject));
        assert_eq!(quarantine.note(CODE, HookId(1), reject, now), None);
        assert_eq!(quarantine.note(CODE, HookId(1), Sign::Fault, now), None);
        assert_eq!(quarantine.stopped(), Stopped::default());
    }

    #[test]
    fn one_probe_a_minute_goes_and_its_answer_releases() {
        let (quarantine, now) = (Quarantine::new(MINUTE), Instant::now());
        break_on(&quarantine, 1, now);
        let later = now + MINUTE;
        assert!(quarantine.admits(CODE, HookId(1), later));
        assert!(!quarantine.admits(CODE, HookId(1), later), "one, not two");
        assert_eq!(quarantine.note(CODE, HookId(1), Sign::Fault, later), None);
        assert!(!quarantine.admits(CODE, HookId(1), later + MINUTE / 2));
        assert!(quarantine.admits(CODE, HookId(1), later + MINUTE));
        let released = quarantine.note(CODE, HookId(1), Sign::Sound, later + MINUTE);
        assert_eq!(released, Some(Turn::Released));
        assert!(quarantine.admits(CODE, HookId(1), later + MINUTE));
    }

    #[test]
    fn three_hooks_stop_it_for_all_until_a_probe_of_anyone_answers() {
        let (quarantine, now) = (Quarantine::new(MINUTE), Instant::now());
        assert_eq!(break_on(&quarantine, 1, now), Some(Turn::StoppedForHook));
        assert_eq!(break_on(&quarantine, 2, now), Some(Turn::StoppedForHook));
        assert_eq!(break_on(&quarantine, 3, now), Some(Turn::StoppedForAll));
        assert!(!quarantine.admits(CODE, HookId(9), now));
        assert!(quarantine.admits(CODE, HookId(9), now + MINUTE));
        let released = quarantine.note(CODE, HookId(9), Sign::Sound, now + MINUTE);
        assert_eq!(released, Some(Turn::Released));
        assert!(quarantine.admits(CODE, HookId(8), now + MINUTE));
        let stopped = quarantine.stopped();
        assert_eq!((stopped.everywhere, stopped.hooks.len()), (false, 3));
    }

    #[test]
    fn a_new_file_and_a_hand_start_afresh() {
        let (quarantine, now) = (Quarantine::new(MINUTE), Instant::now());
        break_on(&quarantine, 1, now);
        assert!(quarantine.admits(Digest([2; 32]), HookId(1), now));
        assert!(quarantine.release());
        assert!(quarantine.admits(CODE, HookId(1), now));
        assert!(!quarantine.release());
    }
}
