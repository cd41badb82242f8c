//! A JSON number by its exact value: 1, 1.0 and 10e-1 are the same, and integers of any length
//! are told apart. A float would be quicker and wrong from 2^53 on, where ids and amounts in
//! smallest units begin.

use std::cmp::Ordering;
use std::fmt;

/// A number as `0.DIGITS` times ten to the power of `exponent`. Comparing costs as many steps as
/// the shorter one has digits.
#[derive(Clone, Copy, Debug)]
pub struct Decimal<'a> {
    /// From the first digit that is not 0 to the last; the point may stand among them. Empty: the
    /// number is zero.
    digits: &'a [u8],
    /// Held within its type's bounds: only a zero and what is nearer to zero than any float have
    /// exponents beyond them.
    exponent: i32,
    negative: bool,
}

impl<'a> Decimal<'a> {
    /// `text` is a number as JSON writes it; of anything else it makes some number.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, power) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], power(&text[at + 1..])),
            None => (text, 0),
        };
        let mantissa = mantissa.as_bytes();
        let is_significant = |b: &u8| matches!(b, b'1'..=b'9');
        let first = mantissa.iter().position(is_significant);
        let last = mantissa.iter().rposition(is_significant);
        let (Some(first), Some(last)) = (first, last) else {
            return Self {
                digits: &[],
                exponent: 0,
                negative: false,
            };
        };
        let point = mantissa.iter().position(|b| *b == b'.');
        let point = point.unwrap_or(mantissa.len());
        let places = if first < point {
            length(point - first)
        } else {
            -length(first - point - 1)
        };
        Self {
            digits: &mantissa[first..=last],
            exponent: i32::try_from(power.saturating_add(places)).unwrap_or(if power < 0 {
                i32::MIN
            } else {
                i32::MAX
            }),
            negative,
        }
    }

    fn digits(&self) -> impl Iterator<Item = u8> + '_ {
        self.digits.iter().copied().filter(u8::is_ascii_digit)
    }

    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}

fn length(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What does not fit is nearer to zero, or further from it, than anything else.
fn power(text: &str) -> i64 {
    text.parse().unwrap_or(if text.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    })
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        // Without zeros at either end, more digits after the same ones are more.
        let of_magnitude = || {
            let by_exponent = self.exponent.cmp(&other.exponent);
            by_exponent.then_with(|| self.digits().cmp(other.digits()))
        };
        self.sign()
            .cmp(&other.sign())
            .then_with(|| match self.sign() {
                0 => Ordering::Equal,
                1 => of_magnitude(),
                _negative => of_magnitude().reverse(),
            })
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal<'_> {}

impl fmt::Display for Decimal<'_> {
    /// A JSON number of the same value: in plain digits where that is short.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PLAIN_MAX: usize = 40;
        let digits: String = self.digits().map(char::from).collect();
        if digits.is_empty() {
            return f.write_str("0");
        }
        if self.negative {
            f.write_str("-")?;
        }
        match usize::try_from(self.exponent) {
            Ok(0) => write!(f, "0.{digits}"),
            Ok(whole) if whole >= digits.len() && whole <= PLAIN_MAX => {
                write!(f, "{digits}{}", "0".repeat(whole - digits.len()))
            }
            Ok(whole) if whole < digits.len() => {
                write!(f, "{}.{}", &digits[..whole], &digits[whole..])
            }
            Ok(_) | Err(_) => write!(f, "0.{digits}e{}", self.exponent),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::Decimal;

    #[test]
    fn numbers_stand_in_their_order_whatever_their_spelling() {
        let rising: [&[&str]; 15] = [
            &["-1e300", "-10E299"],
            &["-9007199254740993", "-9007199254740993.0"],
            &["-9007199254740992"],
            &["-1.5", "-15e-1", "-0.15E+1"],
            &["-1e-400"],
            &[
                "0",
                "-0",
                "0.000",
                "0e999999999999",
                "-0.0e-99999999999999999999",
            ],
            &["1e-99999999999999999999"],
            &["1e-400", "0.1e-399"],
            &["0.05", "5e-2", "0.0500"],
            &["0.5"],
            &["1", "1.0", "10e-1", "100E-2"],
            &["1.000000000000000000000000000001"],
            &["9007199254740992", "9007199254740992.00"],
            &["9007199254740993"],
            &[
                "123456789012345678901234567890",
                "123456789012345678901234567.890e3",
            ],
        ];
        for (place, same) in rising.iter().enumerate() {
            for one in *same {
                for (other_place, others) in rising.iter().enumerate() {
                    for other in *others {
                        assert_eq!(
                            Decimal::of(one).cmp(&Decimal::of(other)),
                            place.cmp(&other_place),
                            "{one} and {other}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_number_is_shown_by_its_value() {
        for (text, shown) in [
            ("99.50", "99.5"),
            ("1e2", "100"),
            ("-0.0", "0"),
            ("-12e-1", "-1.2"),
            ("0.5", "0.5"),
            ("0.05", "0.5e-1"),
            ("1e300", "0.1e301"),
        ] {
            assert_eq!(Decimal::of(text).to_string(), shown);
        }
    }

    proptest! {
        #[test]
        fn integers_and_their_fractions_compare_as_they_do_elsewhere(
            one in -1_000_000_000_000_i64..1_000_000_000_000,
            other in -1_000_000_000_000_i64..1_000_000_000_000,
            shift in 0_usize..8,
        ) {
            // As thousandths and the like, written two ways.
            let scaled = format!("{one}e-{shift}");
            let other_scaled = format!("{}E{}", i128::from(other) * 1000, -(i64::try_from(shift).unwrap()) - 3);
            let order = Decimal::of(&scaled).cmp(&Decimal::of(&other_scaled));
            prop_assert_eq!(order, one.cmp(&other));
            let shown = Decimal::of(&scaled).to_string();
            prop_assert_eq!(Decimal::of(&shown), Decimal::of(&scaled));
        }

        #[test]
        fn any_text_makes_some_number(text in ".{0,12}") {
            let _ = Decimal::of(&text).to_string();
        }
    }
}
