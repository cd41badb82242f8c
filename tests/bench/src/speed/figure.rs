//! The figures that are told of a run, by name and unit, and what is told of several runs.

use serde::Serialize;

use super::run::Run;

/// One figure of a run.
#[derive(Clone, Copy)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    /// The two lines above its column.
    pub(crate) head: [&'static str; 2],
    /// Digits behind the point.
    pub(crate) digits: usize,
    pub(crate) of: fn(&Run) -> Option<f64>,
}

const fn figure(
    name: &'static str,
    head: [&'static str; 2],
    digits: usize,
    of: fn(&Run) -> Option<f64>,
) -> Figure {
    Figure {
        name,
        head,
        digits,
        of,
    }
}

pub(crate) const FIGURES: [Figure; 16] = [
    figure("deliveries/s", ["deliv.", "/s"], 0, |run| {
        Some(run.deliveries_per_sec)
    }),
    figure("receipt p50, ms", ["receipt", "p50 ms"], 2, |run| {
        Some(run.receipts.p50_ms)
    }),
    figure("receipt p99, ms", ["", "p99"], 2, |run| {
        Some(run.receipts.p99_ms)
    }),
    figure("receipt p999, ms", ["", "p999"], 1, |run| {
        run.receipts.p999_ms
    }),
    figure("accepted p50, ms", ["accept", "p50 ms"], 2, |run| {
        Some(run.answers.p50_ms)
    }),
    figure("accepted p99, ms", ["", "p99"], 2, |run| {
        Some(run.answers.p99_ms)
    }),
    figure("generator late p99, ms", ["late", "p99 ms"], 2, |run| {
        Some(run.late.p99_ms)
    }),
    figure("server CPU, s per 10,000", ["CPU s", "server"], 3, |run| {
        run.server_cpu
    }),
    figure(
        "generator CPU, s per 10,000",
        ["/10,000", "gener."],
        3,
        |run| Some(run.generator_cpu),
    ),
    figure("receiver CPU, s per 10,000", ["", "recv."], 3, |run| {
        Some(run.receiver_cpu)
    }),
    figure("peak memory, MiB", ["MiB", "peak"], 0, |run| run.peak_mib),
    figure("idle memory, MiB", ["", "idle"], 0, |run| run.idle_mib),
    figure("written, KiB a delivery", ["KiB", "written"], 2, |run| {
        run.written_kib
    }),
    figure("commits a delivery", ["a deliv.", "commits"], 4, |run| {
        run.commits
    }),
    figure("syncs a delivery", ["", "syncs"], 4, |run| run.syncs),
    figure("duplicates", ["dupli-", "cates"], 0, |run| {
        Some(run.duplicates as f64)
    }),
];

/// Of several runs: the middle one, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of no value there is none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        let (below, above) = ((values.len().max(1) - 1) / 2, values.len() / 2);
        Some(Self {
            median: (values.get(below)? + values.get(above)?) / 2.0,
            least: *values.first()?,
            most: *values.last()?,
        })
    }
}

impl Figure {
    pub(crate) fn spread(&self, runs: &[Run]) -> Option<Spread> {
        Spread::of(runs.iter().filter_map(self.of))
    }

    /// Of each pair of runs, the other's over the one's.
    pub(crate) fn ratio(&self, pairs: &[(Run, Run)]) -> Option<Spread> {
        let ratio = |(one, other): &(Run, Run)| {
            let ratio = (self.of)(other)? / (self.of)(one)?;
            ratio.is_finite().then_some(ratio)
        };
        Spread::of(pairs.iter().filter_map(ratio))
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn the_middle_is_between_two_and_is_the_second_of_three() {
        let median = |values: &[f64]| Spread::of(values.iter().copied()).map(|it| it.median);
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[2.0, 1.0]), Some(1.5));
        assert_eq!(median(&[]), None);
        let spread = Spread::of([3.0, 1.0, 2.0]).expect("there are values");
        assert_eq!((spread.least, spread.most), (1.0, 3.0));
    }
}
