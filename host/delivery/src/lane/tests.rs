//! What a lane must not forget, and must not hold twice, while the store is being read.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;
use whisperer_domain::delivery::{Delivery, DeliveryState, Ready};
use whisperer_domain::event::Event;
use whisperer_domain::event_type::EventType;
use whisperer_domain::hook::Ordered;
use whisperer_domain::id::{DeliveryUuid, EventId, EventKey, HookId, Sequence};
use whisperer_domain::port::{Fence, Lease};
use whisperer_domain::time::Timestamp;

use super::{Lane, Standing};
use crate::buffer::Choice;
use crate::config::DeliveryConfig;
use crate::feed::Held;
use crate::space::Space;

const NOW: Timestamp = Timestamp(1_000);
const ROWS_MAX: usize = 3;

fn lease(fence: u64) -> Lease {
    Lease {
        hook: HookId(1),
        fence: Fence(fence),
    }
}

fn held(sequence: u64) -> Held {
    let event_type = EventType::parse("package.created").unwrap();
    let delivery = Delivery {
        sequence: Sequence(sequence),
        uuid: DeliveryUuid(Uuid::from_u128(sequence.into())),
        hook: HookId(1),
        event: EventKey(sequence),
        event_type: event_type.clone(),
        created_at: NOW,
        modified_at: NOW,
        attempts: 0,
        state: DeliveryState::Pending {
            due: NOW,
            waiting_for: None,
        },
        last_status: None,
        revival: None,
    };
    let event = Event {
        key: EventKey(sequence),
        id: EventId::parse("e").unwrap(),
        event_type,
        occurred_at: NOW,
        accepted_at: NOW,
        object_id: None,
        content_type: "application/json".to_owned(),
        cloud: None,
        payload: Bytes::new(),
    };
    let ready = Ready {
        delivery,
        event: Arc::new(event),
        pin: None,
    };
    let room = Space::new(usize::MAX).reserve(ready.bytes()).unwrap();
    Held { ready, room }
}

fn wants_read(lane: &Lane) -> bool {
    lane.wants_read(NOW, &DeliveryConfig::new(1))
}

fn buffered(lane: &mut Lane) -> Vec<u64> {
    let mut sequences = Vec::new();
    while let Some(held) = lane.buffer.pop(Choice::Any, &lane.line) {
        sequences.push(held.ready.delivery.sequence.0);
    }
    sequences
}

#[test]
fn what_comes_fresh_during_a_read_waits_for_its_end_and_is_held_once() {
    let mut lane = Lane::new(lease(1), false, true);
    lane.fall_behind();
    assert!(lane.begin_read(NOW).is_empty());
    lane.arrive(held(7), ROWS_MAX);
    lane.arrive(held(8), ROWS_MAX);
    assert!(!lane.may_begin(NOW), "the read may bring the same");
    lane.keep(held(7));
    lane.end_read(false);
    assert!(!wants_read(&lane));
    assert_eq!(buffered(&mut lane), [7, 8]);
}

#[test]
fn whatever_is_forgotten_during_a_read_makes_another_one_follow() {
    let forget: [fn(&mut Lane); 4] = [
        |lane| (1..=4).for_each(|sequence| lane.arrive(held(sequence), ROWS_MAX)),
        |lane| lane.fall_behind(),
        |lane| assert!(lane.forget_last()),
        |lane| lane.renew(lease(2)),
    ];
    for (case, forget) in forget.into_iter().enumerate() {
        let mut lane = Lane::new(lease(1), false, true);
        lane.keep(held(9));
        lane.fall_behind();
        assert_eq!(lane.begin_read(NOW), [Sequence(9)]);
        forget(&mut lane);
        lane.end_read(false);
        assert!(wants_read(&lane), "case {case}");
    }
}

/// What a read leaves out because it is held would be missing before what the read brings.
#[test]
fn of_an_ordered_lane_that_forgets_during_a_read_nothing_is_kept_that_the_read_brings() {
    for ordered in [Ordered::No, Ordered::Hook, Ordered::Object] {
        let mut lane = Lane::new(lease(1), false, true);
        lane.line.follow(ordered, false);
        lane.keep(held(8));
        lane.keep(held(9));
        lane.fall_behind();
        assert_eq!(lane.begin_read(NOW).len(), 2);
        assert!(lane.forget_last());
        assert_eq!(lane.read_is_stale(), ordered != Ordered::No);
        lane.end_read(false);
        assert!(wants_read(&lane));
    }
}

