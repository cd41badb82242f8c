//! The secrets that are looked for, and the hooks that hold them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use super::echo::Echo;
use super::needles::Needles;
use crate::support::server::{ADMIN, Server};

/// Random and distinct, with what has to be escaped in JSON and URLs.
pub(super) struct Secrets {
    pub(super) raw_key: String,
    pub(super) later_key: String,
    pub(super) standard_key: String,
    pub(super) password: String,
    pub(super) header: String,
    pub(super) config: String,
    pub(super) later_config: String,
    pub(super) token: String,
}

pub(super) fn random(what: &str) -> String {
    let letters = std::iter::repeat_with(fastrand::alphanumeric).take(24);
    format!("{what}-{}", letters.collect::<String>())
}

impl Secrets {
    pub(super) async fn new(server: &Server) -> Self {
        let body = json!({"owner": "ann"});
        let (status, made) = server.call(Method::POST, "/tokens/", Some(&body)).await;
        assert_eq!(status, 201, "{made}");
        let bytes: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
            .take(32)
            .collect();
        Self {
            raw_key: random("raw \"key\"/ü"),
            later_key: random("later key"),
            standard_key: format!("whsec_{}", STANDARD.encode(bytes)),
            password: random("pass%\"wörd\""),
            header: random("header"),
            config: random("plugin's \"token\""),
            later_config: random("later plugin's token"),
            token: made["token"].as_str().unwrap().to_owned(),
        }
    }

    /// What no one may ever see. Apart from it a header's value, which its owner is shown by the API,
    /// and the admin token, which the environment of the process holds.
    pub(super) fn needles(&self) -> (Needles, Needles, Needles) {
        let mut all = Needles::new();
        all.add("a secret key", self.raw_key.as_bytes());
        all.add("a later secret key", self.later_key.as_bytes());
        all.add("a key of Standard Webhooks", self.standard_key.as_bytes());
        let (_, encoded) = self.standard_key.split_once('_').unwrap();
        all.add("a decoded key", &STANDARD.decode(encoded).unwrap());
        all.add("a password", self.password.as_bytes());
        let pair = format!("ann:{}", self.password);
        all.add("user and password", pair.as_bytes());
        all.add("a plugin's configuration", self.config.as_bytes());
        all.add("a later configuration", self.later_config.as_bytes());
        all.add("a token of the API", self.token.as_bytes());
        // Made by the server and told to nobody, so that only its shape is known: 32 bytes in base64.
        all.shape("a private key of ed25519", "whsk_", 43);
        let mut header = Needles::new();
        header.add("a header's value", self.header.as_bytes());
        let mut admin = Needles::new();
        admin.add("the admin token", ADMIN.as_bytes());
        (all, header, admin)
    }

    pub(super) fn hooks(&self, echo: &Echo, marker: &str) -> Vec<Value> {
        let hook = |url: &str, more: Value| {
            let mut hook = json!({
                "target_url": url, "event_type": "package.created", "max_attempts": 2,
                "retry_countdown_config": {"choice": "fixed", "kwargs": {"seconds": 0}},
                "plugins": [], "max_in_flight": 16,
            });
            let fields = hook.as_object_mut().unwrap();
            fields.extend(more.as_object().unwrap().clone());
            hook
        };
        let auth = json!({"auth": {
            "auth_type": "basic", "username": "ann", "password": self.password,
        }});
        let headers = json!({"X-Partner": format!("Bearer {}", self.header)});
        let leaky = json!([{"name": "leaky", "config": {"token": self.config}}]);
        let all = json!({
            "secret_key": self.raw_key, "config": auth, "additional_headers": headers,
            "plugins": leaky, "signatures": ["whisperer", "standard", "github", "ed25519"],
        });
        vec![
            hook(&format!("{}/{marker}", echo.base), all.clone()),
            hook(&format!("{}/fails", echo.base), all.clone()),
            hook(&format!("{}/long", echo.base), all.clone()),
            hook(
                &echo.resets,
                json!({"config": auth, "additional_headers": headers}),
            ),
            hook(
                &format!("{}/standard", echo.base),
                json!({"secret_key": self.standard_key}),
            ),
            hook(
                &format!("{}/fails/plain", echo.base),
                json!({
                    "secret_key": self.standard_key, "config": auth, "additional_headers": headers,
                }),
            ),
        ]
    }
}
