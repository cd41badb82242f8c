//! Slack's text format: what must be escaped, and where text must end.

/// Appends `text` so that it reads as itself, as far as `chars_max` characters of `out` in all.
/// An entity is never cut in two; what was cut ends in an ellipsis.
pub(crate) fn push_escaped(out: &mut String, text: &str, chars_max: usize) {
    let mut length = out.chars().count();
    for character in text.chars() {
        let entity = match character {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            other => {
                // One place is kept for the ellipsis.
                if length + 2 > chars_max {
                    return push_ellipsis(out, length, chars_max);
                }
                out.push(other);
                length += 1;
                continue;
            }
        };
        if length + entity.len() + 1 > chars_max {
            return push_ellipsis(out, length, chars_max);
        }
        out.push_str(entity);
        length += entity.len();
    }
}

fn push_ellipsis(out: &mut String, length: usize, chars_max: usize) {
    if length < chars_max && !out.ends_with('…') {
        out.push('…');
    }
}

/// Appends the operator's own text, which may use the format; cut like the rest.
pub(crate) fn push_plain(out: &mut String, text: &str, chars_max: usize) {
    let room = chars_max.saturating_sub(out.chars().count());
    if text.chars().count() < room {
        out.push_str(text);
    } else {
        out.extend(text.chars().take(room.saturating_sub(1)));
        push_ellipsis(out, out.chars().count(), chars_max);
    }
}

#[cfg(test)]
mod tests {
    use super::push_escaped;

    fn escaped(text: &str, chars_max: usize) -> String {
        let mut out = String::new();
        push_escaped(&mut out, text, chars_max);
        out
    }

    #[test]
    fn a_value_makes_no_mention_and_no_link() {
        assert_eq!(
            escaped("<!channel> & <http://x|y>", 99),
            "&lt;!channel&gt; &amp; &lt;http://x|y&gt;"
        );
    }

    #[test]
    fn long_text_is_cut_between_entities() {
        assert_eq!(escaped("aaaa", 4), "aaa…");
        assert_eq!(escaped("a&&", 9), "a&amp;…");
        assert_eq!(escaped(&"ü".repeat(5000), 3000).chars().count(), 3000);
    }
}
