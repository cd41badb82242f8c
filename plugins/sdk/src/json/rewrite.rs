//! The pass that writes: copies the document up to each edit, so that what lies between two
//! edits is one copy and keeps its bytes.

use std::ops::Range;

use super::Edit;
use super::scan::{Child, Malformed, Scan};
use crate::path::Step;

pub(super) struct Rewrite<'json, 'path, F> {
    text: &'json str,
    scan: Scan<'json>,
    /// The paths that lead into what the scan is in, one range for each level: what is left of
    /// them. One list for all, so that a long list in the document costs no allocation each.
    live: Vec<&'path [Step]>,
    edit: F,
    out: String,
    /// Up to where the document is in `out`, or left out.
    copied: usize,
    changed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    Stays,
    Goes,
}

impl<'json, 'path, F: FnMut(&str) -> Edit> Rewrite<'json, 'path, F> {
    pub(super) fn new(text: &'json str, paths: Vec<&'path [Step]>, edit: F) -> Self {
        // A document that is changed loses the white space around it.
        let text = text.trim_matches([' ', '\n', '\r', '\t']);
        Self {
            text,
            scan: Scan::new(text),
            live: paths,
            edit,
            out: String::new(),
            copied: 0,
            changed: false,
        }
    }

    /// The document with its edits; none: there were none.
    pub(super) fn run(mut self) -> Result<Option<String>, Malformed> {
        let all = 0..self.live.len();
        // A path has at least one step, so none removes the document itself.
        self.value(all)?;
        self.scan.end()?;
        if !self.changed {
            return Ok(None);
        }
        self.copy_to(self.text.len());
        Ok(Some(self.out))
    }

    /// As deep as the longest path at most: a document cannot make this recurse further.
    fn value(&mut self, live: Range<usize>) -> Result<Made, Malformed> {
        if live.is_empty() {
            self.scan.pass()?;
            return Ok(Made::Stays);
        }
        let paths = self.live.get(live.clone()).unwrap_or_default();
        if paths.iter().any(|steps| steps.is_empty()) {
            return self.found();
        }
        self.children(live)?;
        Ok(Made::Stays)
    }

    fn found(&mut self) -> Result<Made, Malformed> {
        let value = self.scan.value()?;
        match (self.edit)(value) {
            Edit::Keep => Ok(Made::Stays),
            Edit::Replace(new) => {
                self.copy_to(self.scan.at() - value.len());
                self.out.push_str(&new);
                self.copied = self.scan.at();
                Ok(Made::Stays)
            }
            Edit::Remove => Ok(Made::Goes),
        }
    }

    fn children(&mut self, live: Range<usize>) -> Result<(), Malformed> {
        let Some(mut within) = self.scan.enter() else {
            return self.scan.pass();
        };
        // Whether one before stays: then the comma goes with what is removed. Else everything up
        // to the next one goes, and the comma with it.
        let mut stayed = false;
        let mut cutting = false;
        let mut end = self.scan.at();
        while let Some(child) = self.scan.child(&mut within)? {
            if cutting {
                self.copied = child.start;
            }
            let further = self.further(live.clone(), &child);
            let made = self.value(further.clone())?;
            self.live.truncate(further.start);
            end = self.scan.at();
            match made {
                Made::Stays => {
                    stayed = true;
                    cutting = false;
                }
                Made::Goes if stayed => {
                    self.copy_to(child.comma);
                    self.copied = end;
                }
                Made::Goes => {
                    self.copy_to(child.start);
                    cutting = true;
                }
            }
        }
        if cutting {
            self.copied = end;
        }
        Ok(())
    }

    /// What is left of the paths that lead to this child.
    fn further(&mut self, live: Range<usize>, child: &Child<'_>) -> Range<usize> {
        let start = self.live.len();
        for position in live {
            if let Some((step, rest)) = self.live.get(position).and_then(|it| it.split_first())
                && child.fits(step)
            {
                self.live.push(rest);
            }
        }
        start..self.live.len()
    }

    fn copy_to(&mut self, place: usize) {
        if !self.changed {
            self.changed = true;
            self.out.reserve(self.text.len());
        }
        // Places are those of brackets, commas, quotes and values: never inside a character.
        let between = self.text.get(self.copied..place);
        self.out.push_str(between.unwrap_or_default());
        self.copied = place;
    }
}
