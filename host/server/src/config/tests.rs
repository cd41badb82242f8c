//! The table against the struct, and what is said about wrong settings.

use serde_json::Value;

use super::{Config, ConfigError, Flags, KEYS};

fn from_file(text: &str) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whisperer.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(Some(&path), &Flags::default())
}

#[test]
fn every_setting_stands_in_the_table_with_its_default() {
    let Value::Object(defaults) = serde_json::to_value(Config::default()).unwrap() else {
        panic!("a struct is an object");
    };
    let mut documented: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    documented.retain(|name| *name != "admin_token");
    let mut real: Vec<&str> = defaults.keys().map(String::as_str).collect();
    documented.sort_unstable();
    real.sort_unstable();
    assert_eq!(documented, real);
    for key in KEYS {
        let default = match defaults.get(key.name) {
            None | Some(Value::Null | Value::Array(_)) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        assert_eq!(key.default, default, "{}", key.name);
    }
}

#[test]
fn a_flag_wins_over_the_file_over_the_default() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whisperer.toml");
    std::fs::write(&path, "listen = \"127.0.0.1:1\"\ngrace_secs = 7\n").unwrap();
    let flags = Flags {
        listen: Some("127.0.0.1:2".parse().unwrap()),
        ..Flags::default()
    };
    let config = Config::load(Some(&path), &flags).unwrap();
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.grace_secs, 7);
    assert_eq!(config.attempts_max, 1024);
}

#[test]
fn files_of_roots_come_as_a_list_or_with_commas() {
    for text in [
        "extra_roots = [\"/a/one.pem\", \"two.pem\"]",
        "extra_roots = \"/a/one.pem, two.pem,\"",
    ] {
        let roots = from_file(text).unwrap().extra_roots;
        let shown: Vec<_> = roots.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(shown, ["/a/one.pem", "two.pem"]);
    }
}

#[test]
fn invariant_7_a_proxy_with_a_password_is_refused_in_a_file_and_shown_nowhere() {
    let plain = from_file("egress_proxy = \"http://proxy:3128\"").unwrap();
    assert_eq!(&*plain.egress_proxy.unwrap().expose(), "http://proxy:3128");
    assert_eq!(from_file("egress_proxy = \"\"").unwrap().egress_proxy, None);
    let said = from_file("egress_proxy = \"http://user:hunter2@proxy:3128\"").unwrap_err();
    let said = format!("{said} {said:?}");
    assert!(said.contains("WHISPERER_EGRESS_PROXY"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    let config = Config {
        egress_proxy: Some("http://user:hunter2@proxy".to_owned().into()),
        ..Config::default()
    };
    let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn networks_come_as_a_list_or_with_commas() {
    for text in [
        "allow_networks = [\"127.0.0.0/8\", \"10.1.2.3\"]",
        "allow_networks = \"127.0.0.0/8, 10.1.2.3\"",
    ] {
        let networks = from_file(text).unwrap().allow_networks;
        let shown: Vec<String> = networks.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["127.0.0.0/8", "10.1.2.3/32"]);
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (text, words) in [
        ("listn = \"x\"", "\"listn\""),
        ("listn = \"x\"", "Did you mean \"listen\"?"),
        ("listen = \"x\"", "listen in the file"),
        ("grace_secs = \"soon\"", "grace_secs in the file"),
        ("allow_networks = [\"10.0.0.0/99\"]", "10.0.0.0/99"),
        ("attempts_max = 0", "attempts_max must be at least 1"),
        ("event_body_bytes_max = 1", "event_body_bytes_max must be"),
        ("body_memory_bytes_max = 1", "body_memory_bytes_max must"),
        ("log_format = \"xml\"", "log_format in the file"),
        ("admin_token = \"x\"", "\"admin_token\""),
        ("= nonsense", "file"),
    ] {
        let said = from_file(text).unwrap_err().to_string();
        assert!(said.contains(words), "{text}: {said}");
    }
}

#[test]
fn a_missing_file_is_an_error() {
    let missing = std::path::Path::new("/nonexistent/whisperer.toml");
    let said = Config::load(Some(missing), &Flags::default()).unwrap_err();
    assert!(said.to_string().contains("/nonexistent/whisperer.toml"));
}
