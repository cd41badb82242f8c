//! `make demo`: the main job before your eyes, with the real server and a small receiver.
//!
//! The server is the release binary as a child process, in a data folder of its own. The
//! receiver is in this process: it checks each signature with the official Standard Webhooks
//! library and shows what it got. `--once` ends when the story is told, for CI.

mod api;
mod receiver;
mod server;
mod story;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;

#[derive(Parser)]
struct Args {
    /// Where the built plugins lie.
    #[arg(long)]
    plugins: PathBuf,
    /// The server's data; made anew at each start.
    #[arg(long, default_value = "target/demo-data")]
    data: PathBuf,
    /// End after the story instead of staying up.
    #[arg(long)]
    once: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    println!(
        "Whisperer demo: a real server and a receiver on 127.0.0.1, three hooks, a dozen events; \
         it takes a few seconds and then stays up for you to try.\n"
    );
    let mut server = server::start(&args.data, &args.plugins)?;
    let api = api::Api::new(&server.base, server::TOKEN)?;
    api.ready(Duration::from_secs(30)).await?;
    println!(
        "The server listens on {}, its data is in {}.",
        server.base,
        args.data.display()
    );

    let receiver = receiver::Receiver::start()
        .await
        .context("cannot start the receiver")?;
    story::tell(&api, &receiver).await?;
    if args.once {
        return server.stop();
    }
    what_next(&server, &receiver);
    tokio::select! {
        result = tokio::signal::ctrl_c() => result.context("cannot listen for Ctrl-C")?,
        status = server.ended() => bail!("the server ended: {status}"),
    }
    println!("\nStopping.");
    server.stop()
}

fn what_next(server: &server::Server, receiver: &receiver::Receiver) {
    let (base, token) = (&server.base, server::TOKEN);
    println!(
        r#"
== Your turn (Ctrl-C ends it)
Post an event of your own; the receiver here shows what arrives:

  curl -s {base}/whisperer/events/ -H 'Authorization: Token {token}' \
       -H 'Content-Type: application/json' \
       -d '{{"type": "shipment.created", "payload": {{"id": 1, "customer": {{"email": "you@example.com"}}}}}}'

Subscribe a hook of your own (the receiver takes any path):

  curl -s {base}/whisperer/hooks/ -H 'Authorization: Token {token}' \
       -H 'Content-Type: application/json' \
       -d '{{"target_url": "{}", "event_type": "shipment.*", "secret_key": "my-secret-key"}}'

See what happened:

  curl -s '{base}/whisperer/hook_events/?limit=3' -H 'Authorization: Token {token}'

Drop a plugin into {} and it is live; the README shows how to write one."#,
        receiver.url("/mine"),
        server.plugins.display(),
    );
}
