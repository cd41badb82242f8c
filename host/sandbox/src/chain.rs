//! One delivery's plugins, one after the other, on one snapshot of the registry.

use std::time::{Duration, Instant};

use tokio::sync::SemaphorePermit;
use whisperer_domain::attempt::PluginRun;
use whisperer_domain::event::Event;
use whisperer_domain::plugin::PluginFailure;
use whisperer_domain::port::{Chained, TransformJob, Transformed};

use crate::bindings::whisperer::plugin::types::{self, Outcome, Target};
use crate::call::{self, Answer, Input};
use crate::failure::{Trouble, words};
use crate::guest::Origin;
use crate::patch::Progress;
use crate::registry::Link;
use crate::sandbox::Sandbox;

pub(crate) async fn run(sandbox: &Sandbox, job: &TransformJob) -> Transformed {
    let start = Instant::now();
    let chain = sandbox
        .registry
        .load()
        .chain(&job.choice, &job.event.event_type);
    let mut runs = Vec::new();
    let result = match chain {
        Err(waiting) => Chained::Deferred(waiting),
        Ok(links) => run_links(sandbox, job, &links, &mut runs).await,
    };
    Transformed {
        result,
        runs,
        took: start.elapsed(),
    }
}

async fn run_links(
    sandbox: &Sandbox,
    job: &TransformJob,
    links: &[Link],
    runs: &mut Vec<PluginRun>,
) -> Chained {
    let target = Target {
        hook_id: job.hook.0.to_string(),
        origin: job.origin.clone(),
        attributes: Vec::new(),
    };
    let mut progress = Progress::default();
    for link in links {
        let (answer, took) = run_link(sandbox, &job.event, &target, &progress, link).await;
        let step = judge(answer.result, &mut progress, &job.event);
        runs.push(PluginRun {
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
}

fn judge(result: Result<Outcome, Trouble>, progress: &mut Progress, event: &Event) -> Step {
    match result {
        Ok(Outcome::Unchanged) => Step::Unchanged,
        Ok(Outcome::Modified(patch)) => match progress.apply(patch, event) {
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
        };
        return (answer, Duration::ZERO);
    };
    let start = Instant::now();
    let input = Input {
        origin: Origin {
            event_id: event.id.as_str(),
            occurred_at: event.occurred_at,
        },
        event: shown(event, progress),
        target,
        config: &link.config,
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
    types::Event {
        id: event.id.to_string(),
        event_type: event.event_type.to_string(),
        occurred_at_ms: event.occurred_at.0,
        content_type: progress.content_type(event).to_owned(),
        payload: progress.payload(event).to_vec(),
        headers: progress.headers(),
        attributes: object_id.collect(),
    }
}
