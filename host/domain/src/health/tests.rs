//! What lanes learn, in lists of answers.

use std::time::Duration;

use super::{Answer, Breaker, Change, Health, Heard, OPEN_MAX, Patience, RETRY_AFTER_MAX};
use crate::id::Sequence;
use crate::news::HookNews;
use crate::outcome::{Outcome, UnreachableCause};
use crate::time::Timestamp;

const BADLY: Answer = Answer::Badly { timed_out: false };
const TIMED_OUT: Answer = Answer::Badly { timed_out: true };
const START: Timestamp = Timestamp(1_000_000);
const HOUR: Duration = Duration::from_secs(3600);

fn at(secs: u64) -> Timestamp {
    START.after(Duration::from_secs(secs))
}

/// A lane, and the next delivery it hears of.
#[derive(Default)]
struct Lane {
    health: Health,
    next: u64,
}

impl Lane {
    fn hear(&mut self, answer: Answer, now: Timestamp) -> Change {
        self.next += 1;
        self.hear_of(self.next, answer, now, now)
    }

    fn hear_of(
        &mut self,
        delivery: u64,
        answer: Answer,
        began_at: Timestamp,
        now: Timestamp,
    ) -> Change {
        let heard = Heard {
            answer,
            delivery: Sequence(delivery),
            began_at,
            rate: 100.0,
        };
        self.health.hear(&heard, now, &Patience::default())
    }

    fn rests_for(&mut self, now: Timestamp) -> u64 {
        let until = self.health.rests_until(now);
        until.map_or(0, |until| until.since(now).as_secs())
    }
}

#[test]
fn ten_failures_in_a_row_open_the_breaker_and_probes_keep_it_open_ever_longer() {
    let mut lane = Lane::default();
    for _ in 0..9 {
        lane.hear(BADLY, START);
    }
    assert_eq!(
        (lane.rests_for(START), lane.health.is_probing()),
        (0, false)
    );
    assert!(lane.hear(BADLY, START).is_lasting);
    let mut now = START;
    for expected in [1, 2, 4, 8, 16, 30, 30] {
        assert_eq!(lane.rests_for(now), expected);
        now = now.after(Duration::from_secs(expected));
        assert_eq!((lane.rests_for(now), lane.health.is_probing()), (0, true));
        lane.hear(BADLY, now);
    }
    lane.hear(Answer::Well, now);
    assert!(lane.health.is_default());
}

#[test]
fn a_success_in_between_begins_the_count_anew() {
    let mut lane = Lane::default();
    for _ in 0..9 {
        lane.hear(BADLY, START);
    }
    lane.hear(Answer::Well, START);
    for _ in 0..9 {
        lane.hear(BADLY, START);
    }
    assert!(!lane.health.is_probing());
}

#[test]
fn time_outs_count_twice_and_one_delivery_alone_opens_nothing() {
    let mut lane = Lane::default();
    for _ in 0..5 {
        lane.hear(TIMED_OUT, START);
    }
    assert!(lane.health.is_probing());
    let mut lane = Lane::default();
    for _ in 0..100 {
        lane.hear_of(1, TIMED_OUT, START, START);
    }
    assert!(!lane.health.is_probing());
}

#[test]
fn what_was_under_way_when_it_opened_is_no_probe() {
    let mut lane = Lane::default();
    for _ in 0..5 {
        lane.hear(TIMED_OUT, START);
    }
    let change = lane.hear_of(99, TIMED_OUT, START, at(1));
    assert!(!change.is_lasting);
    assert_eq!(lane.rests_for(START), 1);
}

#[test]
fn a_clock_set_back_keeps_nothing_shut_for_longer_than_the_bound() {
    let mut lane = Lane::default();
    for _ in 0..5 {
        lane.hear(TIMED_OUT, at(1_000_000));
    }
    let wait = Some(Duration::from_secs(u64::MAX));
    assert_eq!(lane.rests_for(START), OPEN_MAX.as_secs());
    lane.hear(Answer::Later { wait, down: false }, at(2_000_000));
    assert_eq!(lane.rests_for(START), RETRY_AFTER_MAX.as_secs());
}

