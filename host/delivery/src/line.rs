//! What an ordered lane knows of its order, beside its buffer: what is out, what waits.
//!
//! The buffer of an ordered lane is what the store gave from the front, followed by what came
//! fresh after it: without a gap. So the first of it, or the first about its object, may go when
//! nothing before it is out or waits for its next try. What is not kept because something before
//! it waits is in the store, and read when that is due.

use std::collections::{HashMap, HashSet};

use whisperer_domain::delivery::Ready;
use whisperer_domain::hook::Ordered;
use whisperer_domain::id::Sequence;
use whisperer_domain::time::Timestamp;

#[derive(Debug, Default)]
pub(crate) struct Line {
    /// None: no hook was seen yet.
    mode: Option<Ordered>,
    /// Deliveries are out that began in another order: nothing begins before they are settled.
    is_turning: bool,
    /// By delivery that is out, what it is about.
    out: HashMap<Sequence, String>,
    busy: HashSet<String>,
    /// Objects of which a delivery waits for its next try, until when.
    blocked: HashMap<String, Timestamp>,
    /// Nothing but what is buffered may be tried before the next read.
    closed: bool,
}

/// Whether the lane has to begin anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turned {
    No,
    Yes,
}

impl Line {
    pub(crate) fn ordered(&self) -> Ordered {
        self.mode.unwrap_or_default()
    }

    pub(crate) fn is_ordered(&self) -> bool {
        self.ordered() != Ordered::No
    }

    /// The hook says in which order. Not the first time, what is buffered is out of order then.
    pub(crate) fn follow(&mut self, ordered: Ordered, any_out: bool) -> Turned {
        let earlier = self.mode.replace(ordered);
        if earlier.is_none_or(|earlier| earlier == ordered) {
            return Turned::No;
        }
        self.is_turning = any_out;
        Turned::Yes
    }

    /// Whether anything may begin while so many deliveries are out.
    pub(crate) fn is_open(&self, out: usize) -> bool {
        match self.ordered() {
            Ordered::No => true,
            Ordered::Hook => out == 0,
            Ordered::Object => !self.is_turning,
        }
    }

    /// Whether a delivery may begin, given that it is the first of the buffer or not.
    pub(crate) fn may_begin(&self, ready: &Ready, is_first: bool) -> bool {
        match self.ordered() {
            Ordered::No => true,
            Ordered::Hook => is_first,
            Ordered::Object => object(ready).is_none_or(|object| !self.busy.contains(object)),
        }
    }

    pub(crate) fn begin(&mut self, ready: &Ready) {
        if self.ordered() == Ordered::Object
            && let Some(object) = object(ready)
        {
            self.busy.insert(object.to_owned());
            self.out.insert(ready.delivery.sequence, object.to_owned());
        }
    }

    /// A delivery is not out any more; `out` others are.
    pub(crate) fn end(&mut self, sequence: Sequence, out: usize) {
        if let Some(object) = self.out.remove(&sequence) {
            self.busy.remove(&object);
        }
        self.is_turning &= out > 0;
    }

    /// A delivery that is out will wait until then, and what follows it with it: the answer says
    /// which of what is buffered is to be forgotten.
    pub(crate) fn wait(&mut self, sequence: Sequence, due: Timestamp) -> Follows {
        match self.ordered() {
            Ordered::No => Follows::Nothing,
            Ordered::Hook => {
                self.closed = true;
                Follows::All
            }
            Ordered::Object => match self.out.get(&sequence) {
                Some(object) => {
                    self.blocked.insert(object.clone(), due);
                    Follows::About(object.clone())
                }
                // It began in another order, and what it is about was not noted.
                None if self.is_turning => Follows::Unknown,
                None => Follows::Nothing,
            },
        }
    }

    /// Whether something that came fresh, or by a read, must stay in the store for now.
    pub(crate) fn holds_back(&self, ready: &Ready) -> bool {
        object(ready).is_some_and(|object| self.blocked.contains_key(object))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// The store may say otherwise now: it is asked before anything fresh is kept.
    pub(crate) fn look(&mut self) {
        self.blocked.clear();
        self.closed = false;
    }

    /// A read of what is due now begins: it will say anew what waits.
    pub(crate) fn begin_read(&mut self, now: Timestamp) {
        // What comes fresh from here on may have missed it, and is kept until it says whether to.
        self.closed = false;
        self.blocked.retain(|_, due| *due > now);
    }

    /// What it said.
    pub(crate) fn end_read(&mut self, blocked: Vec<(String, Timestamp)>, closed: bool) {
        self.closed = closed && self.is_ordered();
        if self.ordered() == Ordered::Object {
            self.blocked.extend(blocked);
        }
    }
}

/// What has to wait with a delivery.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Follows {
    Nothing,
    All,
    About(String),
    /// The store has to be asked.
    Unknown,
}

pub(crate) fn object(ready: &Ready) -> Option<&str> {
    ready.event.object_id.as_deref()
}

#[cfg(test)]
mod tests {
    use whisperer_domain::hook::Ordered;
    use whisperer_domain::id::Sequence;
    use whisperer_domain::time::Timestamp;

    use super::{Follows, Line};

    #[test]
    fn what_comes_fresh_while_the_head_is_read_again_is_not_turned_away() {
        let mut line = Line::default();
        line.follow(Ordered::Hook, false);
        assert_eq!(line.wait(Sequence(1), Timestamp(5)), Follows::All);
        assert!(line.is_closed());
        line.begin_read(Timestamp(5));
        assert!(!line.is_closed(), "the read began before it came");
        line.end_read(Vec::new(), true);
        assert!(line.is_closed());
    }
}
