//! When to try again: W's four choices, exact at any n, and our schedule.
//!
//! Pure: chance comes in as a seed. All sums saturate, so that no n and no setting can overflow.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The most entries of a schedule.
pub const SCHEDULE_LEN_MAX: usize = 100;

/// The `retry_countdown_config` of a hook, valid by construction. Seconds throughout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RetryConfig {
    Fixed {
        seconds: u64,
    },
    Linear {
        base: u64,
        limit: Option<u64>,
    },
    Exponential {
        base: u64,
        factor: u64,
        limit: Option<u64>,
    },
    Random {
        min_value: u64,
        max_value: u64,
    },
    Schedule {
        seconds: Vec<u64>,
    },
}

impl Default for RetryConfig {
    /// Standard Webhooks' example: 75 h 35 min 5 s in ten attempts.
    fn default() -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 3600;
        Self::Schedule {
            seconds: vec![
                5,
                5 * MINUTE,
                30 * MINUTE,
                2 * HOUR,
                5 * HOUR,
                10 * HOUR,
                14 * HOUR,
                20 * HOUR,
                24 * HOUR,
            ],
        }
    }
}

impl RetryConfig {
    /// The wait before retry `n`, which counts from 0 at the first retry. W's choices are exact;
    /// a schedule varies by 20 % either way, so that what failed together does not come back
    /// together, and repeats its last entry past its end.
    #[must_use]
    pub fn delay(&self, n: u32, seed: u64) -> Duration {
        // Neighbouring seeds must not give neighbouring numbers, nor one seed the same at each n.
        let mut rng = fastrand::Rng::with_seed(seed ^ u64::from(n).rotate_left(32));
        let seconds = match self {
            Self::Fixed { seconds } => *seconds,
            Self::Linear { base, limit } => base
                .saturating_mul(u64::from(n))
                .min(limit.unwrap_or(u64::MAX)),
            Self::Exponential {
                base,
                factor,
                limit,
            } => base
                .saturating_pow(n)
                .saturating_mul(*factor)
                .min(limit.unwrap_or(u64::MAX)),
            Self::Random {
                min_value,
                max_value,
            } => rng.u64(*min_value..=*max_value),
            Self::Schedule { seconds } => {
                let at = usize::try_from(n)
                    .unwrap_or(usize::MAX)
                    .min(seconds.len().max(1) - 1);
                let base = seconds.get(at).copied().unwrap_or(0);
                let millis = rng.u64(base.saturating_mul(800)..=base.saturating_mul(1200));
                return Duration::from_millis(millis);
            }
        };
        Duration::from_secs(seconds)
    }

    /// W's choices send 19 requests in all; a schedule its length and the first.
    #[must_use]
    pub fn max_attempts_default(&self) -> u32 {
        match self {
            Self::Fixed { .. }
            | Self::Linear { .. }
            | Self::Exponential { .. }
            | Self::Random { .. } => 19,
            Self::Schedule { seconds } => u32::try_from(seconds.len()).unwrap_or(99) + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::RetryConfig;

    fn secs(config: &RetryConfig, n: u32) -> u64 {
        let delay = config.delay(n, 7);
        assert_eq!(delay.subsec_nanos(), 0, "{config:?} at {n} is not exact");
        delay.as_secs()
    }

    #[test]
    fn w_choices_are_exact() {
        let fixed = RetryConfig::Fixed { seconds: 30 };
        let linear = RetryConfig::Linear {
            base: 10,
            limit: Some(25),
        };
        let exponential = RetryConfig::Exponential {
            base: 2,
            factor: 3,
            limit: Some(20),
        };
        let zero = RetryConfig::Exponential {
            base: 0,
            factor: 4,
            limit: None,
        };
        let cases: [(&RetryConfig, [u64; 5]); 4] = [
            (&fixed, [30, 30, 30, 30, 30]),
            (&linear, [0, 10, 20, 25, 25]),
            (&exponential, [3, 6, 12, 20, 20]),
            (&zero, [4, 0, 0, 0, 0]),
        ];
        for (config, expected) in cases {
            let got: Vec<u64> = (0..5).map(|n| secs(config, n)).collect();
            assert_eq!(got, expected, "{config:?}");
        }
    }

    #[test]
    fn nothing_overflows_at_any_n() {
        let top = u64::MAX;
        for n in [0, 1, 63, 64, 1_000, u32::MAX] {
            for config in [
                RetryConfig::Fixed { seconds: top },
                RetryConfig::Linear {
                    base: top,
                    limit: None,
                },
                RetryConfig::Exponential {
                    base: top,
                    factor: top,
                    limit: None,
                },
                RetryConfig::Exponential {
                    base: 2,
                    factor: 1,
                    limit: None,
                },
                RetryConfig::Random {
                    min_value: 0,
                    max_value: top,
                },
                RetryConfig::Schedule { seconds: vec![top] },
                RetryConfig::Schedule {
                    seconds: Vec::new(),
                },
            ] {
                let _ = config.delay(n, 1);
            }
        }
        let exponential = RetryConfig::Exponential {
            base: 2,
            factor: 1,
            limit: None,
        };
        assert_eq!(secs(&exponential, 63), 1 << 63);
        assert_eq!(secs(&exponential, 64), top);
    }

    #[test]
    fn random_reaches_both_ends_and_nothing_beyond() {
        let config = RetryConfig::Random {
            min_value: 3,
            max_value: 5,
        };
        let mut seen: Vec<u64> = (0..200)
            .map(|seed| config.delay(0, seed).as_secs())
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [3, 4, 5]);
    }

    #[test]
    fn a_schedule_varies_by_a_fifth_and_repeats_its_end() {
        let config = RetryConfig::Schedule {
            seconds: vec![5, 100],
        };
        for (n, base_ms) in [
            (0, 5_000.0),
            (1, 100_000.0),
            (2, 100_000.0),
            (u32::MAX, 100_000.0),
        ] {
            let draws: Vec<f64> = (0..10_000u64)
                .map(|seed| config.delay(n, seed).as_secs_f64() * 1000.0)
                .collect();
            let mean = draws.iter().sum::<f64>() / 10_000.0;
            assert!(
                draws
                    .iter()
                    .all(|ms| (base_ms * 0.8..=base_ms * 1.2).contains(ms))
            );
            assert!(
                (mean / base_ms - 1.0).abs() < 0.01,
                "mean {mean} of {base_ms}"
            );
            assert!(draws.iter().any(|ms| *ms < base_ms * 0.81));
            assert!(draws.iter().any(|ms| *ms > base_ms * 1.19));
        }
    }

    #[test]
    fn the_default_is_the_documented_schedule() {
        let config = RetryConfig::default();
        let RetryConfig::Schedule { seconds } = &config else {
            panic!("not a schedule: {config:?}");
        };
        assert_eq!(seconds.iter().sum::<u64>(), 75 * 3600 + 35 * 60 + 5);
        assert_eq!(config.max_attempts_default(), 10);
        assert_eq!(RetryConfig::Fixed { seconds: 1 }.max_attempts_default(), 19);
        assert_eq!(config.delay(0, 1), config.delay(0, 1));
        assert!(config.delay(0, 1) < Duration::from_secs(7));
    }
}
