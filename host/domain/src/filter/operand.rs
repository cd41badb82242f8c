//! A value that a filter compares with, kept for as long as its hook.

use crate::json::{Decimal, Tree};

#[derive(Clone, Debug)]
pub(super) enum Operand {
    Null,
    Bool(bool),
    /// As a JSON number.
    Number(Box<str>),
    Text(Box<str>),
    List(Box<[Operand]>),
    /// By name, each once, as trees have them.
    Object(Box<[(Box<str>, Operand)]>),
}

impl Operand {
    pub(super) fn of(tree: &Tree<'_>) -> Self {
        match tree {
            Tree::Null => Self::Null,
            Tree::Bool(truth) => Self::Bool(*truth),
            Tree::Number(number) => Self::Number(number.to_string().into()),
            Tree::Text(text) => Self::Text((**text).into()),
            Tree::List(elements) => Self::List(elements.iter().map(Self::of).collect()),
            Tree::Object(members) => {
                let members = members.iter();
                Self::Object(
                    members
                        .map(|(name, value)| ((**name).into(), Self::of(value)))
                        .collect(),
                )
            }
        }
    }

    /// The values in it, itself included.
    pub(super) fn values(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => 1,
            Self::List(elements) => 1 + elements.iter().map(Self::values).sum::<usize>(),
            Self::Object(members) => {
                1 + members
                    .iter()
                    .map(|(_, value)| value.values())
                    .sum::<usize>()
            }
        }
    }

    /// Looks at no more of `value` than it has itself.
    pub(super) fn equals(&self, value: &Tree<'_>) -> bool {
        match (self, value) {
            (Self::Null, Tree::Null) => true,
            (Self::Bool(one), Tree::Bool(other)) => one == other,
            (Self::Number(one), Tree::Number(other)) => Decimal::of(one) == *other,
            (Self::Text(one), Tree::Text(other)) => **one == **other,
            (Self::List(one), Tree::List(other)) => {
                one.len() == other.len()
                    && one.iter().zip(other).all(|(one, other)| one.equals(other))
            }
            (Self::Object(one), Tree::Object(other)) => {
                let pairs = one.iter().zip(other);
                one.len() == other.len()
                    && pairs
                        .into_iter()
                        .all(|((name, one), (known, other))| **name == **known && one.equals(other))
            }
            (
                Self::Null
                | Self::Bool(_)
                | Self::Number(_)
                | Self::Text(_)
                | Self::List(_)
                | Self::Object(_),
                Tree::Null
                | Tree::Bool(_)
                | Tree::Number(_)
                | Tree::Text(_)
                | Tree::List(_)
                | Tree::Object(_),
            ) => false,
        }
    }
}
