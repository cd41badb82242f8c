//! Whether a hook's configuration fits the generation that is to run it.
//!
//! Asked on every delivery's way, whatever was checked when the hook was written: the plugin may
//! have been swapped since, or have come later than the hook. An answer is kept, so that it is
//! found out once for each configuration and generation.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use whisperer_domain::json_schema::{JsonSchema, Misfit};

/// What is kept of answers. Beyond it all are forgotten and found out again.
const KEPT_BYTES_MAX: usize = 4 << 20;
const ENTRY_BYTES: usize = 64;

pub(crate) struct Fit {
    schema: Option<JsonSchema>,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    fits: HashMap<Box<str>, bool>,
    bytes: usize,
}

impl Fit {
    pub(crate) fn to(schema: Option<JsonSchema>) -> Self {
        Self {
            schema,
            known: RwLock::default(),
        }
    }

    pub(crate) fn schema(&self) -> Option<&JsonSchema> {
        self.schema.as_ref()
    }

    pub(crate) fn fits(&self, config: &str) -> bool {
        let Some(schema) = &self.schema else {
            return true;
        };
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(fits) = known.fits.get(config) {
            return *fits;
        }
        drop(known);
        let fits = check(schema, config).is_ok();
        self.known
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .keep(config, fits);
        fits
    }

    /// All that does not fit; empty if it does.
    pub(crate) fn misfits(&self, config: &str) -> Vec<Misfit> {
        match &self.schema {
            Some(schema) if !self.fits(config) => check(schema, config).err().unwrap_or_default(),
            Some(_) | None => Vec::new(),
        }
    }
}

impl Known {
    fn keep(&mut self, config: &str, fits: bool) {
        let bytes = config.len() + ENTRY_BYTES;
        if self.bytes + bytes > KEPT_BYTES_MAX {
            *self = Self::default();
        }
        if self.fits.insert(config.into(), fits).is_none() {
            self.bytes += bytes;
        }
    }
}

fn check(schema: &JsonSchema, config: &str) -> Result<(), Vec<Misfit>> {
    match serde_json::from_str(config) {
        Ok(config) => schema.check(&config),
        Err(why) => Err(vec![Misfit {
            path: Vec::new(),
            message: format!("it is not JSON: {why}"),
        }]),
    }
}
