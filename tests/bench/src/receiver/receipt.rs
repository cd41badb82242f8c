//! What the receiver noted of one request, and how it is handed over: a line of text each.

use std::fmt;
use std::str::FromStr;

use anyhow::Context;

use super::place::Place;

/// One request as it arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipt {
    pub(crate) place: Place,
    /// Of the event.
    pub(crate) number: u64,
    /// When its whole body was there.
    pub(crate) at_us: u64,
    /// What it is answered with; 0: never.
    pub(crate) status: u16,
    /// `webhook-id`, the delivery's.
    pub(crate) webhook_id: u128,
}

impl Receipt {
    pub(crate) fn is_taken(&self) -> bool {
        self.status == 200
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            number,
            at_us,
            status,
            webhook_id,
        } = self;
        write!(f, "{place} {number} {at_us} {status} {webhook_id:x}")
    }
}

impl FromStr for Receipt {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> anyhow::Result<Self> {
        let mut fields = line.split(' ');
        let mut next = || fields.next().context("a receipt has five fields");
        Ok(Self {
            place: next()?.parse()?,
            number: next()?.parse()?,
            at_us: next()?.parse()?,
            status: next()?.parse()?,
            webhook_id: u128::from_str_radix(next()?, 16)?,
        })
    }
}
