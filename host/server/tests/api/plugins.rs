//! `/plugins/`, and what hooks say about them, over the stand-in for the sandbox.

mod configs;
mod dry_runs;

use serde_json::{Value, json};
use whisperer_domain::catalog::CatalogChange;
use whisperer_domain::id::Digest;
use whisperer_domain::plugin::{Membership, PluginName};
use whisperer_domain::port::Catalog as _;

use crate::app::TestApp;

const SCHEMA: &str = r#"{
    "type": "object", "required": ["paths"], "additionalProperties": false,
    "properties": {
        "paths": {"type": "array", "items": {"type": "string"}},
        "login": {"type": "object", "properties": {"token": {"type": "string", "writeOnly": true}}}
    }
}"#;

async fn app_with(digest: Option<Digest>, schema: Option<&str>) -> TestApp {
    let app = TestApp::new().await;
    put(&app, digest, schema).await;
    app
}

/// As when a file of it loads, or another one in its place.
async fn put(app: &TestApp, digest: Option<Digest>, schema: Option<&str>) {
    let change = CatalogChange::PutPlugin(Membership {
        name: PluginName::parse("redact").unwrap(),
        enabled: true,
        patterns: Vec::new(),
        digest,
        config_schema: schema.map(Into::into),
    });
    app.store.change(change).await.unwrap();
}

fn hook(plugins: &Value) -> String {
    json!({"target_url": "https://example.com/in", "event_type": "*", "plugins": plugins})
        .to_string()
}

#[tokio::test]
async fn only_an_admin_puts_and_deletes_and_refusals_say_why() {
    let app = app_with(Some(Digest([7; 32])), Some(SCHEMA)).await;
    let wasm = [("content-type", "application/wasm")];
    let put = |who: &'static str, path: &'static str, body: &'static str| {
        app.call_with(who, "PUT", path, body, &wasm)
    };
    assert_eq!(put("alice", "/plugins/new/", "\0asm").await.parts().0, 403);
    let (status, answer) = put("root", "/plugins/new/", "text").await.parts();
    assert_eq!(status, 400);
    assert!(
        answer["detail"]
            .as_str()
            .unwrap()
            .contains("the file is text"),
        "{answer}"
    );
    assert_eq!(
        put("root", "/plugins/Bad_Name/", "\0asm").await.parts().0,
        400
    );
    assert_eq!(put("root", "/plugins/new/", "\0asm").await.parts().0, 201);
    assert_eq!(put("root", "/plugins/new/", "\0asm").await.parts().0, 200);
    let json = app.call("root", "PUT", "/plugins/new/", "{}").await;
    assert_eq!(json.parts().0, 415);

    let body = hook(&json!([{"name": "redact", "config": {"paths": []}}]));
    let made = app.call("alice", "POST", "/hooks/", &body).await.json();
    let (status, answer) = app
        .call("root", "DELETE", "/plugins/redact/", "")
        .await
        .parts();
    assert_eq!((status, &answer["hooks"]), (409, &json!([made["id"]])));
    for (path, status) in [
        ("/plugins/redact/?force=true", 204),
        ("/plugins/new/", 204),
        ("/plugins/new/", 404),
    ] {
        let answer = app.call("root", "DELETE", path, "").await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
    }
    let refused = app.call("alice", "DELETE", "/plugins/redact/", "").await;
    assert_eq!(refused.parts().0, 403);
    let released = app
        .call("root", "POST", "/plugins/redact/release/", "")
        .await;
    assert_eq!(released.parts(), (200, json!({"released": true})));
}

#[tokio::test]
async fn whose_hook_does_not_fit_is_told_to_its_owner() {
    let app = app_with(Some(Digest([7; 32])), Some(SCHEMA)).await;
    let body = hook(&json!([{"name": "redact", "config": {"paths": []}}]));
    app.call("alice", "POST", "/hooks/", &body).await;
    let seen = app
        .call("alice", "GET", "/plugins/redact/", "")
        .await
        .json();
    assert_eq!(
        seen["unfit_hooks"],
        json!([{"hook": 1, "errors": ["paths: too many"]}])
    );
    let hidden = app.call("bob", "GET", "/plugins/redact/", "").await.json();
    assert_eq!(hidden["unfit_hooks"], json!([]));
    assert_eq!(hidden["unfit_hooks_not_shown"], 1);
}
