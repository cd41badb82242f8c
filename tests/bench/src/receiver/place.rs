//! Where a hook points: the path tells the receiver how to answer, and one hook from another.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, bail};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Manner {
    /// 200 at once.
    Fast,
    /// Reads the request and never answers.
    Hole,
    /// 200 after as many milliseconds as the place's number says.
    Slow,
    /// Now and then 500, else 200 at once.
    Flaky,
}

/// `/fast/17`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) manner: Manner,
    pub(crate) number: u32,
}

impl Manner {
    fn word(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Hole => "hole",
            Self::Slow => "slow",
            Self::Flaky => "flaky",
        }
    }

    pub(crate) fn at(self, number: u32) -> Place {
        Place {
            manner: self,
            number,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/{}", self.manner.word(), self.number)
    }
}

impl FromStr for Place {
    type Err = anyhow::Error;

    fn from_str(path: &str) -> anyhow::Result<Self> {
        let rest = path.strip_prefix('/').context("a path begins with /")?;
        let (word, number) = rest.split_once('/').context("a path is /manner/number")?;
        let manner = match word {
            "fast" => Manner::Fast,
            "hole" => Manner::Hole,
            "slow" => Manner::Slow,
            "flaky" => Manner::Flaky,
            other => bail!("{other} is none of fast, hole, slow and flaky"),
        };
        Ok(manner.at(number.parse().context("a path ends with a number")?))
    }
}
