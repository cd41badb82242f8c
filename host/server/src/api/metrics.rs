//! `/metrics`, for Prometheus: open to the machine itself, else by a token.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use whisperer_sandbox::PluginStatus;

use super::Api;
use super::auth::Principal;
use super::problem::Problem;

/// Who is at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn metrics(
    State(api): State<Arc<Api>>,
    request: Request,
) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let near = parts
        .extensions
        .get::<Peer>()
        .is_some_and(|peer| peer.0.ip().to_canonical().is_loopback());
    if !near {
        Principal::from_request_parts(&mut parts, &api).await?;
    }
    let mut text = (api.metrics)();
    write_info(&mut text, &api.plugins.list());
    Ok(([(CONTENT_TYPE, TEXT)], text).into_response())
}

/// What runs just now, by digest: written from how things stand, so that digests that are gone
/// leave no series behind.
fn write_info(text: &mut String, plugins: &[PluginStatus]) {
    text.push_str("# HELP whisperer_plugin_info The file of a plugin that runs.\n");
    text.push_str("# TYPE whisperer_plugin_info gauge\n");
    for plugin in plugins {
        if let Some(digest) = plugin.digest {
            let version = escaped(&plugin.about.version);
            // Writing into a String cannot fail.
            let _ = writeln!(
                text,
                "whisperer_plugin_info{{plugin=\"{}\",digest=\"{digest}\",version=\"{version}\"}} 1",
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
