//! An HTTP server that takes events, answers 202 and does nothing with them: what accepting costs
//! at least. A process of its own, on one thread, which is what costs least.

use std::net::Ipv4Addr;

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::ListenerExt as _;

use crate::child::end_with_stdin;

/// The subcommand of that process.
pub(crate) const ROLE: &str = "axum";

pub(crate) fn serve() -> anyhow::Result<()> {
    end_with_stdin();
    let router = Router::new().route("/", post(accept));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("http://{}/", listener.local_addr()?);
        let listener = listener.tap_io(|socket| {
            // Only a matter of speed: without it the answer still goes out.
            let _ = socket.set_nodelay(true);
        });
        axum::serve(listener, router)
            .await
            .context("the server ended")
    })
}

/// Answers as much as a real server would, which tells an id.
async fn accept(body: Bytes) -> (StatusCode, &'static str) {
    // Whole, as it would be needed; a body that is cut off does not come to this.
    drop(body);
    let answer = r#"{"id":"0199f3a0-0000-7000-8000-000000000000","deliveries":1}"#;
    (StatusCode::ACCEPTED, answer)
}
