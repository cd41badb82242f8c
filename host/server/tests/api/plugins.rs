//! `/plugins/`, and what hooks say about them, over the stand-in for the sandbox.

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
    let change = CatalogChange::PutPlugin(Membership {
        name: PluginName::parse("redact").unwrap(),
        enabled: true,
        patterns: Vec::new(),
        digest,
        config_schema: schema.map(Into::into),
    });
    app.store.change(change).await.unwrap();
    app
}

fn hook(plugins: &Value) -> String {
    json!({"target_url": "https://example.com/in", "event_type": "*", "plugins": plugins})
        .to_string()
}

#[tokio::test]
async fn a_config_that_does_not_fit_is_refused_by_its_field() {
    let app = app_with(Some(Digest([7; 32])), Some(SCHEMA)).await;
    let cases = [
        (
            json!({"paths": ["a", 1]}),
            "/plugins/0/config/paths/1/0",
            "string",
        ),
        (
            json!({"pahts": ["a"]}),
            "/plugins/0/config/non_field_errors/0",
            "pahts",
        ),
        (
            json!({"paths": [], "login": {"token": "********"}}),
            "/plugins/0/config/login/token/0",
            "stored",
        ),
        (json!("********"), "/plugins/0/config/0", "stored"),
    ];
    for (config, place, word) in cases {
        let body = hook(&json!([{"name": "redact", "config": config}]));
        let (status, answer) = app.call("alice", "POST", "/hooks/", &body).await.parts();
        let told = answer.pointer(place).and_then(Value::as_str).unwrap_or("");
        assert_eq!(status, 400, "{config}");
        assert!(told.contains(word), "{config}: {answer}");
    }
    // What a default of the operator would fill in is not this hook's to answer for.
    let body = hook(&json!([{"name": "redact"}]));
    assert_eq!(
        app.call("alice", "POST", "/hooks/", &body).await.parts().0,
        201
    );
}

#[tokio::test]
async fn a_secret_of_a_config_is_never_shown_and_outlives_its_mask() {
    let app = app_with(Some(Digest([7; 32])), Some(SCHEMA)).await;
    let config = json!({"paths": ["a"], "login": {"token": "hunter2"}});
    let body = hook(&json!([{"name": "redact", "config": config}]));
    let made = app.call("alice", "POST", "/hooks/", &body).await;
    assert!(!made.text.contains("hunter2"), "{}", made.text);
    let shown = made.json()["plugins"].clone();
    assert_eq!(shown[0]["config"]["login"]["token"], "********");
    let path = format!("/hooks/{}/", made.json()["id"]);

    // As a client does it that reads, changes one thing, and writes all of it back.
    let mut changed = shown;
    changed[0]["config"]["paths"] = json!(["b"]);
    let patch = json!({"plugins": changed}).to_string();
    let patched = app.call("alice", "PATCH", &path, &patch).await;
    assert_eq!(patched.parts().0, 200, "{}", patched.text);
    assert_eq!(
        kept(&app),
        json!({"paths": ["b"], "login": {"token": "hunter2"}})
    );
    let misfit = json!({"plugins": [{"name": "redact", "config": {"paths": 1, "login": {"token": "hunter3"}}}]});
    let refused = app.call("alice", "PATCH", &path, &misfit.to_string()).await;
    assert!(
        refused.parts().0 == 400 && !refused.text.contains("hunter3"),
        "{}",
        refused.text
    );
}

fn kept(app: &TestApp) -> Value {
    let snapshot = app.store.snapshot();
    let hook = snapshot.hooks.values().next().unwrap();
    match &hook.plugins {
        whisperer_domain::hook::PluginChoice::Chain(links) => {
            serde_json::from_str(links[0].config.expose()).unwrap()
        }
        whisperer_domain::hook::PluginChoice::ByPattern => panic!("it names a chain"),
    }
}

#[tokio::test]
async fn while_nobody_knows_what_is_secret_nothing_is_shown() {
    let app = app_with(None, None).await;
    let body = hook(&json!([{"name": "redact", "config": {"token": "hunter2"}}]));
    let made = app.call("alice", "POST", "/hooks/", &body).await;
    assert_eq!(made.json()["plugins"][0]["config"], "********");
    let path = format!("/hooks/{}/", made.json()["id"]);
    let patch = json!({"plugins": made.json()["plugins"]}).to_string();
    let patched = app.call("alice", "PATCH", &path, &patch).await;
    assert_eq!(patched.parts().0, 200, "{}", patched.text);
    assert_eq!(kept(&app), json!({"token": "hunter2"}));
}

