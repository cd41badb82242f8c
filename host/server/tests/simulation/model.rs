//! What must be true, kept beside the world: every delivery as the store has to have it, every
//! attempt under way, and what is known of each hook. It hears of everything at the moment at
//! which it happens, and writes down the first thing that may not.
//!
//! The rules stand in files of their own:
//! - [`turn`]: what may begin, and when; order, limits, and that it is due.
//! - [`pace`]: the rate, `Retry-After`, the breaker.
//! - [`content`]: what is sent is what the chain made, or what was pinned.
//! - [`fate`]: what becomes of a delivery is what its attempt came to.
//! - [`agree`]: the store has the same, and nothing changes there without a cause.

mod agree;
mod content;
mod fate;
mod pace;
mod turn;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use whisperer_domain::delivery::{Delivery, DeliveryState, Pin, Ready};
use whisperer_domain::event::Event;
use whisperer_domain::hook::Hook;
use whisperer_domain::id::{AttemptId, DeliveryUuid, EventKey, HookId, Sequence};
use whisperer_domain::outcome::Asks;
use whisperer_domain::port::Chained;
use whisperer_domain::time::Timestamp;

use crate::ops::Bounds;
pub(crate) use agree::Cause;
use pace::Watch;

/// A delivery, as it must be.
pub(crate) struct Row {
    pub(crate) sequence: Sequence,
    pub(crate) hook: HookId,
    pub(crate) event: Arc<Event>,
    uuid: DeliveryUuid,
    posted_at: Timestamp,
    /// Where it stands in the order of its lane.
    rank: u64,
    pub(crate) state: DeliveryState,
    attempts: u32,
    /// Attempts and time that its schedule does not count: those before it was brought back.
    attempts_before: u32,
    aging_since: Timestamp,
    pin: Option<Arc<Pin>>,
    known: Vec<AttemptId>,
    /// Somebody waits for it: a lane that rests is no hindrance.
    urgent: bool,
    /// It was answered 2xx, and whether being sent again is explained.
    answered: Option<Repetition>,
    flight: Option<Flight>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repetition {
    Unexplained,
    Explained,
}

/// An attempt that began and is not settled.
struct Flight {
    began_at: Timestamp,
    /// All this as it was when it began.
    hook: Arc<Hook>,
    rank: u64,
    /// Its lane was somebody else's.
    is_lost: bool,
    attempts_counted: u32,
    aging_since: Timestamp,
    pin: Option<Arc<Pin>>,
    chained: Option<Chained>,
    sent: bool,
    came: Option<Came>,
    ended_at: Timestamp,
    /// What it came to, with what came before, is enough to disable its hook.
    may_disable: bool,
}

impl Flight {
    fn is_running(&self) -> bool {
        self.came.is_none()
    }
}

/// What an attempt came to.
#[derive(Clone, Debug)]
pub(crate) enum Came {
    Answered {
        status: u16,
        retry_after: Option<Duration>,
        asks: Option<Asks>,
    },
    /// No answer.
    Nothing { timed_out: bool },
    /// Nothing was sent: the chain said so.
    Unsent(Chained),
}

impl Came {
    fn is_success(&self) -> bool {
        matches!(
            self,
            Self::Answered {
                status: 200..=299,
                ..
            }
        )
    }
}

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) rows: BTreeMap<Sequence, Row>,
    by_uuid: HashMap<String, Sequence>,
    by_event: HashMap<(HookId, EventKey), Sequence>,
    watches: BTreeMap<HookId, Watch>,
    next_rank: u64,
    pub(crate) healthy: Option<HookId>,
    /// It is attempted within it, whatever the others do.
    healthy_waits_max: Duration,
    /// No operation changes it.
    pub(crate) max_ages: BTreeMap<HookId, Duration>,
    /// Since when nothing explains that a healthy hook waits; none: something does.
    pub(crate) calm_since: Option<Timestamp>,
    pub(crate) is_draining: bool,
    /// Lanes that are somebody else's, which delivery cannot know yet.
    pub(crate) lost: BTreeSet<HookId>,
    disabled_after: Duration,
    pub(crate) trace: Vec<String>,
    pub(crate) violation: Option<String>,
}

