//! Deliveries, and what belongs to each.

use whisperer_domain::hook::Ordered;
use whisperer_domain::id::{EventKey, HookId, Sequence};

use super::catalog::Known;
use super::{Checking, NUMBERS, RESTORE, UpkeepError, all, failed, has};
use crate::redb_store::record::{self, Row};
use crate::redb_store::rows;

const DELIVERY_LOST: &str = "it can be neither sent nor shown; restore a backup if it is needed";
const NOT_SENT: &str = "it waits for ever; retry it by hand (force)";
const NOT_SHOWN: &str = "the hook's history leaves it out; it is found by its number";
const ATTEMPTS_LOST: &str = "the delivery goes on, but its history is not whole";

/// Which deliveries were made with an event: kept for those that follow each other.
#[derive(Clone, Copy)]
struct MadeWith {
    event: EventKey,
    span: Span,
}

#[derive(Clone, Copy)]
enum Span {
    /// There is no such event.
    Nothing,
    /// Of which it is not told: its head or its name is damaged, or of the first format.
    Unknown,
    From(u64, u64),
}

impl Checking<'_> {
    pub(super) fn deliveries(&mut self, known: &Known) -> Result<(), UpkeepError> {
        let mut made: Option<MadeWith> = None;
        for row in all(&self.there.deliveries)? {
            let (sequence, bytes) = row.map_err(failed)?;
            let (sequence, bytes) = (Sequence(sequence.value()), bytes.value());
            self.passed("deliveries", 8 + bytes.len())?;
            self.live_bytes += bytes.len() as u64;
            let row = Row::decode(sequence, bytes);
            let Some(row) = self.unless_damaged(row, DELIVERY_LOST)? else {
                continue;
            };
            let key = &sequence.0;
            let highest = sequence.0.max(row.place.unwrap_or_default());
            if highest >= self.counters.sequence {
                self.find(
                    "deliveries",
                    key,
                    "has a number that was never given",
                    NUMBERS,
                );
            }
            let event = row.delivery.event;
            let known_one = made.filter(|made| made.event == event);
            let with = match known_one {
                Some(made) => made,
                None => self.made_with(event)?,
            };
            made = Some(with);
            self.of_event(sequence, with)?;
            self.of_hook(&row, known)?;
            let attempts = row.delivery.attempts;
            if attempts > 0 && !has(&self.there.attempts, (sequence.0, attempts))? {
                let what = format!("lacks the last of its {attempts} attempts");
                self.find("deliveries", key, what, ATTEMPTS_LOST);
            }
        }
        Ok(())
    }

    fn made_with(&mut self, event: EventKey) -> Result<MadeWith, UpkeepError> {
        let of = |span| Ok(MadeWith { event, span });
        let (Some(events), Some(names)) = (&self.there.events, &self.there.event_ids) else {
            return of(Span::Nothing);
        };
        let Some(bytes) = events.get(event.0).map_err(failed)? else {
            return of(Span::Nothing);
        };
        let Ok((id, _)) = record::decode_event_head(event, bytes.value()) else {
            return of(Span::Unknown);
        };
        match rows::event_id(names, &id) {
            Ok(Some(named)) => of(match named.first {
                Some(first) if named.event == event => {
                    Span::From(first.0, first.0.saturating_add(named.deliveries))
                }
                Some(_) | None => Span::Unknown,
            }),
            Ok(None) | Err(_) => of(Span::Unknown),
        }
    }

    fn of_event(&mut self, sequence: Sequence, with: MadeWith) -> Result<(), UpkeepError> {
        let event = with.event.0;
        match with.span {
            Span::Unknown => {}
            Span::Nothing => {
                let what = format!("belongs to event {event}, which is not there");
                self.find("deliveries", &sequence.0, what, DELIVERY_LOST);
            }
            Span::From(first, end) => {
                let is_among = (first..end).contains(&sequence.0);
                if !is_among && !has(&self.there.replays, (event, sequence.0))? {
                    let what = format!("is not among the deliveries of its event {event}");
                    let meaning = "retention leaves it behind, and the event's list leaves it out; \
                                   it is delivered all the same";
                    self.find("deliveries", &sequence.0, what, meaning);
                }
            }
        }
        Ok(())
    }

    fn of_hook(&mut self, row: &Row, known: &Known) -> Result<(), UpkeepError> {
        let (hook, sequence) = (row.delivery.hook, row.delivery.sequence);
        let key = &sequence.0;
        if !has(&self.there.history, (hook.0, sequence.0))? {
            let what = format!("is not in the history of hook {}", hook.0);
            self.find("deliveries", key, what, NOT_SHOWN);
        }
        if !known.is_there(hook) {
            let what = format!("is for hook {}, of which nothing is left", hook.0);
            self.find("deliveries", key, what, "only an admin can see it");
        }
        let Some(stands) = row.lane_key() else {
            return Ok(());
        };
        if !has(&self.there.pending, stands)? {
            let what = format!("is pending, but not in the lane of hook {}", hook.0);
            self.find("deliveries", key, what, NOT_SENT);
        }
        if let Some(ordered) = known.order_of(hook)
            && (ordered != Ordered::No) != row.place.is_some()
        {
            let what = "does not stand as its hook's lane is ordered";
            let meaning = "the lane may stand still; set `ordered` of the hook anew";
            self.find("deliveries", key, what, meaning);
        }
        Ok(())
    }

    /// What leads to deliveries: the lanes and the hooks' histories.
    pub(super) fn indexes(&mut self) -> Result<(), UpkeepError> {
        for row in all(&self.there.pending)? {
            let stands = row.map_err(failed)?.0.value();
            self.passed("pending", 24)?;
            let (hook, place, sequence) = stands;
            let is_whole = match self.delivery(Sequence(sequence)) {
                Some(Ok(row)) => row.lane_key() == Some(stands),
                // Found where deliveries are looked at.
                Some(Err(())) => true,
                None => false,
            };
            if !is_whole {
                let key = format!("{hook}, {place}, {sequence}");
                let meaning = "the lane reads it in vain each time, or in the wrong order; set \
                               `ordered` of the hook to something else and back";
                self.find("pending", &key, "is not where a delivery stands", meaning);
            }
        }
        for row in all(&self.there.history)? {
            let (hook, sequence) = row.map_err(failed)?.0.value();
            self.passed("history", 16)?;
            let is_whole = match self.delivery(Sequence(sequence)) {
                Some(Ok(row)) => row.delivery.hook == HookId(hook),
                Some(Err(())) => true,
                None => false,
            };
            if !is_whole {
                let key = format!("{hook}, {sequence}");
                let what = "names no delivery of this hook";
                self.find("history", &key, what, "it only takes room");
            }
        }
        Ok(())
    }

    /// None: there is none. The inner error: it cannot be read.
    fn delivery(&self, sequence: Sequence) -> Option<Result<Row, ()>> {
        let table = self.there.deliveries.as_ref()?;
        match rows::delivery(table, sequence) {
            Ok(row) => row.map(Ok),
            Err(_) => Some(Err(())),
        }
    }

    pub(super) fn attempts_and_pins(&mut self) -> Result<(), UpkeepError> {
        let mut total = 0;
        let mut of_one = (0, 0);
        for row in all(&self.there.attempts)? {
            let (key, bytes) = row.map_err(failed)?;
            let ((sequence, number), bytes) = (key.value(), bytes.value());
            self.passed("attempts", 12 + bytes.len())?;
            self.live_bytes += bytes.len() as u64;
            total += 1;
            let attempt = rows::attempt(Sequence(sequence), number, bytes);
            self.unless_damaged(attempt, ATTEMPTS_LOST)?;
            if of_one.0 != sequence {
                self.counted(of_one);
                of_one = (sequence, 0);
            }
            of_one.1 += 1;
        }
        self.counted(of_one);
        if total > self.counters.attempts_settled {
            let what = format!(
                "says {} attempts were settled, {total} are there",
                self.counters.attempts_settled
            );
            let meaning = "a metric is wrong; nothing is lost by it";
            self.find("meta", &rows::COUNTERS, what, meaning);
        }
        for row in all(&self.there.pins)? {
            let (sequence, bytes) = row.map_err(failed)?;
            let (sequence, bytes) = (Sequence(sequence.value()), bytes.value());
            self.passed("pins", 8 + bytes.len())?;
            self.live_bytes += bytes.len() as u64;
            let pin = match self.seal {
                Some(seal) => record::decode_pin(sequence, bytes, seal).map(drop),
                // Whether it opens cannot be told.
                None => record::sealer_of_pin(sequence, bytes).map(drop),
            };
            let meaning = "the delivery cannot be sent again as it was; cancel it and replay its \
                           event";
            self.unless_damaged(pin, meaning)?;
            if !has(&self.there.deliveries, sequence.0)? {
                self.find("pins", &sequence.0, "belongs to no delivery", RESTORE);
            }
        }
        Ok(())
    }

    /// As many attempts as there are of a delivery.
    fn counted(&mut self, (sequence, count): (u64, u32)) {
        if count == 0 {
            return;
        }
        match self.delivery(Sequence(sequence)) {
            Some(Ok(row)) if row.delivery.attempts != count => {
                let what = format!(
                    "{count} are there, the delivery says {}",
                    row.delivery.attempts
                );
                self.find("attempts", &sequence, what, ATTEMPTS_LOST);
            }
            Some(Ok(_) | Err(())) => {}
            None => {
                self.find("attempts", &sequence, "belong to no delivery", RESTORE);
            }
        }
    }
}
