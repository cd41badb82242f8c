//! From a filter's text to its conditions, or to what is wrong with it, by place.

use super::operand::Operand;
use super::{
    CONDITIONS_MAX, Comparison, Condition, DEPTH_MAX, FilterFault, Order, TEXT_BYTES_MAX, Test,
    VALUES_MAX,
};
use crate::json::{self, Path, Tree};

/// One round shows enough to go on with.
const FAULTS_MAX: usize = 20;
/// Long enough for any id or amount.
const NUMBER_CHARS_MAX: usize = 256;

const JOINS: [&str; 3] = ["all", "any", "not"];
const COMPARISONS: [&str; 9] = [
    "eq", "ne", "in", "lt", "lte", "gt", "gte", "prefix", "exists",
];
const ORDERS: [(&str, Order); 4] = [
    ("lt", Order::Less),
    ("lte", Order::LessOrEqual),
    ("gt", Order::Greater),
    ("gte", Order::GreaterOrEqual),
];
const EXAMPLE: &str = "{\"path\": \"country\", \"eq\": \"DE\"}";

pub(super) fn condition(text: &str) -> Result<Condition, Vec<FilterFault>> {
    let whole = |message: String| {
        vec![FilterFault {
            at: Vec::new(),
            message,
        }]
    };
    if text.len() > TEXT_BYTES_MAX {
        return Err(whole(format!(
            "Ensure this field has no more than {TEXT_BYTES_MAX} bytes."
        )));
    }
    json::check(text.as_bytes()).map_err(|fault| whole(format!("Not JSON: {fault}.")))?;
    let tree =
        Tree::of(text.as_bytes()).ok_or_else(|| whole("It holds too many values.".to_owned()))?;
    let mut reading = Reading::default();
    let read = reading.condition(&tree);
    match read {
        Some(condition) if reading.faults.is_empty() => Ok(condition),
        Some(_) | None => Err(reading.faults),
    }
}

#[derive(Default)]
struct Reading {
    faults: Vec<FilterFault>,
    /// Where in the filter the reading is.
    at: Vec<String>,
    depth: usize,
    conditions: usize,
    values: usize,
}

