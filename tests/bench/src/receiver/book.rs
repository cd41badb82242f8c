//! What is noted of each request at a place with a manner, and what it is answered with: for
//! `lanes`, which look at every single delivery.

use std::collections::HashMap;

use anyhow::Context;
use http::{HeaderMap, StatusCode};

use super::place::{Manner, Place};
use super::receipt::Receipt;
use crate::stamp::Stamp;

/// One in so many attempts fails at a flaky place.
const FLAKY_ONE_IN: u32 = 20;
/// The failures are the same in every run.
const FLAKY_SEED: u64 = 5;

pub(super) struct Book {
    receipts: Vec<Receipt>,
    taken: HashMap<Place, u64>,
    chance: fastrand::Rng,
}

/// A request, as far as a receipt tells of it.
pub(super) struct Came {
    pub(super) place: Place,
    number: u64,
    at_us: u64,
    webhook_id: u128,
}

impl Came {
    pub(super) fn read(
        path: &str,
        headers: &HeaderMap,
        stamp: Option<Stamp>,
        at_us: u64,
    ) -> anyhow::Result<Self> {
        let id = headers.get("webhook-id").context("no webhook-id")?;
        Ok(Self {
            place: path.parse()?,
            number: stamp.context("no stamp in the body")?.number,
            at_us,
            webhook_id: u128::from_str_radix(id.to_str()?, 16)?,
        })
    }
}

impl Book {
    pub(super) fn new() -> Self {
        Self {
            receipts: Vec::new(),
            taken: HashMap::new(),
            chance: fastrand::Rng::with_seed(FLAKY_SEED),
        }
    }

    /// Notes it and says what it is to be answered with; a hole never answers.
    pub(super) fn note(&mut self, came: &Came) -> StatusCode {
        let status = match came.place.manner {
            Manner::Fast | Manner::Slow | Manner::Hole => StatusCode::OK,
            Manner::Flaky if self.chance.u32(..FLAKY_ONE_IN) == 0 => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Manner::Flaky => StatusCode::OK,
        };
        let answers = came.place.manner != Manner::Hole;
        if answers && status == StatusCode::OK {
            *self.taken.entry(came.place).or_default() += 1;
        }
        self.receipts.push(Receipt {
            place: came.place,
            number: came.number,
            at_us: came.at_us,
            status: if answers { status.as_u16() } else { 0 },
            webhook_id: came.webhook_id,
        });
        status
    }

    /// How many were answered 200 there.
    pub(super) fn taken(&self, place: Place) -> u64 {
        self.taken.get(&place).copied().unwrap_or(0)
    }

    /// All receipts since the last time, in order of arrival.
    pub(super) fn hand_over(&mut self) -> Vec<Receipt> {
        std::mem::take(&mut self.receipts)
    }
}