#[test]
fn a_lane_that_is_full_or_behind_leaves_the_fresh_to_the_store() {
    let mut lane = Lane::new(lease(1), false, true);
    (1..=ROWS_MAX as u64).for_each(|sequence| lane.arrive(held(sequence), ROWS_MAX));
    assert!(!wants_read(&lane));
    lane.arrive(held(9), ROWS_MAX);
    assert!(wants_read(&lane));
    assert_eq!(buffered(&mut lane), [1, 2, 3]);
    lane.arrive(held(10), ROWS_MAX);
    assert_eq!(
        buffered(&mut lane),
        [] as [u64; 0],
        "older ones are in the store"
    );
}

#[test]
fn what_is_given_up_is_read_again() {
    let mut lane = Lane::new(lease(1), false, true);
    lane.keep(held(1));
    assert!(lane.forget_last() && !lane.forget_last());
    assert!(wants_read(&lane) && lane.begin_read(NOW).is_empty());
}

#[test]
fn a_lane_that_may_not_run_neither_sends_nor_reads() {
    for standing in [Standing::Parked, Standing::Gone, Standing::Fenced] {
        let mut lane = Lane::new(lease(1), false, true);
        lane.keep(held(1));
        lane.fall_behind();
        lane.standing = standing;
        assert!(!lane.may_begin(NOW) && !wants_read(&lane));
        assert_eq!(lane.next_wake(NOW), None);
    }
}

#[test]
fn a_newer_lease_starts_over_and_an_older_one_changes_nothing() {
    let mut lane = Lane::new(lease(2), false, true);
    lane.keep(held(1));
    lane.renew(lease(1));
    assert_eq!((lane.lease, lane.buffer.len()), (lease(2), 1));
    lane.standing = Standing::Fenced;
    lane.renew(lease(3));
    assert_eq!((lane.standing, lane.buffer.len()), (Standing::Running, 0));
    assert!(wants_read(&lane));
}

#[test]
fn what_is_urgent_goes_first_wherever_it_is_and_once() {
    let mut lane = Lane::new(lease(1), false, true);
    (1..=3).for_each(|sequence| lane.arrive(held(sequence), ROWS_MAX));
    lane.hasten(held(2));
    lane.hasten(held(9));
    assert_eq!(buffered(&mut lane), [2, 9, 1, 3]);

    let mut lane = Lane::new(lease(1), false, true);
    lane.fall_behind();
    lane.begin_read(NOW);
    lane.hasten(held(8));
    assert!(!lane.may_begin(NOW), "the read may bring it");
    lane.keep(held(7));
    lane.keep(held(8));
    lane.end_read(true);
    assert_eq!(buffered(&mut lane), [8, 7]);
}

#[test]
fn what_is_recalled_is_read_anew_and_a_read_from_before_is_stale() {
    let mut lane = Lane::new(lease(1), false, true);
    lane.keep(held(1));
    lane.fall_behind();
    lane.begin_read(NOW);
    lane.hasten(held(2));
    lane.recall();
    assert!(lane.read_is_stale() && lane.buffer.len() == 0);
    lane.end_read(true);
    assert!(wants_read(&lane) && lane.begin_read(NOW).is_empty());
    assert!(!lane.read_is_stale());
}

#[test]
fn whoever_is_let_go_after_a_look_is_looked_for_again() {
    let look: [fn(&mut Lane); 3] = [Lane::look, Lane::recall, |lane| lane.hasten(held(1))];
    for (case, look) in look.into_iter().enumerate() {
        let mut lane = Lane::new(lease(1), false, true);
        lane.keep(held(1));
        lane.keep(held(2));
        lane.out.extend([Sequence(1), Sequence(2)]);
        look(&mut lane);
        assert!(!lane.may_take_back(Sequence(1)), "case {case}");
        // A read that leaves out what is held is no answer to the look.
        if wants_read(&lane) {
            lane.begin_read(NOW);
            lane.end_read(false);
        }
        lane.let_go(Sequence(1));
        assert!(wants_read(&lane), "case {case}");
    }
    let mut lane = Lane::new(lease(1), false, true);
    lane.keep(held(1));
    lane.let_go(Sequence(1));
    assert!(!wants_read(&lane), "nobody told it to look");
}
