//! `/metrics`, for Prometheus: open to the machine itself, else by a token.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use whisperer_sandbox::PluginStatus;

use super::Api;
use super::auth::authenticate;
use super::problem::Problem;

/// Who is at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// What runs now; the other names stand in the crates that count.
const PLUGIN_INFO: &str = "whisperer_plugin_info";
/// What proxies add. One on this machine is near, whoever it speaks for may be anywhere.
const PASSED_ON: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Metrics in the text format of Prometheus
///
/// Open to this machine; others need a token.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "Operations",
    security((), ("token" = []), ("bearer" = [])),
    responses(
        (status = 401, description = "From elsewhere it takes a token."),
        (status = 200, body = String, content_type = "text/plain"),
    ),
)]
pub(super) async fn metrics(
    State(api): State<Arc<Api>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    if !is_near(&parts) {
        authenticate(&parts.headers, &api)?;
    }
    let mut text = (api.metrics)();
    write_info(&mut text, &api.plugins.list());
    Ok(([(CONTENT_TYPE, TEXT)], text).into_response())
}

fn is_near(parts: &Parts) -> bool {
    let peer = parts.extensions.get::<Peer>();
    let passed_on = PASSED_ON
        .iter()
        .any(|name| parts.headers.contains_key(*name));
    !passed_on && peer.is_some_and(|peer| peer.0.ip().to_canonical().is_loopback())
}

/// What runs just now, by digest: written from how things stand, so that digests that are gone
/// leave no series behind.
fn write_info(text: &mut String, plugins: &[PluginStatus]) {
    // Writing into a String cannot fail.
    let _ = writeln!(
        text,
        "# HELP {PLUGIN_INFO} The file of a plugin that runs.\n# TYPE {PLUGIN_INFO} gauge"
    );
    for plugin in plugins {
        if let Some(digest) = plugin.digest {
            let version = escaped(&plugin.about.version);
            let _ = writeln!(
                text,
                "{PLUGIN_INFO}{{plugin=\"{}\",digest=\"{digest}\",version=\"{version}\"}} 1",
                plugin.name
            );
        }
    }
}

/// A version is a stranger's text.
fn escaped(label: &str) -> String {
    let plain: String = label.chars().filter(|c| !c.is_control()).take(64).collect();
    plain.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use http::Request;

    use super::{Peer, escaped, is_near};

    #[test]
    fn near_is_the_machine_itself_and_nobody_it_speaks_for() {
        let cases = [
            ("127.0.0.1:5", None, true),
            ("[::1]:5", None, true),
            ("[::ffff:127.0.0.1]:5", None, true),
            ("192.0.2.1:5", None, false),
            ("127.0.0.1:5", Some("x-forwarded-for"), false),
            ("127.0.0.1:5", Some("forwarded"), false),
        ];
        for (peer, header, near) in cases {
            let mut request = Request::get("/metrics");
            if let Some(name) = header {
                request = request.header(name, "192.0.2.1");
            }
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            assert!(!is_near(&parts), "a peer without an address");
            let address: SocketAddr = peer.parse().unwrap();
            parts.extensions.insert(Peer(address));
            assert_eq!(is_near(&parts), near, "{peer} {header:?}");
        }
    }

    #[test]
    fn a_version_cannot_write_lines_of_its_own() {
        let version = "1\"} 1\nwhisperer_up{a=\"\\";
        assert_eq!(escaped(version), "1\\\"} 1whisperer_up{a=\\\"\\\\");
    }
}
