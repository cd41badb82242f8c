//! An outbound request in the form that both ways out take.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use url::Url;
use whisperer_domain::header::Value;
use whisperer_domain::port::OutboundRequest;

/// What frames the message or manages the connection is hyper's alone: hyper would obey a
/// `content-length` of ours, and a wrong one lets a request be smuggled behind another. The API
/// refuses them by name; here they are passed over, so that nothing depends on that.
const OURS: [HeaderName; 10] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
    HeaderName::from_static("proxy-connection"),
];

/// A POST that can be sent.
pub(crate) struct Post {
    pub(crate) url: Url,
    /// The same, as HTTP has it.
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Post {
    /// # Errors
    /// Words that name a header which cannot be sent, never its value.
    pub(crate) fn of(request: OutboundRequest) -> Result<Self, String> {
        let mut headers = headers(&request.headers)?;
        // Some servers answer 406 to who says nothing.
        headers
            .entry(header::ACCEPT)
            .or_insert(HeaderValue::from_static("*/*"));
        let uri = Uri::try_from(request.url.as_str())
            .map_err(|_| "the target URL holds something that cannot be sent by HTTP".to_owned())?;
        Ok(Self {
            url: request.url.as_url().clone(),
            uri,
            headers,
            body: request.body,
        })
    }
}

fn headers(given: &[(String, Value)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::with_capacity(given.len());
    for (name, value) in given {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| "the request has a header whose name cannot be sent".to_owned())?;
        if OURS.contains(&name) {
            continue;
        }
        let is_closed = matches!(value, Value::Closed(_));
        let mut value = value
            .read(|text| HeaderValue::from_bytes(text.as_bytes()))
            .map_err(|_| format!("the request's header {name} has a value that cannot be sent"))?;
        // Out of `Debug`.
        value.set_sensitive(is_closed);
        // A header count that overflows the map is an error here, not a panic.
        headers
            .try_append(name, value)
            .map_err(|_| "the request has too many headers".to_owned())?;
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use whisperer_domain::header::Value;
    use whisperer_domain::secret::Secret;

    use super::headers;

    fn given(name: &str, value: &str) -> Vec<(String, Value)> {
        vec![(name.to_owned(), Secret::new(value.to_owned()).into())]
    }

    #[test]
    fn framing_is_passed_over_in_any_casing() {
        for name in [
            "Host",
            "CONTENT-LENGTH",
            "Transfer-Encoding",
            "expect",
            "tE",
        ] {
            assert!(headers(&given(name, "1")).unwrap().is_empty(), "{name}");
        }
    }

    #[test]
    fn invariant_7_values_are_not_shown() {
        let sent = headers(&given("authorization", "Bearer hunter2")).unwrap();
        assert!(!format!("{sent:?}").contains("hunter2"));
        let refusal = headers(&given("x-key", "hunter2\r\nx: y")).unwrap_err();
        assert!(refusal.contains("x-key") && !refusal.contains("hunter2"));
    }
}
