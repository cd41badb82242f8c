//! An ordered hook whose receiver fails one attempt in twenty, and a server that is killed twice
//! while it works the hook's events off: they must arrive in order, each once, but for the one
//! that was under way at a kill.
//!
//! The first half of the events is posted while the hook is paused, so that it has a backlog; the
//! other half while it drains and the server is killed, one after the other, each posted again
//! under its id until it is acknowledged. So their order is known beforehand.

mod order;

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::api::{self, Api};
use crate::event;
use crate::lanes::plan::Plan;
use crate::lanes::report::{Report, Row, Verdict};
use crate::receiver::{Manner, Receipt};
use crate::stamp::Stamp;
use crate::wall;
use crate::world::{Stage, World};

const NAME: &str = "ordered";
const EVENT_TYPE: &str = "lane.ordered";
const KILLS: u64 = 2;
/// All of it, kills included.
const WITHIN: Duration = Duration::from_secs(300);
const POST_AGAIN_AFTER: Duration = Duration::from_millis(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(crate) async fn run(stage: &Stage, plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let mut world = World::start(stage).await?;
    let Some(hook) = ordered_hook(&world).await? else {
        let words = "skipped: this server does not know the field \"ordered\"";
        report.say(NAME, words);
        report.row(Row::note(
            NAME,
            "events in order over retries and kills",
            words,
        ));
        return world.end().await;
    };
    let (events, half) = (plan.ordered, plan.ordered / 2);
    world.api.pause(hook).await?;
    let (newest, known) = watch::channel(Arc::clone(&world.api));
    report.say(NAME, &format!("posting {half} events, one after the other"));
    post(&known, 0..half).await?;
    world.api.resume(hook).await?;

    let work = async {
        let kills = drain(&mut world, hook, events, &newest, report).await?;
        anyhow::Ok((kills, world.receiver.receipts().await?))
    };
    let work = async { tokio::try_join!(work, post(&known, half..events)) };
    let ended = tokio::time::timeout(WITHIN, work).await;
    let ((kills, receipts), ()) =
        ended.with_context(|| format!("not drained within {} s", WITHIN.as_secs()))??;
    world.end().await?;
    tell(&receipts, &kills, events, report)
}

/// A kill of the server: when it was surely gone, and how long nothing was delivered.
struct Kill {
    gone_us: u64,
    down: Duration,
}

/// None: the server does not know the field.
async fn ordered_hook(world: &World) -> anyhow::Result<Option<u64>> {
    world.api.event_type(EVENT_TYPE).await?;
    let extra = json!({
        "ordered": true,
        "max_attempts": 100,
        "retry_countdown_config": {"choice": "fixed", "kwargs": {"seconds": 0}},
    });
    let hook = api::hook(&world.receiver.url(Manner::Flaky.at(0)), EVENT_TYPE, extra);
    let (status, answer) = world.api.call(Method::POST, "/hooks/", Some(&hook)).await?;
    if status == StatusCode::BAD_REQUEST && answer["errors"]["ordered"] != Value::Null {
        return Ok(None);
    }
    ensure!(status == StatusCode::CREATED, "{status}: {answer}");
    ensure!(
        answer["ordered"] == true,
        "the hook is not ordered: {answer}"
    );
    answer["id"].as_u64().context("a hook has no id").map(Some)
}

/// Kills the server in the middle, then waits until nothing is pending any more.
async fn drain(
    world: &mut World,
    hook: u64,
    events: u64,
    newest: &watch::Sender<Arc<Api>>,
    report: &Report,
) -> anyhow::Result<Vec<Kill>> {
    let mut kills = Vec::new();
    let place = Manner::Flaky.at(0);
    for number in 1..=KILLS {
        let count = number * events / (KILLS + 1);
        world.receiver.until_taken(place, count, WITHIN).await?;
        let start = Instant::now();
        world.kill_server().await?;
        // The next one is not even started: what arrives from here on, it has sent.
        let gone_us = wall::now_us();
        world.start_server().await?;
        let down = start.elapsed();
        newest.send_replace(Arc::clone(&world.api));
        let words = format!("killed after {count} events, ready again {down:.1?} later");
        report.say(NAME, &words);
        kills.push(Kill { gone_us, down });
    }
    world.receiver.until_taken(place, events, WITHIN).await?;
    while world.api.pending(hook).await? > 0 {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(kills)
}

/// Posts one event after the other, each until it is acknowledged.
async fn post(known: &watch::Receiver<Arc<Api>>, numbers: Range<u64>) -> anyhow::Result<()> {
    for number in numbers {
        let due_us = wall::now_us();
        let id = format!("ordered-{number}");
        let body = event::body(EVENT_TYPE, Stamp { due_us, number }, Some(&id));
        loop {
            let api = Arc::clone(&known.borrow());
            match api.event(body.clone()).await {
                Ok(StatusCode::ACCEPTED) => break,
                // The server is being killed or started.
                Ok(StatusCode::SERVICE_UNAVAILABLE) | Err(_) => {
                    tokio::time::sleep(POST_AGAIN_AFTER).await;
                }
                Ok(status) => bail!("event {number} is answered {status}"),
            }
        }
    }
    Ok(())
}

fn tell(
    receipts: &[Receipt],
    kills: &[Kill],
    events: u64,
    report: &mut Report,
) -> anyhow::Result<()> {
    let gone: Vec<u64> = kills.iter().map(|kill| kill.gone_us).collect();
    let found = order::judge(receipts, events, &gone);
    let failed = receipts.iter().filter(|it| !it.is_taken()).count();
    let times = receipts.iter().map(|it| it.at_us);
    let (first, last) = (times.clone().min(), times.max());
    let (first, last) = first.zip(last).context("nothing arrived")?;
    let down: Duration = kills.iter().map(|kill| kill.down).sum();
    let secs = (last - first) as f64 / 1e6 - down.as_secs_f64();
    let rate = events as f64 / secs;
    let words = format!(
        "{} overtook, {} missing, {} twice, {} twice by a kill; {failed} attempts failed",
        found.overtook, found.missing, found.repeated, found.explained
    );
    let figures = json!({
        "overtook": found.overtook, "missing": found.missing, "repeated": found.repeated,
        "repeated_by_a_kill": found.explained, "other_ids": found.other_ids,
        "failed_attempts": failed, "events_per_second": rate, "down_secs": down.as_secs_f64(),
    });
    report.leg(
        NAME,
        "order",
        &format!("{words}; {rate:.0} events/s"),
        &figures,
    );
    let kills = kills.len();
    report.row(Row::bar(
        NAME,
        format!("{events} events, one attempt in 20 fails, {kills} kills"),
        words,
        ("in order, each once", Verdict::of(found.is_right())),
    ));
    report.row(Row::note(
        NAME,
        "its throughput, without the time that the server was gone",
        format!("{rate:.0} events/s; gone {:.1} s", down.as_secs_f64()),
    ));
    Ok(())
}
