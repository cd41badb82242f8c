//! Invariant 7 at the API: secrets go in and never come out; the mask keeps them.

use serde_json::{Value, json};
use whisperer_domain::hook::Hook;
use whisperer_domain::port::Catalog as _;

use crate::app::TestApp;

const AUTH: &str = "/config/auth";

/// The hook as the store has it: its key, and its password.
fn stored(app: &TestApp) -> (Option<String>, Option<String>) {
    let snapshot = app.store.snapshot();
    let hook: &Hook = snapshot.hooks.values().next().expect("there is a hook");
    let expose = |secret: &whisperer_domain::secret::Secret| secret.expose().to_string();
    (
        hook.secret_key.as_ref().map(expose),
        hook.auth.as_ref().map(|auth| expose(&auth.password)),
    )
}

async fn hook_with_secrets(app: &TestApp) -> String {
    let hook = app
        .hook(json!({
            "secret_key": "old-key",
            "config": {"auth": {"auth_type": "basic", "username": "u", "password": "old-pw"}},
        }))
        .await;
    assert_eq!(hook["secret_key"], "********");
    assert_eq!(
        hook.pointer(AUTH),
        Some(&json!({"auth_type": "basic", "username": "u", "password": "********"}))
    );
    assert!(!hook.to_string().contains("old-"));
    format!("/hooks/{}/", hook["id"])
}

#[tokio::test]
async fn absent_and_masked_secrets_are_kept_and_null_clears_them() {
    let auth = |password: Value| json!({"auth": {"auth_type": "basic", "username": "v", "password": password}});
    let nameless = json!({"auth": {"auth_type": "basic", "username": "v"}});
    let (key, pw) = (Some("old-key"), Some("old-pw"));
    for (fields, key, password) in [
        (json!({}), key, pw),
        (
            json!({"secret_key": "********", "config": auth(json!("********"))}),
            key,
            pw,
        ),
        (json!({"config": nameless}), key, pw),
        (json!({"secret_key": null}), None, pw),
        (json!({"secret_key": "new-key"}), Some("new-key"), pw),
        (
            json!({"config": auth(json!("new-pw"))}),
            key,
            Some("new-pw"),
        ),
        (json!({"config": auth(Value::Null)}), key, Some("")),
        (json!({"config": {"auth": null}}), key, None),
        (json!({"config": {"region": "eu"}}), key, None),
        (json!({"config": null}), key, None),
    ] {
        for method in ["PATCH", "PUT"] {
            let app = TestApp::new().await;
            let path = hook_with_secrets(&app).await;
            let mut body = fields.clone();
            body["target_url"] = json!("https://example.com/other");
            body["event_type"] = json!("package.created");
            let answer = app.root(method, &path, &body).await;
            assert_eq!(answer.status, 200, "{method} {fields}: {}", answer.text);
            let expected = (key.map(str::to_owned), password.map(str::to_owned));
            assert_eq!(stored(&app), expected, "{method} {fields}");
            assert!(!answer.text.contains("-pw") && !answer.text.contains("-key"));
        }
    }
}

#[tokio::test]
async fn the_mask_is_no_secret() {
    let app = TestApp::new().await;
    for (fields, pointer) in [
        (json!({"secret_key": "********"}), "/secret_key/0"),
        (
            json!({"config": {"auth":
                {"auth_type": "basic", "username": "u", "password": "********"}}}),
            "/config/auth/password/0",
        ),
        (
            json!({"config": {"auth": {"auth_type": "basic", "username": "u"}}}),
            "/config/auth/password/0",
        ),
        (
            json!({"config": {"auth": {"auth_type": "token", "username": "u", "password": "p"}}}),
            "/config/auth/auth_type/0",
        ),
        (
            json!({"config": {"auth":
                {"auth_type": "basic", "username": "a:b", "password": "p"}}}),
            "/config/auth/username/0",
        ),
        (
            json!({"config": {"auth": {"auth_type": "basic", "username": "u", "password": "p",
                "token": "t"}}}),
            "/config/auth/token/0",
        ),
        (json!({"secret_key": "x".repeat(1025)}), "/secret_key/0"),
        (json!({"secret_key": "whsec_short"}), "/secret_key/0"),
    ] {
        let mut body = fields.clone();
        body["target_url"] = json!("https://example.com/in");
        body["event_type"] = json!("*");
        let (status, answer) = app.root("POST", "/hooks/", &body).await.parts();
        assert_eq!(status, 400, "{fields}");
        assert!(answer.pointer(pointer).is_some(), "{answer}");
    }
}

#[tokio::test]
async fn another_host_must_be_given_the_password_anew() {
    let elsewhere = "https://elsewhere.example/in";
    let masked = json!({"auth":
        {"auth_type": "basic", "username": "u", "password": "********"}});
    for fields in [json!({}), json!({"config": masked})] {
        let app = TestApp::new().await;
        let path = hook_with_secrets(&app).await;
        let mut body = fields;
        body["target_url"] = json!(elsewhere);
        let (status, answer) = app.root("PATCH", &path, &body).await.parts();
        assert_eq!(status, 400);
        assert!(
            answer.pointer("/config/auth/password/0").is_some(),
            "{answer}"
        );
        assert_eq!(stored(&app).1.as_deref(), Some("old-pw"));

        // The key signs and is not sent: it may stay.
        body["config"] =
            json!({"auth": {"auth_type": "basic", "username": "u", "password": "new-pw"}});
        assert_eq!(app.root("PATCH", &path, &body).await.status, 200);
        let expected = (Some("old-key".to_owned()), Some("new-pw".to_owned()));
        assert_eq!(stored(&app), expected);
    }
    let app = TestApp::new().await;
    let path = hook_with_secrets(&app).await;
    let plain = json!({"target_url": "http://example.com/in"});
    assert_eq!(app.root("PATCH", &path, &plain).await.status, 400);
}