/// Read where a hook is read, and wherever else one shows.
#[tokio::test]
async fn no_view_of_a_hook_shows_the_secret() {
    let app = app_with(Some(Digest([7; 32])), Some(SCHEMA)).await;
    let config = json!({"paths": ["a"], "login": {"token": "hunter2"}});
    let body = hook(&json!([{"name": "redact", "config": config}]));
    let made = app.call("root", "POST", "/hooks/", &body).await.json();
    let event = json!({"type": "package.created", "payload": {}});
    app.event(event.clone()).await;
    let path = format!("/hooks/{}/", made["id"]);
    let refused = json!({"target_url": "https://example.com/in", "event_type": "*",
        "plugins": [{"name": "redact", "config": {"paths": 1, "login": {"token": "hunter2"}}}]});
    let tried = json!({"event": event, "config": {"paths": ["a"], "x": "hunter2"}});
    let calls = [
        ("GET", "/hooks/", String::new()),
        ("GET", path.as_str(), String::new()),
        ("GET", "/hook_events/", String::new()),
        ("GET", "/hook_events/1/", String::new()),
        ("GET", "/plugins/redact/", String::new()),
        ("PATCH", &path, json!({"max_attempts": 3}).to_string()),
        ("PUT", &path, refused.to_string()),
        ("POST", "/hooks/", body),
        ("POST", "/plugins/redact/try/", tried.to_string()),
        ("DELETE", &path, String::new()),
        ("GET", "/hook_events/1/", String::new()),
    ];
    for (method, path, body) in calls {
        let answer = app.call("root", method, path, &body).await;
        assert!(answer.status.as_u16() < 500, "{method} {path}");
        assert_ne!(answer.status.as_u16(), 404, "{method} {path}");
        assert!(
            !answer.text.contains("hunter2"),
            "{method} {path}: {}",
            answer.text
        );
    }
}

/// A plugin may put its secret into what it sends, so another host must not be handed it unasked.
#[tokio::test]
async fn a_hook_that_moves_to_another_host_is_asked_for_its_secrets_again() {
    let app = app_with(Some(Digest([7; 32])), Some(SCHEMA)).await;
    let chain = |token: &str| json!([{"name": "redact", "config": {"paths": [], "login": {"token": token}}}]);
    let made = app
        .call("alice", "POST", "/hooks/", &hook(&chain("hunter2")))
        .await;
    let path = format!("/hooks/{}/", made.json()["id"]);
    let elsewhere = "https://example.org/in";
    let cases = [
        (json!({"target_url": "https://example.com/other"}), 200, ""),
        (json!({"target_url": elsewhere}), 400, "/errors/plugins/0"),
        (
            json!({"target_url": elsewhere, "plugins": chain("********")}),
            400,
            "/errors/plugins/0/config/login/token/0",
        ),
        (
            json!({"target_url": elsewhere, "plugins": [{"name": "redact", "config": "********"}]}),
            400,
            "/errors/plugins/0/config/0",
        ),
        (
            json!({"target_url": elsewhere, "plugins": chain("hunter3")}),
            200,
            "",
        ),
    ];
    for (patch, status, place) in cases {
        let answer = app.call("alice", "PATCH", &path, &patch.to_string()).await;
        assert_eq!(answer.status.as_u16(), status, "{patch}: {}", answer.text);
        if status == 400 {
            let told = answer.json();
            let told = told.pointer(place).and_then(Value::as_str).unwrap_or("");
            assert!(told.contains("host changes"), "{patch}: {}", answer.text);
        }
    }
    assert_eq!(kept(&app)["login"]["token"], "hunter3");
    let plain = json!({"plugins": [{"name": "redact", "config": {"paths": []}}]}).to_string();
    app.call("alice", "PATCH", &path, &plain).await;
    let back = json!({"target_url": "https://example.com/in"}).to_string();
    let moved = app.call("alice", "PATCH", &path, &back).await;
    assert_eq!(moved.status.as_u16(), 200, "nothing secret: {}", moved.text);
}

/// Its file may be gone for a while: the hook can be read and written back meanwhile.
#[tokio::test]
async fn a_config_outlives_that_its_plugin_is_gone() {
    let app = app_with(Some(Digest([7; 32])), Some(SCHEMA)).await;
    let config = json!({"paths": ["a"], "login": {"token": "hunter2"}});
    let body = hook(&json!([{"name": "redact", "config": config}]));
    let made = app.call("alice", "POST", "/hooks/", &body).await;
    let path = format!("/hooks/{}/", made.json()["id"]);
    let gone = CatalogChange::RemovePlugin(PluginName::parse("redact").unwrap());
    app.store.change(gone).await.unwrap();

    let seen = app.call("alice", "GET", &path, "").await.json();
    assert_eq!(
        seen["plugins"],
        json!([{"name": "redact", "config": "********"}])
    );
    let put = app.call("alice", "PUT", &path, &seen.to_string()).await;
    assert_eq!(put.status.as_u16(), 200, "{}", put.text);
    assert_eq!(kept(&app), config);
    // What was read while the schema was known must not be taken at its word now.
    let masked = json!([{"name": "redact", "config": made.json()["plugins"][0]["config"]}]);
    let patch = json!({"plugins": masked}).to_string();
    let (status, answer) = app.call("alice", "PATCH", &path, &patch).await.parts();
    let told = answer["errors"]["plugins"]["0"]["config"][0].as_str();
    assert_eq!(status, 400, "{answer}");
    assert!(told.unwrap().contains("has loaded"), "{answer}");
    assert_eq!(kept(&app), config);
    let other = app.call("bob", "POST", "/hooks/", &body).await;
    assert_eq!(other.status.as_u16(), 400, "{}", other.text);
}

