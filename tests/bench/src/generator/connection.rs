//! One connection to the server, driven by the task that uses it: no task beside it is woken for
//! every message.

use std::net::SocketAddr;
use std::pin::pin;

use anyhow::Context;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Of an answer's body, to be told if it is not as it should be.
const KEPT_BYTES: usize = 300;

type Driver = http1::Connection<TokioIo<TcpStream>, Full<Bytes>>;

pub(super) struct Connection {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
    driver: Driver,
    /// The server closed it: the next message goes over another.
    ended: bool,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let (sender, driver) = dial(address).await?;
        Ok(Self {
            address,
            sender,
            driver,
            ended: false,
        })
    }

    /// Sends a request and reads its answer to the end, the first bytes of which it hands over.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> anyhow::Result<(StatusCode, Vec<u8>)> {
        if self.ended {
            (self.sender, self.driver) = dial(self.address).await?;
            self.ended = false;
        }
        let mut answer = pin!(exchange(&mut self.sender, request));
        // The driver first: whatever came is with the answer when that is asked.
        tokio::select! {
            biased;
            _ = &mut self.driver => {
                self.ended = true;
                // It may have ended with the answer, or before it; then this says so.
                answer.await
            }
            answered = &mut answer => answered,
        }
    }
}

async fn dial(address: SocketAddr) -> anyhow::Result<(SendRequest<Full<Bytes>>, Driver)> {
    let stream = TcpStream::connect(address).await;
    let stream = stream.with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    let made = http1::handshake(TokioIo::new(stream)).await;
    made.with_context(|| format!("cannot speak HTTP with {address}"))
}

async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<(StatusCode, Vec<u8>)> {
    sender.ready().await.context("no connection")?;
    let response = sender.send_request(request).await.context("no answer")?;
    let (status, mut body, mut kept) = (response.status(), response.into_body(), Vec::new());
    // To its end, or the connection could not be used again.
    while let Some(frame) = body.frame().await {
        let frame = frame.context("an answer was cut off")?;
        if let Some(data) = frame.data_ref() {
            let room = KEPT_BYTES - kept.len();
            kept.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    Ok((status, kept))
}
