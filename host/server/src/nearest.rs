//! "Did you mean": the few known names that lie closest to one that is not known.
//!
//! Bounded on both sides, because the unknown name is a stranger's and comparing costs the
//! product of both lengths.

const WORD_BYTES_MAX: usize = 200;
const NAMES_MAX: usize = 2_000;
const SHOWN_MAX: usize = 3;
/// Half of the letters in place: fewer is no likeness but chance.
const LIKENESS_MIN: f64 = 0.5;

/// At most three of `names`, the most alike first.
pub(crate) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    if word.len() > WORD_BYTES_MAX {
        return Vec::new();
    }
    let word = word.to_lowercase();
    let mut scored: Vec<(f64, &str)> = names
        .take(NAMES_MAX)
        .map(|name| {
            let alike = strsim::normalized_damerau_levenshtein(&word, &name.to_lowercase());
            (alike, name)
        })
        .filter(|(alike, _)| *alike >= LIKENESS_MIN)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored
        .into_iter()
        .take(SHOWN_MAX)
        .map(|(_, name)| name)
        .collect()
}

/// ` Did you mean "a" or "b"?`, or nothing when nothing is near.
pub(crate) fn did_you_mean<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> String {
    let near = nearest(word, names);
    if near.is_empty() {
        return String::new();
    }
    let quoted: Vec<String> = near.iter().map(|name| format!("\"{name}\"")).collect();
    format!(" Did you mean {}?", quoted.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn names_what_is_near_and_keeps_silent_otherwise() {
        let names = ["target_url", "event_type", "timeout_ms"];
        let ask = |word: &str| did_you_mean(word, names.into_iter());
        assert_eq!(ask("target_ulr"), " Did you mean \"target_url\"?");
        assert_eq!(ask("zzz"), "");
        assert_eq!(ask(&"target_url".repeat(1_000)), "");
    }
}
