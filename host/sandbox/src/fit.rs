//! Whether a hook's configuration fits the generation that is to run it.
//!
//! Asked on every delivery's way, whatever was checked when the hook was written: the plugin may
//! have been swapped since, or have come later than the hook. An answer is kept, so that it is
//! found out once for each configuration and generation; of the configuration itself nothing is.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use whisperer_domain::json_schema::{JsonSchema, Misfit};
use whisperer_domain::secret::{Identity, Secret};

/// Answers that are kept. Beyond it all are forgotten and found out again.
const KEPT_MAX: usize = 64 << 10;

pub(crate) struct Fit {
    schema: Option<JsonSchema>,
    known: RwLock<HashMap<Identity, bool>>,
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

    pub(crate) fn fits(&self, config: &Secret) -> bool {
        let Some(schema) = &self.schema else {
            return true;
        };
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(fits) = known.get(&config.identity()) {
            return *fits;
        }
        drop(known);
        let fits = check(schema, &config.expose()).is_ok();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT_MAX {
            known.clear();
        }
        known.insert(config.identity(), fits);
        fits
    }

    /// All that does not fit; empty if it does.
    pub(crate) fn misfits(&self, config: &Secret) -> Vec<Misfit> {
        match &self.schema {
            Some(schema) if !self.fits(config) => {
                check(schema, &config.expose()).err().unwrap_or_default()
            }
            Some(_) | None => Vec::new(),
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
