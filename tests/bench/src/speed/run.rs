//! One run of a point: a warm-up, then the part that counts, from the first post to the last
//! receipt. Every event has to arrive at every hook that is to get it, or there is no figure.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::Serialize;

use super::point::{Lasts, Point};
use super::subject::{Scene, Subject};
use crate::generator::{Generator, Posted};
use crate::quantiles::Quantiles;
use crate::receiver::{Counted, Summary};
use crate::target::Counters;
use crate::usage::Usage;

/// For a backlog to be worked off, once no more is posted.
const ARRIVE_WITHIN: Duration = Duration::from_secs(120);

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Run {
    pub(crate) events: u64,
    pub(crate) deliveries: u64,
    pub(crate) duplicates: u64,
    pub(crate) deliveries_per_sec: f64,
    /// From when an event was due until a receiver had it.
    pub(crate) receipts: Quantiles,
    /// From when an event was due until it was accepted.
    pub(crate) answers: Quantiles,
    /// By how much the generator was late.
    pub(crate) late: Quantiles,
    /// Seconds of a processor per 10,000 deliveries.
    pub(crate) server_cpu: Option<f64>,
    pub(crate) generator_cpu: f64,
    pub(crate) receiver_cpu: f64,
    pub(crate) idle_mib: Option<f64>,
    pub(crate) peak_mib: Option<f64>,
    /// Each per delivery.
    pub(crate) written_kib: Option<f64>,
    pub(crate) commits: Option<f64>,
    pub(crate) syncs: Option<f64>,
}

/// What everybody used by now.
struct Reading {
    server: Option<Usage>,
    generator: Usage,
    receiver: Usage,
    counters: Counters,
}

impl Reading {
    async fn take(scene: &Scene) -> anyhow::Result<Self> {
        Ok(Self {
            server: scene.usage()?,
            generator: Usage::of(std::process::id())?,
            receiver: scene.receiver().usage()?,
            counters: scene.target.counters(&scene.http).await?,
        })
    }
}

pub(crate) async fn run(subject: &Subject, point: &Point, lasts: Lasts) -> anyhow::Result<Run> {
    let scene = subject.open(point).await?;
    let run = measure(&scene, point, lasts).await;
    let run = run.with_context(|| scene.last_words())?;
    scene.end().await?;
    Ok(run)
}

pub(crate) async fn measure(scene: &Scene, point: &Point, lasts: Lasts) -> anyhow::Result<Run> {
    let idle = scene.usage()?;
    let mut generator = scene.generator(&scene.stem, point).await?;
    load(scene, point, &mut generator, lasts.warm_up)
        .await
        .context("in the warm-up")?;

    let before = Reading::take(scene).await?;
    let (posted, summary) = load(scene, point, &mut generator, lasts.measure).await?;
    let after = Reading::take(scene).await?;
    figures(&posted, &summary, (&before, &after), idle)
}

/// Posts, and waits until everything arrived.
///
/// # Errors
/// Something was not accepted, did not arrive, or arrived where it should not.
pub(crate) async fn load(
    scene: &Scene,
    point: &Point,
    generator: &mut Generator,
    lasts: Duration,
) -> anyhow::Result<(Posted, Summary)> {
    let receiver = scene.receiver();
    let counted = Counted {
        hooks: point.hooks,
        first: scene.next.get(),
    };
    receiver.count(counted).await?;
    let posted = generator.load(point.pace, lasts, counted.first).await?;
    scene.next.set(counted.first + posted.events);
    let expected = posted.events * point.hooks.fan_out();
    receiver.until_counted(expected, ARRIVE_WITHIN).await?;
    let summary = receiver.summary(posted.events).await?;
    if summary.distinct < expected {
        let missing: Vec<String> = summary.missing.iter().map(named).collect();
        bail!(
            "{} of {expected} deliveries arrived within {} s: missing, among others, {}",
            summary.distinct,
            ARRIVE_WITHIN.as_secs(),
            missing.join(", ")
        );
    }
    ensure!(
        summary.strays == 0 && summary.distinct == expected,
        "{} requests arrived that nobody should have sent",
        summary.strays + summary.distinct - expected
    );
    Ok((posted, summary))
}

fn named((event, hook): &(u64, u32)) -> String {
    format!("event {event} at hook {hook}")
}

fn figures(
    posted: &Posted,
    summary: &Summary,
    (before, after): (&Reading, &Reading),
    idle: Option<Usage>,
) -> anyhow::Result<Run> {
    let deliveries = summary.distinct as f64;
    let took_us = summary.last_us.saturating_sub(posted.start_us);
    ensure!(deliveries > 0.0 && took_us > 0, "nothing was posted");
    let server = before.server.zip(after.server);
    let cpu = |before: Usage, after: Usage| (after.cpu_secs - before.cpu_secs) / deliveries * 1e4;
    let each = |before: Option<f64>, after: Option<f64>| {
        let both = before.zip(after);
        both.map(|(before, after)| (after - before) / deliveries)
    };
    let written = |of: fn(&Reading) -> &Option<Usage>| {
        let usage = |reading| of(reading).as_ref()?.written_bytes;
        each(usage(before), usage(after))
    };
    Ok(Run {
        events: posted.events,
        deliveries: summary.distinct,
        duplicates: summary.duplicates + summary.late,
        deliveries_per_sec: deliveries / (took_us as f64 / 1e6),
        receipts: summary.times,
        answers: posted.answers,
        late: posted.late,
        server_cpu: server.map(|(before, after)| cpu(before, after)),
        generator_cpu: cpu(before.generator, after.generator),
        receiver_cpu: cpu(before.receiver, after.receiver),
        idle_mib: idle.map(|it| it.resident_mib),
        peak_mib: after.server.map(|it| it.peak_mib),
        written_kib: written(|it| &it.server).map(|bytes| bytes / 1024.0),
        commits: each(before.counters.commits, after.counters.commits),
        syncs: each(before.counters.syncs, after.counters.syncs),
    })
}
