//! A lane's deliveries that are ready to be tried, oldest due first. Pinned ones stand apart,
//! because they need no plugin and go on while the lane waits for one; and so do urgent ones,
//! which somebody waits for and which go before all others. In an ordered lane all stand in one
//! row, and its [`Line`] says which of them may go.

use std::collections::VecDeque;

use whisperer_domain::delivery::DeliveryState;
use whisperer_domain::id::Sequence;
use whisperer_domain::time::Timestamp;

use crate::feed::Held;
use crate::line::{self, Line};

#[derive(Debug, Default)]
pub(crate) struct Buffer {
    plain: VecDeque<Held>,
    pinned: VecDeque<Held>,
    urgent: VecDeque<Held>,
    bytes: usize,
    in_order: bool,
}

/// Which deliveries may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Any,
    PinnedOnly,
    UrgentOnly,
    None,
}

impl Buffer {
    pub(crate) fn len(&self) -> usize {
        self.plain.len() + self.pinned.len() + self.urgent.len()
    }

    pub(crate) fn urgent_len(&self) -> usize {
        self.urgent.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether all stand in one row from now on. To be said while it is empty.
    pub(crate) fn stand_in_order(&mut self, in_order: bool) {
        self.in_order = in_order;
    }

    pub(crate) fn push_back(&mut self, held: Held) {
        self.bytes += held.room.bytes();
        self.side(&held).push_back(held);
    }

    /// In front of everything: it had its turn already and could not use it.
    pub(crate) fn push_front(&mut self, held: Held) {
        self.bytes += held.room.bytes();
        self.side(&held).push_front(held);
    }

    /// Behind other urgent ones, in front of all else.
    pub(crate) fn push_urgent(&mut self, held: Held) {
        self.bytes += held.room.bytes();
        self.urgent.push_back(held);
    }

    /// Makes one that waits its turn urgent.
    pub(crate) fn hasten(&mut self, sequence: Sequence) {
        for side in [&mut self.plain, &mut self.pinned] {
            let place = side
                .iter()
                .position(|held| held.ready.delivery.sequence == sequence);
            if let Some(held) = place.and_then(|place| side.remove(place)) {
                self.urgent.push_back(held);
                return;
            }
        }
    }

    fn side(&mut self, held: &Held) -> &mut VecDeque<Held> {
        match held.ready.pin {
            Some(_) if !self.in_order => &mut self.pinned,
            Some(_) | None => &mut self.plain,
        }
    }

    pub(crate) fn has(&self, choice: Choice, line: &Line) -> bool {
        if self.in_order {
            return self.next_in_order(choice, line).is_some();
        }
        match choice {
            Choice::None => false,
            Choice::Any => self.len() > 0,
            Choice::PinnedOnly => !self.pinned.is_empty() || self.urgent_pinned().is_some(),
            Choice::UrgentOnly => !self.urgent.is_empty(),
        }
    }

    pub(crate) fn pop(&mut self, choice: Choice, line: &Line) -> Option<Held> {
        if self.in_order {
            let place = self.next_in_order(choice, line)?;
            let held = self.plain.remove(place)?;
            self.bytes -= held.room.bytes();
            return Some(held);
        }
        let pinned_first = match (self.plain.front(), self.pinned.front()) {
            (Some(plain), Some(pinned)) => due(pinned) <= due(plain),
            (None, _) => true,
            (Some(_), None) => false,
        };
        let held = match choice {
            Choice::Any if !self.urgent.is_empty() => self.urgent.pop_front(),
            Choice::Any if pinned_first => self.pinned.pop_front(),
            Choice::Any => self.plain.pop_front(),
            Choice::PinnedOnly => match self.urgent_pinned() {
                Some(place) => self.urgent.remove(place),
                None => self.pinned.pop_front(),
            },
            Choice::UrgentOnly => self.urgent.pop_front(),
            Choice::None => None,
        }?;
        self.bytes -= held.room.bytes();
        Some(held)
    }

    fn urgent_pinned(&self) -> Option<usize> {
        self.urgent.iter().position(|held| held.ready.pin.is_some())
    }

    fn next_in_order(&self, choice: Choice, line: &Line) -> Option<usize> {
        let place = self
            .plain
            .iter()
            .enumerate()
            .position(|(place, held)| line.may_begin(&held.ready, place == 0))?;
        // One that may go but is not chosen holds up what follows it: its neighbours wait for the
        // same plugin.
        let is_chosen = match choice {
            Choice::Any => true,
            Choice::PinnedOnly => self.plain[place].ready.pin.is_some(),
            Choice::UrgentOnly | Choice::None => false,
        };
        is_chosen.then_some(place)
    }

    /// Gives up everything about an object, to be read from the store again.
    pub(crate) fn forget_about(&mut self, object: &str) -> Vec<Sequence> {
        let mut forgotten = Vec::new();
        self.plain.retain(|held| {
            let stays = line::object(&held.ready) != Some(object);
            if !stays {
                forgotten.push(held.ready.delivery.sequence);
                self.bytes -= held.room.bytes();
            }
            stays
        });
        forgotten
    }

    /// Gives up the last one, to be read from the store again.
    pub(crate) fn forget_last(&mut self) -> Option<Sequence> {
        let held = self.plain.pop_back();
        let held = held.or_else(|| self.pinned.pop_back());
        let held = held.or_else(|| self.urgent.pop_back())?;
        self.bytes -= held.room.bytes();
        Some(held.ready.delivery.sequence)
    }
}

fn due(held: &Held) -> Timestamp {
    match held.ready.delivery.state {
        DeliveryState::Pending { due, .. } => due,
        DeliveryState::Delivered
        | DeliveryState::Discarded { .. }
        | DeliveryState::Dead(_)
        | DeliveryState::Cancelled(_) => held.ready.delivery.created_at,
    }
}