#[test]
fn too_many_requests_halve_the_pace_once_and_successes_give_it_back() {
    let mut lane = Lane::default();
    let later = |secs| Answer::Later {
        wait: Some(Duration::from_secs(secs)),
        down: false,
    };
    lane.hear(later(5), at(10));
    let pace = |lane: &Lane| lane.health.pace.map(|pace| pace.per_second);
    assert_eq!((pace(&lane), lane.rests_for(at(10))), (Some(50.0), 5));
    // It began before the pace was cut: the longer wait holds, the pace stays.
    lane.hear_of(7, later(9), at(9), at(11));
    assert_eq!((pace(&lane), lane.rests_for(at(11))), (Some(50.0), 9));
    assert!(matches!(
        lane.health.breaker,
        Breaker::Closed { strikes: 0, .. }
    ));
    lane.hear(Answer::Well, at(21));
    assert_eq!(pace(&lane), Some(50.1));
    for _ in 0..3600 {
        lane.hear(Answer::Well, at(22));
    }
    assert_eq!(pace(&lane), None);
    lane.hear(later(0), at(30));
    assert_eq!(lane.rests_for(at(30)), 0);
    lane.hear(Answer::Well, at(630));
    assert_eq!(pace(&lane), None, "ten minutes without another");
}

#[test]
fn a_retry_after_holds_although_a_later_answer_names_none() {
    let mut lane = Lane::default();
    let later = |wait| Answer::Later { wait, down: false };
    lane.hear(later(Some(Duration::from_secs(60))), at(10));
    // One that somebody waited for was tried all the same.
    lane.hear(later(None), at(20));
    assert_eq!(lane.rests_for(at(20)), 50);
}

#[test]
fn hooks_that_only_fail_are_told_after_an_hour_and_disabled_after_five_days() {
    let mut lane = Lane::default();
    assert_eq!(lane.hear(BADLY, START).news, None);
    assert_eq!(lane.hear(BADLY, at(3599)).news, None);
    let told = lane.hear(BADLY, START.after(HOUR));
    assert_eq!(told.news, Some(HookNews::Failing { since: START }));
    assert_eq!(lane.hear(BADLY, START.after(HOUR * 2)).news, None, "once");
    let before = lane.hear(BADLY, START.after(HOUR * 120 - Duration::from_secs(1)));
    assert_eq!(before.disable, None);
    let reason = lane.hear(BADLY, START.after(HOUR * 120)).disable.unwrap();
    assert_eq!(
        reason,
        "every attempt failed since 1970-01-01T00:16:40.000Z"
    );
}

#[test]
fn one_success_inside_the_five_days_keeps_the_hook() {
    let mut lane = Lane::default();
    lane.hear(BADLY, START);
    lane.hear(BADLY, START.after(HOUR));
    let recovered = lane.hear(Answer::Well, START.after(HOUR * 100));
    assert_eq!(recovered.news, Some(HookNews::Recovered { since: START }));
    lane.hear(BADLY, START.after(HOUR * 101));
    let late = lane.hear(BADLY, START.after(HOUR * 200));
    assert_eq!(late.disable, None);
}

#[test]
fn what_is_not_the_receivers_doing_says_nothing_of_it() {
    let internal = Outcome::Internal {
        message: String::new(),
    };
    let proxy_is_down = Outcome::Unreachable {
        cause: UnreachableCause::Proxy,
        message: String::new(),
    };
    let mut lane = Lane::default();
    for outcome in [internal, proxy_is_down].iter().cycle().take(40) {
        let change = lane.hear(Answer::of(outcome), START);
        assert_eq!(change, Change::default());
    }
    assert!(lane.health.is_default());
    let down = Outcome::Refused {
        status: 503,
        retry_after_secs: None,
    };
    for _ in 0..10 {
        lane.hear(Answer::of(&down), START);
    }
    assert!(lane.health.is_probing(), "a 503 is a failure too");
}

#[test]
fn a_success_by_hand_does_not_end_a_long_retry_after() {
    let mut lane = Lane::default();
    let day = Answer::Later {
        wait: Some(HOUR * 24),
        down: false,
    };
    lane.hear(day, START);
    lane.hear(Answer::Well, START.after(HOUR));
    assert_eq!(lane.rests_for(START.after(HOUR)), 23 * 3600);
    lane.hear(Answer::Well, START.after(HOUR * 24));
    assert!(lane.health.is_default());
}
