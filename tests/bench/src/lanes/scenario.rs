//! The scenarios, by name, and about how long each takes.

mod drain;
mod holes;
mod million;
mod ordered;
mod slow_neighbour;

use clap::ValueEnum;

use crate::lanes::plan::Plan;
use crate::lanes::report::Report;
use crate::world::Stage;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    BlackHole,
    Half,
    SlowNeighbour,
    Million,
    Drain,
    Ordered,
}

/// Deliveries a second to one hook, and events a second taken in batches, both of a machine that
/// does other things too: only to say beforehand how long it takes.
const DRAIN_GUESS: u64 = 10_000;
const BATCH_GUESS: u64 = 14_000;
/// To start a server and register its hooks, and to end it.
const AROUND_SECS: u64 = 4;

/// All, or those that were asked for, in an order of their own.
pub(crate) fn chosen(only: &[Scenario]) -> Vec<Scenario> {
    let all = Scenario::value_variants().iter().copied();
    all.filter(|it| only.is_empty() || only.contains(it))
        .collect()
}

impl Scenario {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BlackHole => "black-hole",
            Self::Half => "half",
            Self::SlowNeighbour => "slow-neighbour",
            Self::Million => "million",
            Self::Drain => "drain",
            Self::Ordered => "ordered",
        }
    }

    pub(crate) fn takes_secs(self, plan: &Plan) -> u64 {
        let pairs = u64::from(plan.pairs);
        let leg = AROUND_SECS + plan.warm_up.as_secs() + plan.measure.as_secs();
        match self {
            Self::BlackHole => 2 * pairs * leg,
            Self::Half => pairs * (2 * leg + plan.half_first.as_secs() - plan.warm_up.as_secs()),
            Self::SlowNeighbour => 2 * pairs * (4 + plan.slow_measure.as_secs()),
            Self::Million => plan.pending / BATCH_GUESS + u64::from(plan.restarts) * 16,
            Self::Drain => {
                let posts = 2 * plan.backlog / BATCH_GUESS;
                pairs * (plan.drain_alone.as_secs() + posts + 2 * plan.backlog / DRAIN_GUESS + 4)
            }
            Self::Ordered => plan.ordered / 200 + 10,
        }
    }

    pub(crate) async fn run(
        self,
        stage: &Stage,
        plan: &Plan,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        match self {
            Self::BlackHole => holes::run(holes::Case::One, stage, plan, report).await,
            Self::Half => holes::run(holes::Case::Half, stage, plan, report).await,
            Self::SlowNeighbour => slow_neighbour::run(stage, plan, report).await,
            Self::Million => million::run(stage, plan, report).await,
            Self::Drain => drain::run(stage, plan, report).await,
            Self::Ordered => ordered::run(stage, plan, report).await,
        }
    }
}