#[tokio::test]
async fn a_dry_run_shows_result_difference_and_cost() {
    let app = app_with(Some(Digest([7; 32])), Some(SCHEMA)).await;
    let event = json!({"type": "package.created", "payload": {"a": 1}});
    let body =
        json!({"event": event, "config": {"paths": ["a"]}, "origin": "https://shop.example/x"});
    let (status, answer) = app
        .call("alice", "POST", "/plugins/redact/try/", &body.to_string())
        .await
        .parts();
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["result"]["outcome"], "modified");
    assert_eq!(
        answer["result"]["payload"]["configs"][0],
        r#"redact={"paths":["a"]}"#
    );
    assert_eq!(
        answer["result"]["payload"]["origin"],
        "https://shop.example"
    );
    let removed = json!({"op": "remove", "path": "/a"});
    assert!(
        answer["diff"].as_array().unwrap().contains(&removed),
        "{answer}"
    );
    assert_eq!(answer["runs"][0]["memory_bytes"], 65_536);
    assert_eq!(answer["runs"][0]["log"][0], "info: hello");
}

#[tokio::test]
async fn a_dry_run_that_cannot_be_names_the_field() {
    let app = app_with(Some(Digest([7; 32])), Some(SCHEMA)).await;
    let event = json!({"type": "package.created", "payload": 1});
    let cases = [
        (json!({}), "/errors/event/0"),
        (json!({"event": event, "delivery_id": 1}), "/errors/event/0"),
        (
            json!({"event": {"type": "package.created"}}),
            "/errors/event/payload/0",
        ),
        (json!({"delivery_id": 99}), "/errors/delivery_id/0"),
        (json!({"event": event, "hook_id": 99}), "/errors/hook_id/0"),
        (
            json!({"event": event, "config": {"paths": 1}}),
            "/errors/config/paths/0",
        ),
        (
            json!({"event": event, "chain": [{"name": "none"}]}),
            "/errors/chain/0/name/0",
        ),
        (
            json!({"event": event, "config": {}, "hook_id": 1}),
            "/errors/non_field_errors/0",
        ),
        (
            json!({"event": event, "origin": "nowhere"}),
            "/errors/origin/0",
        ),
    ];
    for (body, place) in cases {
        let (status, answer) = app
            .call("alice", "POST", "/plugins/redact/try/", &body.to_string())
            .await
            .parts();
        assert_eq!(status, 400, "{body}: {answer}");
        assert!(answer.pointer(place).is_some(), "{body}: {answer}");
    }
    let missing = app.call("alice", "POST", "/plugins/none/try/", "{}").await;
    assert_eq!(missing.parts().0, 404);
}

#[tokio::test]
async fn a_dry_run_takes_a_delivery_and_a_hook_of_its_owner_only() {
    let app = app_with(Some(Digest([7; 32])), Some(SCHEMA)).await;
    let body = hook(&json!([{"name": "redact", "config": {"paths": ["x"]}}]));
    let made = app.call("alice", "POST", "/hooks/", &body).await.json();
    app.event(json!({"type": "package.created", "payload": {"a": 1}}))
        .await;
    let path = "/plugins/redact/try/";
    let both = json!({"delivery_id": 1, "hook_id": made["id"]}).to_string();
    let (status, tried) = app.call("alice", "POST", path, &both).await.parts();
    assert_eq!(status, 200, "{tried}");
    let made_of = &tried["result"]["payload"];
    assert_eq!(made_of["configs"], json!([r#"redact={"paths":["x"]}"#]));
    assert_eq!(made_of["origin"], "https://example.com");
    let removed = json!({"op": "remove", "path": "/a"});
    let diff = tried["diff"].as_array().unwrap();
    assert!(diff.contains(&removed), "the delivery's event: {tried}");

    let event = json!({"type": "package.created", "payload": {}});
    for (field, asked) in [
        ("delivery_id", json!({"delivery_id": 1})),
        ("hook_id", json!({"event": event, "hook_id": made["id"]})),
    ] {
        let (status, told) = app
            .call("bob", "POST", path, &asked.to_string())
            .await
            .parts();
        assert_eq!(status, 400, "{told}");
        let told = told["errors"][field][0].as_str().unwrap();
        assert!(told.starts_with("There is no such"), "{told}");
    }
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