impl Reading {
    fn fault<T>(&mut self, message: impl Into<String>) -> Option<T> {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(FilterFault {
                at: self.at.clone(),
                message: message.into(),
            });
        }
        None
    }

    /// Reads what stands in a member, or at a position.
    fn within<T>(
        &mut self,
        step: impl Into<String>,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        self.at.push(step.into());
        let read = read(self);
        self.at.pop();
        read
    }

    fn condition(&mut self, tree: &Tree<'_>) -> Option<Condition> {
        let Tree::Object(members) = tree else {
            return self.fault(format!(
                "Expected a condition: an object such as {EXAMPLE}."
            ));
        };
        self.conditions += 1;
        if self.conditions > CONDITIONS_MAX {
            // Said once, of the whole: every further one would say it again.
            let is_first = self.conditions == CONDITIONS_MAX + 1;
            self.at.clear();
            return is_first
                .then(|| {
                    self.fault(format!(
                        "Ensure the filter has no more than {CONDITIONS_MAX} conditions."
                    ))
                })
                .flatten();
        }
        let mut known = true;
        for (name, _) in members {
            let name = &**name;
            if name != "path" && !JOINS.contains(&name) && !COMPARISONS.contains(&name) {
                known = false;
                self.within(name, |reading| reading.unknown(name));
            }
        }
        let join = JOINS.iter().find(|word| tree.member(word).is_some());
        let kinds = JOINS.iter().chain(&["path"]);
        let read = match kinds.filter(|word| tree.member(word).is_some()).count() {
            // What is unknown was said already.
            0 if !known => None,
            0 if COMPARISONS.iter().any(|word| tree.member(word).is_some()) => {
                self.within("path", |reading| reading.fault("This field is required."))
            }
            0 => self.fault(format!(
                "A condition has all, any, not, or a path with a comparison, as {EXAMPLE}."
            )),
            1 => match join {
                Some(join) => self.join(join, tree),
                None => self.comparison(tree),
            },
            _ => self.fault("A condition has one of all, any, not and path: join several by all."),
        };
        read.filter(|_| known)
    }

    fn unknown(&mut self, name: &str) -> Option<()> {
        let hint = match name {
            "type" => " The type is chosen by the hook's event_type.",
            _ => "",
        };
        self.fault(format!(
            "Unknown condition.{hint} Known are {}, and path with {}.",
            JOINS.join(", "),
            COMPARISONS.join(", ")
        ))
    }

    fn join(&mut self, word: &str, tree: &Tree<'_>) -> Option<Condition> {
        let mut beside = false;
        for comparison in COMPARISONS {
            if tree.member(comparison).is_some() {
                beside = true;
                self.within(comparison, |reading| {
                    reading.fault::<()>("A comparison stands beside a path.")
                });
            }
        }
        if self.depth == DEPTH_MAX {
            return self.fault(format!(
                "Ensure conditions nest no deeper than {DEPTH_MAX}."
            ));
        }
        let inner = tree.member(word)?;
        self.depth += 1;
        let read = self.within(word, |reading| match word {
            "not" => reading
                .condition(inner)
                .map(|inner| Condition::Not(Box::new(inner))),
            "all" => reading.conditions(inner).map(Condition::All),
            _any => reading.conditions(inner).map(Condition::Any),
        });
        self.depth -= 1;
        read.filter(|_| !beside)
    }

    fn conditions(&mut self, tree: &Tree<'_>) -> Option<Vec<Condition>> {
        let Tree::List(elements) = tree else {
            return self.fault("Expected a list of conditions.");
        };
        if elements.is_empty() {
            return self.fault("This list may not be empty.");
        }
        let mut read = Vec::new();
        for (place, element) in elements.iter().enumerate() {
            read.extend(self.within(place.to_string(), |reading| reading.condition(element)));
            if self.conditions > CONDITIONS_MAX {
                return None;
            }
        }
        (read.len() == elements.len()).then_some(read)
    }

    fn comparison(&mut self, tree: &Tree<'_>) -> Option<Condition> {
        let path = self.within("path", |reading| match tree.member("path") {
            Some(Tree::Text(text)) => match Path::parse(text) {
                Ok(path) => Some(path),
                Err(words) => reading.fault(words),
            },
            Some(
                Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::List(_) | Tree::Object(_),
            )
            | None => reading.fault("Not a valid string."),
        });
        let mut whole = true;
        let mut tests = Vec::new();
        let mut made = Comparison {
            // Its place until it is known that there is one.
            path: path.clone()?,
            exists: None,
            ne: None,
            tests: Vec::new(),
        };
        for word in COMPARISONS {
            let Some(operand) = tree.member(word) else {
                continue;
            };
            let read = self.within(word, |reading| match word {
                "exists" => reading
                    .truth(operand)
                    .map(|wanted| made.exists = Some(wanted)),
                "ne" => reading
                    .operand(operand)
                    .map(|unwanted| made.ne = Some(unwanted)),
                _ => reading.test(word, operand).map(|test| tests.push(test)),
            });
            whole &= read.is_some();
        }
        made.tests = tests;
        if whole && made.exists.is_none() && made.ne.is_none() && made.tests.is_empty() {
            return self.fault(format!(
                "The path is compared with nothing: add one of {}.",
                COMPARISONS.join(", ")
            ));
        }
        if made.exists == Some(false) && !made.tests.is_empty() {
            return self.within("exists", |reading| {
                reading.fault("Where nothing exists, no other comparison can hold.")
            });
        }
        whole.then_some(Condition::At(made))
    }

    fn test(&mut self, word: &str, operand: &Tree<'_>) -> Option<Test> {
        if let Some((_, order)) = ORDERS.iter().find(|(known, _)| *known == word) {
            let Tree::Number(bound) = operand else {
                return self.fault("A valid number is required.");
            };
            let bound = bound.to_string();
            return match bound.len() <= NUMBER_CHARS_MAX {
                true => Some(Test::Is(*order, bound.into())),
                false => self.fault("Ensure this number has no more than 256 digits."),
            };
        }
        match (word, operand) {
            ("eq", operand) => self.operand(operand).map(Test::Eq),
            ("in", Tree::List(elements)) if !elements.is_empty() => {
                let mut wanted = Vec::new();
                for (place, element) in elements.iter().enumerate() {
                    let step = place.to_string();
                    wanted.push(self.within(step, |reading| reading.operand(element))?);
                }
                Some(Test::In(wanted))
            }
            ("in", _) => self.fault("Expected a list of values, at least one."),
            (_prefix, Tree::Text(text)) if !text.is_empty() => Some(Test::Prefix((**text).into())),
            (_prefix, _) => self.fault("Expected a string of at least one character."),
        }
    }

    fn truth(&mut self, tree: &Tree<'_>) -> Option<bool> {
        match tree {
            Tree::Bool(truth) => Some(*truth),
            Tree::Null | Tree::Number(_) | Tree::Text(_) | Tree::List(_) | Tree::Object(_) => {
                self.fault("Must be true or false.")
            }
        }
    }

    fn operand(&mut self, tree: &Tree<'_>) -> Option<Operand> {
        let operand = Operand::of(tree);
        self.values += operand.values();
        if self.values > VALUES_MAX {
            return self.fault(format!(
                "Ensure the filter compares with no more than {VALUES_MAX} values."
            ));
        }
        Some(operand)
    }
}
