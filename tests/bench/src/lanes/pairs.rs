//! Two ways measured in turns, A B A B: each B is compared with the A just before it, because
//! machines drift over minutes, and the spread of the pairs is told beside their middle.

use crate::lanes::report::Verdict;
use crate::speed::Spread;

pub(crate) struct Pairs(Vec<Pair>);

pub(crate) struct Pair {
    /// Without what may hurt.
    pub(crate) without: f64,
    /// Beside it.
    pub(crate) beside: f64,
}

impl Pairs {
    pub(crate) fn new(pairs: impl IntoIterator<Item = Pair>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// Whether beside over without is at most this, by what all pairs say.
    pub(crate) fn at_most(&self, bar: f64) -> Verdict {
        self.judged(|ratio| ratio <= bar)
    }

    /// Whether it is at least this.
    pub(crate) fn at_least(&self, bar: f64) -> Verdict {
        self.judged(|ratio| ratio >= bar)
    }

    fn judged(&self, reaches: impl Fn(f64) -> bool) -> Verdict {
        let ratios = self.ratios();
        let reaching = ratios.iter().filter(|ratio| reaches(**ratio)).count();
        match reaching {
            0 => Verdict::Missed,
            all if all == ratios.len() => Verdict::Reached,
            _ => Verdict::Unclear,
        }
    }

    /// The middle of beside over without.
    fn ratio(&self) -> f64 {
        Spread::of(self.ratios()).map_or(f64::NAN, |it| it.median)
    }

    fn ratios(&self) -> Vec<f64> {
        let ratio = |pair: &Pair| pair.beside / pair.without;
        let mut ratios: Vec<f64> = self.0.iter().map(ratio).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        ratios
    }

    /// `+4 % (+2 to +6 %); without 3.1, 3.2, beside it 3.2, 3.4 ms`
    pub(crate) fn as_change(&self, unit: &str) -> String {
        let change = |ratio: f64| format!("{:+.0}", 100.0 * (ratio - 1.0));
        self.told(change, " %", unit)
    }

    /// `1.8 x (1.7 to 1.9 x); …`
    pub(crate) fn as_multiple(&self, unit: &str) -> String {
        self.told(|ratio| format!("{ratio:.2}"), " x", unit)
    }

    /// `without 3.1, 3.2, beside it 3.2, 3.4 ms`
    pub(crate) fn values(&self, unit: &str) -> String {
        let list = |of: fn(&Pair) -> f64| {
            let values: Vec<String> = self.0.iter().map(|pair| digits(of(pair))).collect();
            values.join(", ")
        };
        let (without, beside) = (list(|pair| pair.without), list(|pair| pair.beside));
        format!("without {without}, beside it {beside} {unit}")
    }

    fn told(&self, show: impl Fn(f64) -> String, ratio_unit: &str, unit: &str) -> String {
        let ratios = self.ratios();
        let spread = match (ratios.first(), ratios.last()) {
            (Some(least), Some(most)) if ratios.len() > 1 => {
                format!(" ({} to {}{ratio_unit})", show(*least), show(*most))
            }
            (_, _) => String::new(),
        };
        let (middle, values) = (show(self.ratio()), self.values(unit));
        format!("{middle}{ratio_unit}{spread}; {values}")
    }
}

/// Three digits that count, or all before the point.
fn digits(value: f64) -> String {
    let behind = match value {
        it if it >= 100.0 => 0,
        it if it >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.behind$}")
}

#[cfg(test)]
mod tests {
    use super::{Pair, Pairs};
    use crate::lanes::report::Verdict;

    fn pairs(values: &[(f64, f64)]) -> Pairs {
        let pair = |(without, beside): &(f64, f64)| Pair {
            without: *without,
            beside: *beside,
        };
        Pairs::new(values.iter().map(pair))
    }

    #[test]
    fn each_pair_is_compared_for_itself() {
        // The machine became half as fast: nothing changed but that.
        let drifted = pairs(&[(2.0, 2.2), (4.0, 4.4)]);
        assert!((drifted.ratio() - 1.1).abs() < 1e-9);
        let told = drifted.as_change("ms");
        let expected = "+10 % (+10 to +10 %); without 2.00, 4.00, beside it 2.20, 4.40 ms";
        assert_eq!(told, expected);
    }

    #[test]
    fn only_what_all_pairs_say_is_said() {
        for (beside, expected) in [
            ([1.0, 1.1], Verdict::Reached),
            ([1.0, 1.2], Verdict::Unclear),
            ([1.2, 1.3], Verdict::Missed),
        ] {
            let pairs = pairs(&beside.map(|beside| (1.0, beside)));
            assert_eq!(pairs.at_most(1.1), expected, "{beside:?}");
        }
        assert_eq!(pairs(&[(2.0, 1.0)]).at_least(0.5), Verdict::Reached);
        assert_eq!(pairs(&[(2.0, 0.9)]).at_least(0.5), Verdict::Missed);
        // Nothing was measured, so nothing was reached.
        assert_eq!(pairs(&[]).at_most(1.1), Verdict::Missed);
        assert_eq!(pairs(&[(0.0, 0.0)]).at_most(1.1), Verdict::Missed);
    }

    #[test]
    fn the_middle_is_between_two_and_is_the_second_of_three() {
        assert!((pairs(&[(1.0, 1.0), (1.0, 2.0)]).ratio() - 1.5).abs() < 1e-9);
        assert!((pairs(&[(1.0, 9.0), (1.0, 1.0), (1.0, 2.0)]).ratio() - 2.0).abs() < 1e-9);
        assert!(pairs(&[]).ratio().is_nan());
    }
}
