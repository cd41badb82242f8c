//! `plugin check`: what a server would say of a component, before one sees it.

use std::path::Path;

use anyhow::Context as _;
use whisperer_domain::json_schema::JsonSchema;
use whisperer_sandbox::PluginStatus;

use super::workbench::{Counting, Workbench};
use crate::stdout::say;

/// # Errors
/// What is wrong with it and how to mend it.
pub(super) fn run(file: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::metadata(file)
        .with_context(|| format!("cannot read {}", file.display()))?
        .len();
    let bench = Workbench::with(file, Counting::Off)?;
    let status = bench.loaded()?;
    say(&format!(
        "{}: a plugin that this version of Whisperer runs ({} KiB)",
        file.display(),
        bytes.div_ceil(1024)
    ));
    let about = &status.about;
    line("version", or_nothing(&about.version));
    line("summary", or_nothing(&about.summary));
    let patterns: Vec<String> = status.patterns.iter().map(ToString::to_string).collect();
    let patterns = patterns.join(", ");
    line(
        "events",
        if patterns.is_empty() {
            "none of its own: it runs where a hook names it"
        } else {
            &patterns
        },
    );
    line("imports", &status.imports.join(", "));
    line(
        "digest",
        &status.digest.map(|it| it.to_string()).unwrap_or_default(),
    );
    for advice in advice(&status) {
        say(&format!("note: {advice}"));
    }
    Ok(())
}

fn line(name: &str, value: &str) {
    say(&format!("  {name:<8} {value}"));
}

fn or_nothing(text: &str) -> &str {
    if text.is_empty() {
        "(says nothing)"
    } else {
        text
    }
}

/// What runs and could be better.
fn advice(status: &PluginStatus) -> Vec<String> {
    let mut advice = Vec::new();
    match &status.about.config_schema {
        None => advice.push(
            "it declares no schema for its configuration (export describe), so a wrong one is \
             found only when it runs"
                .to_owned(),
        ),
        Some(schema) => advice.extend(example_advice(schema, status)),
    }
    if !status.default_misfits.is_empty() {
        advice.push(
            "it takes no empty configuration: hooks must give one, or the operator a default in \
             NAME.toml"
                .to_owned(),
        );
    }
    advice
}

fn example_advice(schema: &str, status: &PluginStatus) -> Option<String> {
    let example = status.about.config_example.as_deref()?;
    let schema = JsonSchema::parse(schema).ok()?;
    let Ok(value) = serde_json::from_str(example) else {
        return Some("its example of a configuration is not JSON".to_owned());
    };
    let misfits = schema.check(&value).err()?;
    let all: Vec<String> = misfits.iter().map(ToString::to_string).collect();
    Some(format!(
        "its example of a configuration does not fit its own schema: {}",
        all.join("; ")
    ))
}
