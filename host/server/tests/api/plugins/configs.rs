//! A hook's configuration of a plugin: held against the plugin's schema, and what is secret in it
//! never shown.

use serde_json::{Value, json};
use whisperer_domain::catalog::CatalogChange;
use whisperer_domain::id::Digest;
use whisperer_domain::plugin::PluginName;
use whisperer_domain::port::Catalog as _;

use super::{SCHEMA, app_with, hook, put};
use crate::app::TestApp;

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
            serde_json::from_str(&links[0].config.expose()).unwrap()
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

/// What was entered in confidence stays so: only who gives the value in the clear shows it.
#[tokio::test]
async fn a_schema_that_forgets_what_is_secret_does_not_show_it() {
    let app = app_with(Some(Digest([7; 32])), Some(SCHEMA)).await;
    let config = json!({"paths": ["a"], "login": {"token": "hunter2"}});
    let body = hook(&json!([{"name": "redact", "config": config}]));
    let made = app.call("alice", "POST", "/hooks/", &body).await.json();
    let path = format!("/hooks/{}/", made["id"]);
    let forgetful = SCHEMA.replace(r#", "writeOnly": true"#, "");
    assert_ne!(forgetful, SCHEMA);
    for (number, schema) in (1..).zip([Some(forgetful.as_str()), None]) {
        put(&app, Some(Digest([number; 32])), schema).await;
        let seen = app.call("alice", "GET", &path, "").await.json();
        let mut plugins = seen["plugins"].clone();
        assert_eq!(plugins[0]["config"]["login"]["token"], "********");

        // Written back with the mask it is kept, and still not shown.
        plugins[0]["config"]["paths"] = json!([number.to_string()]);
        let patch = json!({"plugins": plugins}).to_string();
        let patched = app.call("alice", "PATCH", &path, &patch).await;
        assert_eq!(patched.parts().0, 200, "{}", patched.text);
        assert!(!patched.text.contains("hunter2"), "{}", patched.text);
        assert_eq!(kept(&app)["login"]["token"], "hunter2");
        assert_eq!(kept(&app)["paths"], json!([number.to_string()]));

        // Nor is it handed to another host unasked.
        let moves = json!({"target_url": "https://example.org/in"}).to_string();
        let moved = app.call("alice", "PATCH", &path, &moves).await;
        assert_eq!(moved.status.as_u16(), 400, "{}", moved.text);
    }
    // As a whole it is kept with what is known of it.
    let whole = json!({"plugins": [{"name": "redact", "config": "********"}]}).to_string();
    let patched = app.call("alice", "PATCH", &path, &whole).await;
    assert!(!patched.text.contains("hunter2"), "{}", patched.text);

    let clear = json!({"plugins": [{"name": "redact", "config": {"login": {"token": "open"}}}]});
    let patched = app.call("alice", "PATCH", &path, &clear.to_string()).await;
    assert_eq!(
        patched.json()["plugins"][0]["config"]["login"]["token"],
        "open"
    );
}
