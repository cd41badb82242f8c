//! One delivery's plugins, one after the other, on one snapshot of the registry.

use std::time::{Duration, Instant};

use tokio::sync::SemaphorePermit;
use whisperer_domain::attempt::PluginRun;
use whisperer_domain::delivery::Waiting;
use whisperer_domain::event::Event;
use whisperer_domain::id::HookId;
use whisperer_domain::patch::{Patch, Progress};
use whisperer_domain::plugin::PluginFailure;
use whisperer_domain::port::{Chained, TransformJob, Transformed};

use crate::bindings::whisperer::plugin::types::{self, Outcome, Target};
use crate::call::{self, Answer, Input};
use crate::failure::{Trouble, words};
use crate::guest::{Origin, Usage};
use crate::metrics;
use crate::quarantine::{Sign, Turn};
use crate::registry::Link;
use crate::sandbox::Sandbox;
use crate::tally::Counted;

/// Whether a run is of a delivery, or only to see what would happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Deliver,
    /// Counts nowhere, and runs what is in quarantine too: so its owner finds out why.
    Try,
}

/// What a run came to, and what each call of it took.
pub(crate) struct Ran {
    pub(crate) transformed: Transformed,
    /// One for each of `transformed.runs`.
    pub(crate) usages: Vec<Usage>,
}

pub(crate) async fn run(sandbox: &Sandbox, job: &TransformJob, purpose: Purpose) -> Ran {
    let start = Instant::now();
    let chain = sandbox
        .registry
        .load()
        .chain(&job.choice, &job.event.event_type)
        .and_then(|links| admitted(links, job.hook, purpose));
    let mut ran = Ran {
        transformed: Transformed {
            result: Chained::Unchanged,
            runs: Vec::new(),
            took: Duration::ZERO,
        },
        usages: Vec::new(),
    };
    ran.transformed.result = match chain {
        Err(waiting) => Chained::Deferred(waiting),
        Ok(links) => run_links(sandbox, job, &links, purpose, &mut ran).await,
    };
    ran.transformed.took = start.elapsed();
    ran
}

fn admitted(links: Vec<Link>, hook: HookId, purpose: Purpose) -> Result<Vec<Link>, Waiting> {
    if purpose == Purpose::Try {
        return Ok(links);
    }
    let now = tokio::time::Instant::now();
    let stopped = |link: &&Link| !link.quarantine.admits(link.generation.digest, hook, now);
    match links.iter().find(stopped) {
        Some(link) => Err(Waiting::PluginQuarantined(link.name.clone())),
        None => Ok(links),
    }
}

async fn run_links(
    sandbox: &Sandbox,
    job: &TransformJob,
    links: &[Link],
    purpose: Purpose,
    ran: &mut Ran,
) -> Chained {
    let target = Target {
        hook_id: job.hook.0.to_string(),
        origin: job.origin.clone(),
        attributes: Vec::new(),
    };
    let mut progress = Progress::default();
    for link in links {
        let (answer, took) = run_link(sandbox, &job.event, &target, &progress, link).await;
        let usage = answer.usage;
        let step = judge(answer.result, &mut progress, &job.event);
        if purpose == Purpose::Deliver {
            note(sandbox, link, job.hook, &step, took, usage);
        }
        ran.usages.push(usage);
        ran.transformed.runs.push(PluginRun {
            plugin: link.name.clone(),
            digest: link.generation.digest,
            took_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            result: step.word().to_owned(),
            log: answer.log,
        });
        match step {
            Step::Unchanged | Step::Modified => {}
            Step::Discarded { code, message } => {
                return Chained::Discarded {
                    plugin: link.name.clone(),
                    code,
                    message,
                };
            }
            Step::Failed(trouble) => {
                return Chained::Failed {
                    plugin: link.name.clone(),
                    kind: trouble.kind,
                    code: trouble.code,
                    message: trouble.message,
                };
            }
        }
    }
    progress.finish()
}

/// What one plugin's answer means for the chain.
enum Step {
    Unchanged,
    Modified,
    Discarded { code: String, message: String },
    Failed(Trouble),
}

impl Step {
    fn word(&self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Modified => "modified",
            Self::Discarded { .. } => "discard",
            Self::Failed(trouble) => trouble.kind.word(),
        }
    }

    fn failure(&self) -> Option<PluginFailure> {
        match self {
            Self::Unchanged | Self::Modified | Self::Discarded { .. } => None,
            Self::Failed(trouble) => Some(trouble.kind),
        }
    }
}

