//! The rules of filters once more, as plainly as they can be said, over values of its own.

use proptest::prelude::{Just, Strategy, any, prop_oneof};

/// A value of the model: numbers as thousandths, with the spelling they get.
#[derive(Clone, Debug)]
pub(super) enum Plain {
    Null,
    Bool(bool),
    Number(i64, u8),
    Text(&'static str),
    List(Vec<Plain>),
    Object(Vec<(&'static str, Plain)>),
}

impl Plain {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(truth) => truth.to_string(),
            Self::Number(thousandths, spelling) => match spelling % 3 {
                0 => format!("{thousandths}e-3"),
                1 => format!("{}.{:03}", thousandths / 1000, thousandths % 1000),
                _ => format!("{thousandths}.00E-3"),
            },
            Self::Text(text) => format!("\"{text}\""),
            Self::List(elements) => {
                let elements: Vec<_> = elements.iter().map(Self::text).collect();
                format!("[{}]", elements.join(" , "))
            }
            Self::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, value)| format!("\"{name}\" : {}", value.text()));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }
        }
    }

    /// The last of that name.
    fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members
                .iter()
                .rev()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Number(one, _), Self::Number(other, _)) => one == other,
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::List(one), Self::List(other)) => {
                one.len() == other.len()
                    && one.iter().zip(other).all(|(one, other)| one.equals(other))
            }
            (Self::Object(ones), Self::Object(others)) => ["a", "b", "c"].iter().all(|name| {
                let _ = (ones, others);
                match (self.member(name), other.member(name)) {
                    (None, None) => true,
                    (Some(one), Some(other)) => one.equals(other),
                    (Some(_), None) | (None, Some(_)) => false,
                }
            }),
            _ => false,
        }
    }

    fn at(&self, steps: &[&str]) -> Vec<&Self> {
        let Some((step, rest)) = steps.split_first() else {
            return vec![self];
        };
        let next: Vec<&Self> = match (*step, self) {
            ("*", Self::List(elements)) => elements.iter().collect(),
            ("*", Self::Object(_)) => ["a", "b", "c"]
                .iter()
                .filter_map(|name| self.member(name))
                .collect(),
            ("*", _) => Vec::new(),
            (name, _) => self.member(name).into_iter().collect(),
        };
        next.into_iter().flat_map(|next| next.at(rest)).collect()
    }
}

pub(super) fn plain() -> impl Strategy<Value = Plain> {
    let leaf = prop_oneof![
        Just(Plain::Null),
        any::<bool>().prop_map(Plain::Bool),
        (0..4_000_i64, any::<u8>())
            .prop_map(|(number, spelling)| Plain::Number(number / 500 * 500, spelling)),
        prop_oneof![Just("a"), Just("ab"), Just("")].prop_map(Plain::Text),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name = prop_oneof![Just("a"), Just("b"), Just("c")];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Plain::List),
            proptest::collection::vec((name, inner), 0..4).prop_map(Plain::Object),
        ]
    })
}

#[derive(Clone, Debug)]
pub(super) enum Rule {
    All(Vec<Rule>),
    Any(Vec<Rule>),
    Not(Box<Rule>),
    At(Vec<&'static str>, Vec<(&'static str, Plain)>),
}

impl Rule {
    pub(super) fn text(&self) -> String {
        let list = |word: &str, inner: &[Self]| {
            let inner: Vec<_> = inner.iter().map(Self::text).collect();
            format!("{{\"{word}\": [{}]}}", inner.join(","))
        };
        match self {
            Self::All(inner) => list("all", inner),
            Self::Any(inner) => list("any", inner),
            Self::Not(inner) => format!("{{\"not\": {}}}", inner.text()),
            Self::At(steps, tests) => {
                let tests = tests
                    .iter()
                    .map(|(word, operand)| format!(", \"{word}\": {}", operand.text()));
                format!(
                    "{{\"path\": \"{}\"{}}}",
                    steps.join("."),
                    tests.collect::<String>()
                )
            }
        }
    }

    pub(super) fn holds(&self, payload: &Plain) -> bool {
        match self {
            Self::All(inner) => inner.iter().all(|rule| rule.holds(payload)),
            Self::Any(inner) => inner.iter().any(|rule| rule.holds(payload)),
            Self::Not(inner) => !inner.holds(payload),
            Self::At(steps, tests) => {
                let places = payload.at(steps);
                let (negative, positive): (Vec<_>, Vec<_>) =
                    tests.iter().partition(|(word, _)| *word == "ne");
                negative
                    .iter()
                    .all(|(_, unwanted)| places.iter().all(|place| !place.equals(unwanted)))
                    && (positive.is_empty()
                        || places.iter().any(|place| {
                            positive
                                .iter()
                                .all(|(word, operand)| meets(word, place, operand))
                        }))
            }
        }
    }
}

fn meets(word: &str, place: &Plain, operand: &Plain) -> bool {
    match (word, place, operand) {
        ("eq", place, operand) => place.equals(operand),
        ("in", place, Plain::List(wanted)) => wanted.iter().any(|wanted| place.equals(wanted)),
        ("lt", Plain::Number(one, _), Plain::Number(other, _)) => one < other,
        ("gte", Plain::Number(one, _), Plain::Number(other, _)) => one >= other,
        ("prefix", Plain::Text(text), Plain::Text(prefix)) => text.starts_with(prefix),
        _ => false,
    }
}

pub(super) fn rule() -> impl Strategy<Value = Rule> {
    let number = || {
        (0..4_000_i64, any::<u8>())
            .prop_map(|(number, spelling)| Plain::Number(number / 500 * 500, spelling))
    };
    let test = prop_oneof![
        plain().prop_map(|operand| ("eq", operand)),
        plain().prop_map(|operand| ("ne", operand)),
        proptest::collection::vec(plain(), 1..3).prop_map(|wanted| ("in", Plain::List(wanted))),
        number().prop_map(|bound| ("lt", bound)),
        number().prop_map(|bound| ("gte", bound)),
        Just(("prefix", Plain::Text("a"))),
    ];
    let step = prop_oneof![3 => Just("a"), 2 => Just("b"), 2 => Just("*")];
    let steps = proptest::collection::vec(step, 1..4).prop_filter("two spread at most", |steps| {
        steps.iter().filter(|step| **step == "*").count() <= 2
    });
    let tests = proptest::collection::vec(test, 1..3).prop_filter("each word once", |tests| {
        tests.len() < 2 || tests[0].0 != tests[1].0
    });
    let leaf = (steps, tests).prop_map(|(steps, tests)| Rule::At(steps, tests));
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Rule::All),
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Rule::Any),
            inner.prop_map(|inner| Rule::Not(Box::new(inner))),
        ]
    })
}
