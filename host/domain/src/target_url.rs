//! Where a hook's requests go: an absolute http or https URL, normalised, without userinfo.
//!
//! Browsers forgive much in a URL (`http:host`, backslashes, tabs in the middle, `user@`), and
//! each kindness is a way to make a reader see another host than the one that is dialled. Here
//! they are refused; what passes is normalised once, and only the normalised form is stored,
//! shown, compared and sent. Whether its address may be dialled is [`crate::address`]'s business.
//!
//! Invariant: parsing [`TargetUrl::as_str`] gives the same `TargetUrl` again.

use std::fmt;

use url::{Host, ParseError, Url};

/// The most bytes of a target URL, as given and normalised.
pub const TARGET_URL_BYTES_MAX: usize = 2048;

const NOT_ABSOLUTE: &str = "Must be an absolute http or https URL, like https://example.com/hook.";

/// Normalised: what is stored, shown, compared and sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TargetUrl(Url);

impl TargetUrl {
    /// Reads and normalises a URL. A fragment is dropped: it is never sent.
    ///
    /// # Errors
    /// A sentence for the `target_url` field. It repeats nothing of the URL, which may hold a
    /// credential.
    pub fn parse(text: &str) -> Result<Self, String> {
        check_text(text)?;
        let mut url = Url::parse(text).map_err(explain)?;
        url.set_fragment(None);
        match url.host() {
            Some(Host::Domain(name)) => check_name(name)?,
            Some(Host::Ipv4(_) | Host::Ipv6(_)) => {}
            None => return Err(NOT_ABSOLUTE.to_owned()),
        }
        check_bytes(url.as_str().len())?;
        Ok(Self(url))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    #[must_use]
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// `https://example.com` or `http://10.0.0.1:8080`: what may be shown to a plugin or logged,
    /// since path and query carry secrets.
    #[must_use]
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// A name in lower case and Punycode, or an address however it was spelled.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "the invariant rules it out")]
    pub fn host(&self) -> Host<&str> {
        // `parse` refuses a URL without a host, and nothing changes it afterwards.
        self.0.host().expect("a target URL has a host")
    }

    /// As written, or the scheme's own: 80 or 443.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "the invariant rules it out")]
    pub fn port(&self) -> u16 {
        // `parse` admits http and https only, and both have a port of their own.
        self.0
            .port_or_known_default()
            .expect("http and https have a default port")
    }
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the parser would silently forgive.
fn check_text(text: &str) -> Result<(), String> {
    check_bytes(text.len())?;
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(
            "Must not contain spaces or control characters; write a space as %20.".to_owned(),
        );
    }
    if text.contains('\\') {
        return Err("Must not contain a backslash; write %5C.".to_owned());
    }
    let after_scheme = ["http://", "https://"].iter().find_map(|scheme| {
        let head = text.get(..scheme.len())?;
        head.eq_ignore_ascii_case(scheme)
            .then(|| &text[scheme.len()..])
    });
    let Some(rest) = after_scheme else {
        return Err(NOT_ABSOLUTE.to_owned());
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(
            "Must not carry a user name or password; put them into config.auth.".to_owned(),
        );
    }
    if authority.is_empty() || authority.starts_with(':') {
        return Err(NOT_ABSOLUTE.to_owned());
    }
    Ok(())
}

fn check_bytes(bytes: usize) -> Result<(), String> {
    if bytes > TARGET_URL_BYTES_MAX {
        return Err(format!(
            "Must have at most {TARGET_URL_BYTES_MAX} bytes in its normalised form, has {bytes}."
        ));
    }
    Ok(())
}

/// The URL standard lets `!`, `$` or `*` into host names; no resolver and no request line does.
fn check_name(name: &str) -> Result<(), String> {
    let bare = name.strip_suffix('.').unwrap_or(name);
    let label_ok = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if bare.len() > 253 || !bare.split('.').all(label_ok) {
        return Err(
            "Must name a host: labels of 1 to 63 letters, digits and hyphens, joined by dots."
                .to_owned(),
        );
    }
    Ok(())
}

fn explain(error: ParseError) -> String {
    match error {
        ParseError::InvalidPort => "Must have a port between 1 and 65535, or none.".to_owned(),
        ParseError::InvalidIpv4Address => {
            "Must name a host; one that ends in a number must be an IPv4 address.".to_owned()
        }
        ParseError::InvalidIpv6Address => {
            "Must have a valid IPv6 address between the brackets, without a zone.".to_owned()
        }
        ParseError::IdnaError | ParseError::InvalidDomainCharacter => {
            "Must name a host that the DNS can hold.".to_owned()
        }
        // A foreign enum that may grow; the rest cannot happen to text that passed `check_text`.
        _ => NOT_ABSOLUTE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};

    use super::{TARGET_URL_BYTES_MAX, TargetUrl};

    #[test]
    fn what_passes_is_normalised() {
        let cases = [
            ("HTTPS://Example.COM", "https://example.com/"),
            ("https://example.com:443/a", "https://example.com/a"),
            (
                "http://example.com:8080/a?b=c",
                "http://example.com:8080/a?b=c",
            ),
            ("https://example.com/a/../b#frag", "https://example.com/b"),
            ("https://bücher.example/", "https://xn--bcher-kva.example/"),
            (
                "https://example.com/ü?q=ü",
                "https://example.com/%C3%BC?q=%C3%BC",
            ),
            ("http://2130706433/", "http://127.0.0.1/"),
            ("http://[::FFFF:10.0.0.1]/", "http://[::ffff:a00:1]/"),
            ("https://example.com./", "https://example.com./"),
            ("https://example.com/a@b", "https://example.com/a@b"),
            ("https://my_host.example/", "https://my_host.example/"),
        ];
        for (given, normal) in cases {
            assert_eq!(TargetUrl::parse(given).unwrap().as_str(), normal, "{given}");
        }
    }

    #[test]
    fn its_parts() {
        let plain = TargetUrl::parse("https://example.com/secret?token=1").unwrap();
        assert_eq!(plain.origin(), "https://example.com");
        assert_eq!(
            (plain.host().to_string().as_str(), plain.port()),
            ("example.com", 443)
        );
        let odd = TargetUrl::parse("http://[2001:db8::1]:8080/").unwrap();
        assert_eq!(odd.origin(), "http://[2001:db8::1]:8080");
        assert_eq!(odd.port(), 8080);
    }

    #[test]
    fn what_a_browser_would_forgive_is_refused() {
        let long = format!("https://example.com/{}", "x".repeat(TARGET_URL_BYTES_MAX));
        let grows = format!("https://example.com/{}", "ü".repeat(700));
        let label = format!("https://{}.example/", "x".repeat(64));
        let cases = [
            ("", "absolute http or https"),
            ("example.com/hook", "absolute http or https"),
            ("/hook", "absolute http or https"),
            ("ftp://example.com/", "absolute http or https"),
            ("file:///etc/passwd", "absolute http or https"),
            ("javascript:alert(1)", "absolute http or https"),
            ("http:169.254.169.254/", "absolute http or https"),
            ("http:/example.com", "absolute http or https"),
            ("http:///example.com", "absolute http or https"),
            ("http://", "absolute http or https"),
            ("http://:80/", "absolute http or https"),
            ("http:\\\\example.com\\", "backslash"),
            ("http://example.com\\@10.0.0.1/", "backslash"),
            ("http://user@example.com/", "config.auth"),
            ("http://user:pw@example.com/", "config.auth"),
            ("http://@example.com/", "config.auth"),
            ("http://example.com:80@169.254.169.254/", "config.auth"),
            (" http://example.com/", "spaces"),
            ("http://exam\tple.com/", "spaces"),
            ("http://example.com/\n", "spaces"),
            ("http://example.com/\u{a0}", "spaces"),
            ("http://example.com/\0", "spaces"),
            ("http://example.com:65536/", "port"),
            ("http://example.com:x/", "port"),
            ("http://1.2.3.4.5/", "IPv4"),
            ("http://[::1/", "IPv6"),
            ("http://[fe80::1%25eth0]/", "IPv6"),
            ("http://a..b/", "labels"),
            ("http://example.com../", "labels"),
            ("http://*.example.com/", "labels"),
            (&label, "labels"),
            ("http://exa%00mple.com/", "DNS"),
            (&long, "at most"),
            (&grows, "at most"),
        ];
        for (given, why) in cases {
            let refusal = TargetUrl::parse(given).expect_err(given);
            assert!(refusal.contains(why), "{given:?}: {refusal}");
            assert!(
                refusal.starts_with("Must ") && refusal.ends_with('.'),
                "{refusal}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn parsing_the_normal_form_changes_nothing(
            text in "https?://([a-zA-Z0-9_.%-]{1,20}|[0-9a-fx.]{1,12})(:[0-9]{0,5})?(/[!-~ü]{0,12})?"
        ) {
            if let Ok(url) = TargetUrl::parse(&text) {
                prop_assert_eq!(TargetUrl::parse(url.as_str()), Ok(url));
            }
        }
    }
}