/// Counts a call, and stops or releases the plugin if that is what it means.
fn note(sandbox: &Sandbox, link: &Link, hook: HookId, step: &Step, took: Duration, usage: Usage) {
    let failure = step.failure();
    link.tally.note(Counted {
        failure,
        took,
        memory_bytes: usage.memory_bytes,
    });
    let now = tokio::time::Instant::now();
    let digest = link.generation.digest;
    let plugin = &link.name;
    match link.quarantine.note(digest, hook, Sign::of(failure), now) {
        None => {}
        Some(Turn::StoppedForHook) => {
            metrics::quarantined(plugin, "hook");
            tracing::warn!(%plugin, hook = hook.0, %digest, last = step.word(),
                "a plugin is stopped for a hook: it broke too often in a row");
        }
        Some(Turn::StoppedForAll) => {
            metrics::quarantined(plugin, "all");
            tracing::error!(%plugin, hook = hook.0, %digest, last = step.word(),
                "a plugin is stopped for all hooks: it broke too often on several");
        }
        Some(Turn::Released) => {
            tracing::info!(%plugin, hook = hook.0, %digest, "a plugin that was stopped answers again");
            sandbox.ring();
        }
    }
}

fn judge(result: Result<Outcome, Trouble>, progress: &mut Progress, event: &Event) -> Step {
    match result {
        Ok(Outcome::Unchanged) => Step::Unchanged,
        Ok(Outcome::Modified(patch)) => match progress.apply(said(patch), event) {
            Ok(()) => Step::Modified,
            Err(why) => Step::Failed(Trouble::new(PluginFailure::InvalidOutput, why)),
        },
        Ok(Outcome::Discard(reason)) => {
            let (code, message) = words(&reason.code, &reason.message);
            Step::Discarded { code, message }
        }
        Err(trouble) => Step::Failed(trouble),
    }
}

/// What the plugin answered, in the domain's words.
fn said(patch: types::Patch) -> Patch {
    let pairs = |headers: Vec<types::Header>| {
        let headers = headers.into_iter();
        headers.map(|header| (header.name, header.value)).collect()
    };
    Patch {
        payload: patch.payload.map(Into::into),
        content_type: patch.content_type,
        bare: patch.bare,
        remove_headers: patch.remove_headers,
        set_headers: pairs(patch.set_headers),
        append_headers: pairs(patch.append_headers),
    }
}

/// The time is that of the call alone, not of waiting for a turn.
async fn run_link(
    sandbox: &Sandbox,
    event: &Event,
    target: &Target,
    progress: &Progress,
    link: &Link,
) -> (Answer, Duration) {
    let Some(_turn) = turn(sandbox, link).await else {
        let message = format!("it got no turn within {} ms", sandbox.turn_wait.as_millis());
        let answer = Answer {
            result: Err(Trouble::new(PluginFailure::Busy, message)),
            log: Vec::new(),
            usage: Usage::default(),
        };
        return (answer, Duration::ZERO);
    };
    let start = Instant::now();
    let config = link.config.expose();
    let input = Input {
        origin: Origin {
            event_id: event.id.as_str(),
            occurred_at: event.occurred_at,
        },
        event: shown(event, progress),
        target,
        config: &config,
    };
    let answer = call::transform(&link.generation.code, &link.generation.limits, input).await;
    (answer, start.elapsed())
}

/// First the plugin's own, so that the queue of one that loops holds no turn of the others.
async fn turn<'a>(
    sandbox: &'a Sandbox,
    link: &'a Link,
) -> Option<(SemaphorePermit<'a>, SemaphorePermit<'a>)> {
    let both = async {
        let own = link.turns.acquire().await.ok()?;
        let shared = sandbox.turns.acquire().await.ok()?;
        Some((own, shared))
    };
    tokio::time::timeout(sandbox.turn_wait, both).await.ok()?
}

/// The event as this plugin of the chain sees it.
fn shown(event: &Event, progress: &Progress) -> types::Event {
    let object_id = event
        .object_id
        .iter()
        .map(|id| ("object-id".to_owned(), id.clone()));
    let headers = progress.headers().into_iter();
    types::Event {
        id: event.id.to_string(),
        event_type: event.event_type.to_string(),
        occurred_at_ms: event.occurred_at.0,
        content_type: progress.content_type(event).to_owned(),
        payload: progress.payload(event).to_vec(),
        headers: headers
            .map(|(name, value)| types::Header {
                name,
                value: value.read(str::to_owned),
            })
            .collect(),
        attributes: object_id.collect(),
    }
}
