//! Many times in microseconds, and what is told of them.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Fewer samples say nothing of one in a thousand.
const P999_FROM: u64 = 10_000;
/// An hour: what takes longer counts as one.
const LONGEST_US: u64 = 3_600_000_000;

/// Kept to three digits that count, in memory that does not grow.
pub(crate) struct Times(Histogram<u64>);

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Quantiles {
    pub(crate) samples: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Only of enough samples.
    pub(crate) p999_ms: Option<f64>,
    pub(crate) max_ms: f64,
}

impl Times {
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_max(LONGEST_US, 3);
        // It fails for bounds that make no sense, and these are fixed.
        Self(histogram.expect("the bounds make sense"))
    }

    pub(crate) fn note_us(&mut self, us: u64) {
        self.0.saturating_record(us);
    }

    pub(crate) fn quantiles(&self) -> Quantiles {
        let at = |part: f64| self.0.value_at_quantile(part) as f64 / 1e3;
        let samples = self.0.len();
        Quantiles {
            samples,
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            p999_ms: (samples >= P999_FROM).then(|| at(0.999)),
            max_ms: self.0.max() as f64 / 1e3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Times;

    #[test]
    fn quantiles_are_of_what_was_noted() {
        let mut times = Times::new();
        for us in 1..=1_000 {
            times.note_us(us);
        }
        let told = times.quantiles();
        assert_eq!(told.samples, 1_000);
        assert_eq!((told.p50_ms, told.p99_ms), (0.5, 0.99));
        assert_eq!((told.p999_ms, told.max_ms), (None, 1.0));
    }

    #[test]
    fn one_in_a_thousand_is_told_of_ten_thousand() {
        let mut times = Times::new();
        for nth in 0..10_000 {
            times.note_us(if nth < 9_985 { 1_000 } else { 900_000 });
        }
        let told = times.quantiles();
        assert_eq!(told.p99_ms, 1.0);
        let p999 = told.p999_ms.expect("there are enough");
        assert!((899.0..=901.0).contains(&p999), "{p999}");
    }
}
