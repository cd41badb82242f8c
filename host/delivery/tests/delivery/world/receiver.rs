//! Receivers as tests want them: prompt, failing, slow or silent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use whisperer_domain::attempt::Response;
use whisperer_domain::port::{BoxFuture, Exchanged};

use super::Seen;

pub(crate) type Receiver = Arc<dyn Fn(&Seen) -> BoxFuture<'static, Exchanged> + Send + Sync>;

pub(crate) fn answered(status: u16) -> Exchanged {
    Exchanged::Answered {
        response: Response {
            status,
            headers: Vec::new(),
            body: Bytes::from_static(b"noted"),
            truncated: false,
        },
        retry_after: None,
        asks: None,
    }
}

/// A receiver that always answers so.
pub(crate) fn answering(status: u16) -> Receiver {
    receiver(move |_| Box::pin(async move { answered(status) }))
}

/// One that answers each request with the next of these, and the last one for ever.
pub(crate) fn answering_each(statuses: &'static [u16]) -> Receiver {
    let position = Mutex::new(0);
    receiver(move |_| {
        let mut position = position.lock().unwrap();
        let status = statuses[(*position).min(statuses.len() - 1)];
        *position += 1;
        Box::pin(async move { answered(status) })
    })
}

pub(crate) fn receiver(
    receive: impl Fn(&Seen) -> BoxFuture<'static, Exchanged> + Send + Sync + 'static,
) -> Receiver {
    Arc::new(receive)
}

/// What a receiver that never answers comes to.
pub(crate) fn timing_out() -> BoxFuture<'static, Exchanged> {
    Box::pin(async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        Exchanged::TimedOut {
            while_doing: "waiting for the response".to_owned(),
        }
    })
}
