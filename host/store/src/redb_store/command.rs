//! What is asked of the writer, and its answers.
//!
//! Whoever asks holds a one-shot receiver; a command that is dropped unanswered, by a panic of
//! the writer say, tells them so, and they take it for unknown.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;
use whisperer_domain::access::Note;
use whisperer_domain::catalog::{CatalogChange, Changed, Revision};
use whisperer_domain::delivery::Pin;
use whisperer_domain::event::NewEvent;
use whisperer_domain::id::HookId;
use whisperer_domain::port::{
    AcceptError, Accepted, Budget, CatalogError, Compacted, DirectError, Directed, Directive,
    Retention, Rotated, Scope, Settled, Settlement, StoreDown, Swept, UpkeepError,
};

use super::shared::Shared;
use crate::error::StoreError;

pub(super) type Reply<T> = oneshot::Sender<T>;

pub(super) enum Command {
    Write(Write),
    /// A read met a fault in this opening of the database.
    Suspect {
        opening: u64,
    },
    /// Takes a new key, and answers when everything is sealed under it.
    Rotate(Reply<Result<Rotated, StoreError>>),
    Close(Reply<Result<(), StoreError>>),
    Compact(Reply<Result<Compacted, UpkeepError>>),
}

pub(super) enum Write {
    Accept {
        event: Box<NewEvent>,
        recipients: Vec<HookId>,
        revision: Revision,
        reply: Reply<Result<Accepted, AcceptError>>,
    },
    Settle {
        items: Arc<[Settlement]>,
        reply: Reply<Result<Vec<Settled>, StoreDown>>,
    },
    Change {
        change: CatalogChange,
        note: Option<Note>,
        reply: Reply<Result<Changed, CatalogError>>,
    },
    Direct {
        directive: Box<Directive>,
        scope: Scope,
        note: Option<Note>,
        reply: Reply<Result<Directed, DirectError>>,
    },
    Sweep {
        retention: Retention,
        budget: Budget,
        reply: Reply<Result<Swept, StoreDown>>,
    },
}

impl Write {
    /// How many rows it writes, about.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Accept { recipients, .. } => 2 + 3 * recipients.len(),
            Self::Settle { items, .. } => 4 * items.len(),
            Self::Change { .. } => 2,
            Self::Direct { directive, .. } => 2 + 4 * recipients(directive),
            // No more than would fill a commit.
            Self::Sweep { budget, .. } => budget.rows.min(1000),
        }
    }

    /// What it holds, about.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Accept {
                event, recipients, ..
            } => {
                let cloud = event.cloud.as_ref();
                let attributes = cloud.map_or(0, |cloud| cloud.members().len());
                512 + event.payload.len() + attributes + 8 * recipients.len()
            }
            Self::Settle { items, .. } => items.iter().map(settlement_bytes).sum(),
            Self::Change { .. } => 4096,
            Self::Direct { directive, .. } => 1024 + 8 * recipients(directive),
            // What goes is held by nobody.
            Self::Sweep { .. } => 512,
        }
    }

    /// Answers that nothing was written.
    pub(super) fn refuse(self, down: StoreDown) {
        match self {
            Self::Accept { reply, .. } => {
                Answer::Accept(reply, Err(AcceptError::Down(down))).send();
            }
            Self::Settle { reply, .. } => Answer::Settle(reply, Err(down)).send(),
            Self::Change { reply, .. } => {
                Answer::Change(reply, Err(CatalogError::Down(down))).send();
            }
            Self::Direct { reply, .. } => {
                Answer::Direct(reply, Err(DirectError::Down(down))).send();
            }
            Self::Sweep { reply, .. } => Answer::Sweep(reply, Err(down)).send(),
        }
    }
}

/// How many deliveries it makes.
fn recipients(directive: &Directive) -> usize {
    match directive {
        Directive::Replay { recipients, .. } => recipients.len(),
        Directive::Retry { .. } | Directive::Requeue { .. } | Directive::Cancel(_) => 0,
    }
}

fn settlement_bytes(item: &Settlement) -> usize {
    let pin = match &item.pin {
        Some(Pin::Made { body, .. }) => body.len(),
        Some(Pin::Unchanged { .. }) | None => 0,
    };
    let attempt = item.attempt.as_ref();
    let response = attempt.and_then(|attempt| attempt.response.as_ref());
    512 + pin + response.map_or(0, |response| response.body.len())
}

/// An answer that waits for its commit.
pub(super) enum Answer {
    Accept(
        Reply<Result<Accepted, AcceptError>>,
        Result<Accepted, AcceptError>,
    ),
    Settle(
        Reply<Result<Vec<Settled>, StoreDown>>,
        Result<Vec<Settled>, StoreDown>,
    ),
    Change(
        Reply<Result<Changed, CatalogError>>,
        Result<Changed, CatalogError>,
    ),
    Direct(
        Reply<Result<Directed, DirectError>>,
        Result<Directed, DirectError>,
    ),
    Sweep(Reply<Result<Swept, StoreDown>>, Result<Swept, StoreDown>),
}

impl Answer {
    pub(super) fn send(self) {
        // Whoever asked may have gone; what was done stays done.
        match self {
            Self::Accept(reply, result) => drop(reply.send(result)),
            Self::Settle(reply, result) => drop(reply.send(result)),
            Self::Change(reply, result) => drop(reply.send(result)),
            Self::Direct(reply, result) => drop(reply.send(result)),
            Self::Sweep(reply, result) => drop(reply.send(result)),
        }
    }

    /// Answers otherwise: the commit did not come about, and with it fell every answer that was
    /// worked out in it, refusals included.
    pub(super) fn fail(self, down: StoreDown) {
        match self {
            Self::Accept(reply, _) => drop(reply.send(Err(AcceptError::Down(down)))),
            Self::Settle(reply, _) => drop(reply.send(Err(down))),
            Self::Change(reply, _) => drop(reply.send(Err(CatalogError::Down(down)))),
            Self::Direct(reply, _) => drop(reply.send(Err(DirectError::Down(down)))),
            Self::Sweep(reply, _) => drop(reply.send(Err(down))),
        }
    }
}

/// A command in the queue; gives its place and bytes back when it leaves.
pub(super) struct Queued {
    command: Option<Command>,
    bytes: usize,
    shared: Arc<Shared>,
}

impl Queued {
    /// None: with it the queue would hold more bytes than it may. One alone always fits.
    pub(super) fn write(write: Write, bytes_max: usize, shared: &Arc<Shared>) -> Option<Self> {
        let bytes = write.bytes();
        let before = shared.queued_bytes.fetch_add(bytes, Ordering::AcqRel);
        shared.queued.fetch_add(1, Ordering::Relaxed);
        let queued = Self {
            command: Some(Command::Write(write)),
            bytes,
            shared: Arc::clone(shared),
        };
        (before == 0 || before.saturating_add(bytes) <= bytes_max).then_some(queued)
    }

    pub(super) fn order(command: Command, shared: &Arc<Shared>) -> Self {
        shared.queued.fetch_add(1, Ordering::Relaxed);
        Self {
            command: Some(command),
            bytes: 0,
            shared: Arc::clone(shared),
        }
    }

    pub(super) fn into_command(mut self) -> Option<Command> {
        self.command.take()
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.shared
            .queued_bytes
            .fetch_sub(self.bytes, Ordering::AcqRel);
        self.shared.queued.fetch_sub(1, Ordering::Relaxed);
    }
}
