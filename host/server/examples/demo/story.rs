//! Three hooks, a dozen events, and what came of them.

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};

use crate::api::Api;
use crate::receiver::{Receiver, SECRET};

/// The hooks, each with the event type that it subscribes to and a word about it.
fn hooks(receiver: &Receiver) -> [(Value, &'static str); 3] {
    let hook = |path: &str, event_type: &str, plugins: Value| {
        json!({
            "target_url": receiver.url(path),
            "event_type": event_type,
            "secret_key": SECRET,
            "plugins": plugins,
            "retry_countdown_config": {"choice": "fixed", "kwargs": {"seconds": 1}},
        })
    };
    let masked =
        json!([{"name": "redact", "config": {"paths": ["customer.email", "items[*].price"]}}]);
    [
        (
            hook("/plain", "*", json!([])),
            "/plain gets everything as it was posted",
        ),
        (
            hook("/masked", "package.*", masked),
            "/masked gets packages through the plugin `redact`: no e-mail, no prices",
        ),
        (
            hook("/flaky", "shipment.cancelled", json!([])),
            "/flaky answers 503 twice before it accepts: see the retries, one second apart",
        ),
    ]
}

/// A dozen events of an order management system.
fn events() -> Vec<(&'static str, Value)> {
    let package = |id: u32, status: &str| {
        json!({
            "id": id, "status": status,
            "customer": {"name": "Ada Lovelace", "email": "ada@example.com"},
            "items": [{"sku": "TEA-01", "price": 12.50}, {"sku": "CUP-02", "price": 7.00}],
        })
    };
    let shipment = |id: u32| json!({"id": id, "carrier": "Northwind", "packages": [id * 10]});
    vec![
        ("package.created", package(1, "created")),
        ("package.status.transitioned", package(1, "picking")),
        ("package.status.packed", package(1, "packed")),
        ("shipment.created", shipment(1)),
        (
            "package.shipment.awb_number",
            json!({"id": 1, "awb_number": "NW-000123"}),
        ),
        ("package.status.shipped", package(1, "shipped")),
        ("shipment.status.updated", shipment(1)),
        ("shipment.created", shipment(2)),
        ("shipment.cancelled", shipment(2)),
        ("stock_location.created", json!({"id": 7, "name": "Dock 7"})),
        (
            "stock_location.updated",
            json!({"id": 7, "name": "Dock 7 East"}),
        ),
        (
            "transfer.status.created",
            json!({"id": 3, "from": 7, "to": 8}),
        ),
    ]
}

pub(crate) async fn tell(api: &Api, receiver: &Receiver) -> anyhow::Result<()> {
    println!("\n== Three hooks");
    for (hook, word) in hooks(receiver) {
        let made = api.post("/hooks/", &hook).await?;
        println!("hook {}: {word}", made["id"]);
    }

    println!("\n== A dozen events, and each request as the receiver gets it");
    let mut expected = 0;
    for (event_type, payload) in events() {
        println!("\n== post {event_type}");
        let event = json!({"type": event_type, "payload": payload});
        let accepted = api.post("/events/", &event).await?;
        let now = accepted["deliveries"]
            .as_u64()
            .and_then(|n| usize::try_from(n).ok());
        expected += now.unwrap_or(0);
        if event_type != "shipment.cancelled" {
            // One after the other, so that each event stands beside what came of it. The flaky
            // delivery takes its time and is waited for at the end.
            let pending = expected - flaky_pending(receiver);
            receiver.wait(pending, Duration::from_secs(10)).await?;
        }
    }
    receiver.wait(expected, Duration::from_secs(20)).await?;

    let (accepted, refused) = receiver.counts();
    ensure!(
        refused == 2,
        "the flaky receiver refused {refused} times, not twice"
    );
    let list = delivered(api, accepted).await?;
    println!(
        "\n== Done: {} events, {accepted} deliveries, {refused} refused and tried again, every \
         signature verified.\nThe store says the same: {list} delivered.",
        events().len()
    );
    Ok(())
}

/// While the flaky receiver has not accepted yet, one delivery is on its way.
fn flaky_pending(receiver: &Receiver) -> usize {
    let (_, refused) = receiver.counts();
    usize::from(refused > 0)
}

/// The last answer may be with the receiver a moment before it is in the store.
async fn delivered(api: &Api, wanted: usize) -> anyhow::Result<usize> {
    let mut found = 0;
    for _ in 0..100 {
        let list = api.get("/hook_events/?delivered=true&limit=100").await?;
        found = list.as_array().map_or(0, Vec::len);
        if found == wanted {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    anyhow::bail!("the store says {found} delivered, the receiver got {wanted}")
}
