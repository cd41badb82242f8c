//! What an exchange took, of time and of the processor.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use whisperer_domain::port::{Exchange, OutboundRequest, Transport};
use whisperer_egress::Egress;

/// After the deadline, at most.
pub(crate) const LATE: Duration = Duration::from_millis(250);
/// The same, where a body drips.
pub(crate) const LATE_FOR_BODIES: Duration = Duration::from_millis(500);

/// Sends, and holds the exchange to its deadline.
///
/// Beside it runs a timer of the same runtime that is set to the same time: how late that one is,
/// the machine is by itself.
pub(crate) async fn send_in_time(
    egress: &Egress,
    outbound: OutboundRequest,
    late: Duration,
) -> Exchange {
    let timeout = outbound.timeout;
    let began = Instant::now();
    let mut timer = JoinSet::new();
    timer.spawn(async move {
        sleep(timeout).await;
        began.elapsed() - timeout
    });
    let exchange = egress.send(outbound).await;
    if exchange.total > timeout {
        let late = late + timer.join_next().await.unwrap().unwrap();
        let total = exchange.total;
        assert!(
            total <= timeout + late,
            "{total:?} of {timeout:?} + {late:?}"
        );
    }
    exchange
}

/// Sends from a thread of its own, whose processor time is what the exchange cost: that of the
/// receiver is not in it.
pub(crate) async fn cost_of(
    egress: impl FnOnce() -> Egress + Send + 'static,
    outbound: OutboundRequest,
) -> (Exchange, Duration) {
    let (done, ended) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        // Reading the system's authorities is no part of it.
        let egress = egress();
        let before = processor_time();
        let exchange = runtime.block_on(send_in_time(&egress, outbound, LATE_FOR_BODIES));
        let _ = done.send((exchange, processor_time() - before));
    });
    let ended = ended.await;
    thread.join().unwrap();
    ended.unwrap()
}

/// Of the thread that asks.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let ran_ns = stat.split(' ').next().unwrap().parse().unwrap();
    Duration::from_nanos(ran_ns)
}