impl Model {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        // Where there is little room its own posts, up to dozens at once, are read in small parts.
        let millis = if bounds.narrow { 1_000 } else { 50 };
        Self {
            disabled_after: bounds.disabled_after,
            healthy_waits_max: Duration::from_millis(millis),
            ..Self::default()
        }
    }

    /// The first one counts: what follows may follow from it.
    pub(crate) fn violate(&mut self, now: Timestamp, what: String) {
        self.note(now, format_args!("VIOLATION {what}"));
        self.violation.get_or_insert(what);
    }

    pub(crate) fn note(&mut self, now: Timestamp, what: std::fmt::Arguments<'_>) {
        let mut line = format!("{:>12.3} ", now.0 as f64 / 1000.0);
        // Writing to a string cannot fail.
        let _ = write!(line, "{what}");
        self.trace.push(line);
    }

    /// A delivery was committed.
    pub(crate) fn commit(&mut self, ready: &Ready, now: Timestamp) {
        let delivery = &ready.delivery;
        let (sequence, hook) = (delivery.sequence, delivery.hook);
        let object = ready.event.object_id.as_deref().unwrap_or("-");
        self.note(
            now,
            format_args!("made     {} for hook {} about {object}", sequence.0, hook.0),
        );
        let rank = self.draw_rank();
        self.by_uuid.insert(delivery.uuid.to_string(), sequence);
        self.by_event.insert((hook, ready.event.key), sequence);
        self.rows
            .insert(sequence, row(delivery, &ready.event, rank, now));
    }

    pub(crate) fn has_delivery(&self, hook: HookId, event: EventKey) -> bool {
        self.by_event.contains_key(&(hook, event))
    }

    fn draw_rank(&mut self) -> u64 {
        self.next_rank += 1;
        self.next_rank
    }

    fn lane(&self, hook: HookId) -> impl Iterator<Item = &Row> {
        self.rows.values().filter(move |row| row.hook == hook)
    }

    pub(crate) fn pending(&self) -> usize {
        let rows = self.rows.values();
        rows.filter(|row| row.state.due().is_some()).count()
    }

    /// How many attempts are under way, and how many ended and are not settled.
    pub(crate) fn under_way(&self) -> (usize, usize) {
        let flights = || self.rows.values().filter_map(|row| row.flight.as_ref());
        let running = flights().filter(|flight| flight.is_running()).count();
        (running, flights().count() - running)
    }

    /// The chain is asked about an event.
    pub(crate) fn chain(
        &mut self,
        hook: HookId,
        event: EventKey,
        chained: &Chained,
        current: Option<&Arc<Hook>>,
        now: Timestamp,
    ) {
        let Some(sequence) = self.by_event.get(&(hook, event)).copied() else {
            self.violate(
                now,
                format!("event {} of hook {} is unknown", event.0, hook.0),
            );
            return;
        };
        if self.rows[&sequence].pin.is_some() {
            self.violate(
                now,
                format!("{} is pinned and went through its chain again", sequence.0),
            );
        }
        self.begin(sequence, current, now);
        if let Some(flight) = self.flight(sequence) {
            flight.chained = Some(chained.clone());
        }
    }

    /// The chain answered; where nothing is to be sent, the attempt is over.
    pub(crate) fn chained(&mut self, hook: HookId, event: EventKey, now: Timestamp) {
        let Some(sequence) = self.by_event.get(&(hook, event)).copied() else {
            return;
        };
        let Some(flight) = self.flight(sequence) else {
            return;
        };
        if let Some(chained) = &flight.chained
            && !content::is_sent(chained, &flight.hook)
        {
            let came = Came::Unsent(chained.clone());
            self.end(sequence, came, now);
        }
    }

    /// A request reaches its receiver. Answers whose it is.
    pub(crate) fn send(
        &mut self,
        webhook_id: &str,
        body: &[u8],
        catalog: impl Fn(HookId) -> Option<Arc<Hook>>,
        now: Timestamp,
    ) -> Option<Sequence> {
        let Some(sequence) = self.by_uuid.get(webhook_id).copied() else {
            self.violate(now, format!("a request has the unknown id {webhook_id}"));
            return None;
        };
        let goes_on = self
            .flight(sequence)
            .is_some_and(|flight| flight.is_running() && !flight.sent && flight.chained.is_some());
        if !goes_on {
            let hook = catalog(self.rows[&sequence].hook);
            self.begin(sequence, hook.as_ref(), now);
        }
        self.check_content(sequence, body, now);
        if let Some(flight) = self.flight(sequence) {
            flight.sent = true;
        }
        self.note(now, format_args!("request  {}", sequence.0));
        Some(sequence)
    }

    /// What an attempt came to, at the moment at which delivery hears of it.
    pub(crate) fn end(&mut self, sequence: Sequence, came: Came, now: Timestamp) {
        self.note(now, format_args!("came     {} {came:?}", sequence.0));
        let Some(row) = self.rows.get_mut(&sequence) else {
            return;
        };
        let Some(flight) = &mut row.flight else {
            return;
        };
        flight.came = Some(came.clone());
        flight.ended_at = now;
        let (hook, began_at, rank) = (Arc::clone(&flight.hook), flight.began_at, flight.rank);
        let counts = came.is_success() && !flight.is_lost;
        let twice = came.is_success() && row.answered == Some(Repetition::Unexplained);
        if came.is_success() {
            row.answered = Some(Repetition::Unexplained);
        }
        if twice {
            self.violate(
                now,
                format!(
                    "{} was delivered twice, and nothing explains it",
                    sequence.0
                ),
            );
        }
        if counts {
            self.check_row_of_successes(sequence, rank, &hook, now);
        }
        let watch = self.watch(&hook);
        watch.answered_gone |= matches!(came, Came::Answered { status: 410, .. });
        if !watch.is_later(&hook) {
            watch.hear(sequence, &came, began_at, now);
        }
        let may_disable = self.may_disable(&hook, &came, now);
        if let Some(flight) = self.flight(sequence) {
            flight.may_disable = may_disable;
        }
    }

    /// The hook was changed: whatever was known of it is known of another one.
    pub(crate) fn follow(&mut self, hook: &Hook) {
        self.watch(hook);
    }

    fn flight(&mut self, sequence: Sequence) -> Option<&mut Flight> {
        self.rows.get_mut(&sequence)?.flight.as_mut()
    }

    /// All attempts that were under way are lost, and may be made again.
    pub(crate) fn end_life(&mut self) {
        self.calm_since = None;
        for row in self.rows.values_mut() {
            row.lose_flight();
            row.urgent = false;
        }
        for watch in self.watches.values_mut() {
            watch.forget();
        }
    }

    fn watch(&mut self, hook: &Hook) -> &mut Watch {
        let watch = self.watches.entry(hook.id).or_default();
        watch.follow(hook);
        watch
    }
}

impl Row {
    fn lose_flight(&mut self) {
        if self.flight.take().is_some() && self.answered.is_some() {
            self.answered = Some(Repetition::Explained);
        }
    }

    pub(crate) fn attempts_counted(&self) -> u32 {
        self.attempts - self.attempts_before
    }
}

fn row(delivery: &Delivery, event: &Arc<Event>, rank: u64, now: Timestamp) -> Row {
    Row {
        sequence: delivery.sequence,
        hook: delivery.hook,
        event: Arc::clone(event),
        uuid: delivery.uuid,
        posted_at: now,
        rank,
        state: delivery.state.clone(),
        attempts: 0,
        attempts_before: 0,
        aging_since: delivery.created_at,
        pin: None,
        known: Vec::new(),
        urgent: false,
        answered: None,
        flight: None,
    }
}
