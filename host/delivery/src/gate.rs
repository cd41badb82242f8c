//! How fast a lane may begin attempts: a token bucket over the hook's `rate_limit` and the pace
//! that its receiver asked for, whichever is slower.
//!
//! A bucket holds what comes in a tenth of a second, and one attempt at least: attempts are spread
//! over the second, and after a rest there is no burst. Its time is the wall clock's: set back, it
//! only waits for its next token; set forward, it is full and no more.

use std::time::Duration;

use whisperer_domain::time::Timestamp;

/// How much of a second's attempts may begin together.
const BURST_SECS: f64 = 0.1;
/// Over how long the lane's own rate is counted.
const WINDOW: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// None: full, as at the beginning.
    bucket: Option<Bucket>,
    window: Timestamp,
    /// Attempts begun in this window, and in the one before.
    begun: u32,
    begun_before: u32,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl Gate {
    /// When the next attempt may begin; none: now.
    pub(crate) fn opens_at(&self, now: Timestamp, per_second: Option<f64>) -> Option<Timestamp> {
        let rate = per_second?;
        let missing = 1.0 - self.tokens(now, rate)?;
        (missing > 0.0).then(|| now.after(wait(missing, rate)))
    }

    /// An attempt begins.
    pub(crate) fn take(&mut self, now: Timestamp, per_second: Option<f64>) {
        self.count(now);
        self.bucket = per_second.map(|rate| Bucket {
            tokens: self.tokens(now, rate).unwrap_or_else(|| most(rate)) - 1.0,
            at: now,
        });
    }

    /// When it will be as it was at the beginning; none: it is. Until then it must be remembered.
    pub(crate) fn full_at(&self, now: Timestamp, per_second: Option<f64>) -> Option<Timestamp> {
        let rate = per_second?;
        let missing = most(rate) - self.tokens(now, rate)?;
        (missing > 0.0).then(|| now.after(wait(missing, rate)))
    }

    /// Attempts per second that began of late.
    pub(crate) fn rate(&self, now: Timestamp) -> f64 {
        if now.since(self.window) >= WINDOW * 2 {
            return 0.0;
        }
        f64::from(self.begun.max(self.begun_before))
    }

    fn tokens(&self, now: Timestamp, rate: f64) -> Option<f64> {
        let bucket = self.bucket?;
        let came = now.since(bucket.at).as_secs_f64() * rate;
        Some((bucket.tokens + came).min(most(rate)))
    }

    fn count(&mut self, now: Timestamp) {
        let passed = now.since(self.window);
        if passed >= WINDOW || now < self.window {
            self.begun_before = if passed < WINDOW * 2 { self.begun } else { 0 };
            self.begun = 0;
            self.window = now;
        }
        self.begun = self.begun.saturating_add(1);
    }
}

fn most(rate: f64) -> f64 {
    (rate * BURST_SECS).max(1.0)
}

/// Up to the next millisecond: not before means not before.
fn wait(missing: f64, rate: f64) -> Duration {
    let millis = (missing / rate * 1000.0).ceil().max(1.0);
    Duration::try_from_secs_f64(millis / 1000.0).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use whisperer_domain::time::Timestamp;

    use super::Gate;

    /// When attempts begin that are always wanted, within so many milliseconds.
    fn begun(rate: f64, ms: u64) -> Vec<u64> {
        let mut gate = Gate::default();
        let mut begun = Vec::new();
        let mut now = Timestamp(1_000);
        while now.0 < 1_000 + ms {
            match gate.opens_at(now, Some(rate)) {
                Some(later) => now = later,
                None => {
                    gate.take(now, Some(rate));
                    begun.push(now.0);
                }
            }
        }
        begun
    }

    #[test]
    fn a_second_never_has_more_than_the_rate_and_a_tenth() {
        for (rate, most) in [(1.0, 2), (3.0, 4), (20.0, 22), (1_000.0, 1_100)] {
            let begun = begun(rate, 10_000);
            for from in &begun {
                let window = begun.iter().filter(|at| (*from..from + 1_000).contains(at));
                assert!(window.count() <= most, "{rate} a second");
            }
            let expected = (rate * 10.0) as usize;
            let near = expected - expected / 50 - 1..=expected + most;
            assert!(near.contains(&begun.len()), "{} at {rate}", begun.len());
        }
    }

    #[test]
    fn without_a_rate_it_is_open_and_nothing_is_to_be_remembered() {
        let mut gate = Gate::default();
        let now = Timestamp(5_000);
        for _ in 0..1_000 {
            assert_eq!(gate.opens_at(now, None), None);
            gate.take(now, None);
        }
        assert_eq!(gate.full_at(now, None), None);
        assert_eq!(gate.rate(now), 1_000.0);
        assert_eq!(gate.rate(now.after(Duration::from_secs(2))), 0.0);
    }

    #[test]
    fn a_clock_set_back_waits_for_one_token_and_set_forward_gives_no_burst() {
        let mut gate = Gate::default();
        let late = Timestamp(10_000_000);
        gate.take(late, Some(10.0));
        let early = Timestamp(1_000);
        assert_eq!(gate.opens_at(early, Some(10.0)), Some(Timestamp(1_100)));
        gate.take(early, Some(10.0));
        let mut at_once = 0;
        while gate.opens_at(late, Some(10.0)).is_none() {
            gate.take(late, Some(10.0));
            at_once += 1;
        }
        assert_eq!(at_once, 1);
    }
}
