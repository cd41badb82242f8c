//! What an operator can set: by flag, over environment, over file, over default.
//!
//! One flat table ([`KEYS`]), the same names everywhere: `log_format` in the file is
//! `WHISPERER_LOG_FORMAT` in the environment. An unknown key is an error that names it, in the
//! environment too.

mod keys;
mod networks;
mod way_out;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::error::Kind;
use figment::providers::{Env, Format as _, Serialized, Toml};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use whisperer_domain::secret::Secret;

pub use keys::{KEYS, Key, table};

use crate::nearest::did_you_mean;

const ENV_PREFIX: &str = "WHISPERER_";

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listen: SocketAddr,
    pub data: PathBuf,
    /// None: the folder `plugins` in `data`.
    pub plugins: Option<PathBuf>,
    #[serde(deserialize_with = "networks::read")]
    pub allow_networks: Vec<IpNet>,
    /// PEM files.
    #[serde(deserialize_with = "way_out::read_paths")]
    pub extra_roots: Vec<PathBuf>,
    /// A URL, which may hold a password.
    #[serde(
        deserialize_with = "way_out::read_secret",
        serialize_with = "way_out::write_no_secret"
    )]
    pub egress_proxy: Option<Secret>,
    pub log: String,
    pub log_format: LogFormat,
    pub core_dumps: bool,
    pub grace_secs: u64,
    pub connections_max: usize,
    pub header_timeout_secs: u64,
    pub body_timeout_secs: u64,
    /// 0: as often as it likes.
    pub token_rate: u32,
    pub event_body_bytes_max: usize,
    pub body_memory_bytes_max: usize,
    pub store_cache_bytes: usize,
    pub store_queue_max: usize,
    pub store_queue_bytes_max: usize,
    pub store_quick_repair: bool,
    /// 0: for ever.
    pub retention_days: u32,
    /// 0: without bound.
    pub retention_bytes: u64,
    /// 0: never.
    pub store_check_bytes_max: u64,
    /// 0: events are accepted until the disk is full.
    pub store_free_bytes_min: u64,
    pub attempts_max: usize,
    pub delivery_buffer_bytes: usize,
    pub failing_told_secs: u64,
    /// 0: never.
    pub failing_disabled_secs: u64,
    pub plugin_timeout_ms: u64,
    pub plugin_memory_bytes: usize,
    /// 0: half the cores, at least one.
    pub plugin_concurrency: usize,
    pub plugin_compile_secs: u64,
    /// From `WHISPERER_ADMIN_TOKEN` alone: files are read by too many.
    #[serde(skip)]
    pub admin_token: Option<Secret>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data: PathBuf::from("./whisperer-data"),
            plugins: None,
            allow_networks: Vec::new(),
            extra_roots: Vec::new(),
            egress_proxy: None,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            core_dumps: false,
            grace_secs: 30,
            connections_max: 10_000,
            header_timeout_secs: 30,
            body_timeout_secs: 30,
            token_rate: 0,
            event_body_bytes_max: 1 << 20,
            body_memory_bytes_max: 128 << 20,
            store_cache_bytes: 8 << 20,
            store_queue_max: 4096,
            store_queue_bytes_max: 64 << 20,
            store_quick_repair: false,
            retention_days: 30,
            retention_bytes: 0,
            store_check_bytes_max: 256 << 20,
            store_free_bytes_min: 256 << 20,
            attempts_max: 1024,
            delivery_buffer_bytes: 64 << 20,
            failing_told_secs: 3600,
            failing_disabled_secs: 5 * 24 * 3600,
            plugin_timeout_ms: 100,
            plugin_memory_bytes: 64 << 20,
            plugin_concurrency: 0,
            plugin_compile_secs: 60,
            admin_token: None,
        }
    }
}

/// The settings that have a flag; what is none was not given.
#[derive(Clone, Debug, Default, Serialize, clap::Args)]
pub struct Flags {
    /// Address and port to serve on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Folder of the database
    #[arg(long, value_name = "FOLDER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Folder watched for plugins [default: plugins in the data folder]
    #[arg(long, value_name = "FOLDER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugins: Option<PathBuf>,
    /// Network that may be delivered to although it is not public; can be given several times
    #[arg(long = "allow-network", value_name = "CIDR")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_networks: Vec<String>,
    /// What is logged: a level, or a filter such as info,whisperer_delivery=debug
    #[arg(long, value_name = "FILTER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Shape of the log on stderr
    #[arg(long, value_name = "FORMAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<LogFormat>,
    /// How long a stop waits for what is in flight
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_secs: Option<u64>,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the configuration file {} cannot be read", path.display())]
    File {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
    #[error("unknown configuration key \"{key}\" in {place}.{near}")]
    UnknownKey {
        key: String,
        place: String,
        near: String,
    },
    #[error("{place}: {words}")]
    Value { place: String, words: String },
    #[error("{key} {words}")]
    Range { key: &'static str, words: String },
}

impl Config {
    /// # Errors
    /// The first thing that is wrong, with its name and where it was said.
    pub fn load(file: Option<&Path>, flags: &Flags) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(path) = file {
            // Read here, for an error that says why; figment would take a missing file for empty.
            let text = std::fs::read_to_string(path).map_err(|cause| ConfigError::File {
                path: path.to_owned(),
                cause,
            })?;
            figment = figment.merge(Toml::string(&text));
        }
        let environment = Env::prefixed(ENV_PREFIX)
            .ignore(&["config", "admin_token"])
            .filter(|key| !is_of_kubernetes(key.as_str()));
        let figment = figment.merge(environment).merge(Serialized::globals(flags));
        let mut config: Self = figment.extract().map_err(|error| explain(&error, file))?;
        let of_proxy = figment.find_metadata("egress_proxy");
        let by_environment = of_proxy.is_some_and(|it| it.name.contains("environment"));
        way_out::check_proxy(config.egress_proxy.as_ref(), by_environment)?;
        config.admin_token = admin_token()?;
        config.check()?;
        Ok(config)
    }

    #[must_use]
    pub fn plugins_folder(&self) -> PathBuf {
        self.plugins
            .clone()
            .unwrap_or_else(|| self.data.join("plugins"))
    }

    fn check(&self) -> Result<(), ConfigError> {
        let at_least_one = [
            ("connections_max", self.connections_max as u64),
            ("header_timeout_secs", self.header_timeout_secs),
            ("body_timeout_secs", self.body_timeout_secs),
            ("store_queue_max", self.store_queue_max as u64),
            ("attempts_max", self.attempts_max as u64),
            ("plugin_timeout_ms", self.plugin_timeout_ms),
            ("plugin_compile_secs", self.plugin_compile_secs),
        ];
        for (key, value) in at_least_one {
            if value == 0 {
                let words = "must be at least 1".to_owned();
                return Err(ConfigError::Range { key, words });
            }
        }
        let range = 1024..=64 << 20;
        if !range.contains(&self.event_body_bytes_max) {
            return Err(ConfigError::Range {
                key: "event_body_bytes_max",
                words: format!("must be from {} to {}", range.start(), range.end()),
            });
        }
        if self.body_memory_bytes_max < self.event_body_bytes_max {
            return Err(ConfigError::Range {
                key: "body_memory_bytes_max",
                words: "must hold at least one body of event_body_bytes_max".to_owned(),
            });
        }
        Ok(())
    }
}

/// Kubernetes gives a pod the address of every service of its namespace, and for a service
/// named `whisperer` that looks like settings of ours.
fn is_of_kubernetes(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key == "port" || key.starts_with("port_") || key.starts_with("service_")
}

fn admin_token() -> Result<Option<Secret>, ConfigError> {
    let value = |words: &str| ConfigError::Value {
        place: "the environment variable WHISPERER_ADMIN_TOKEN".to_owned(),
        words: words.to_owned(),
    };
    match std::env::var("WHISPERER_ADMIN_TOKEN") {
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(value("must be plain text")),
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) if !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err(value("must be printable ASCII without spaces"))
        }
        Ok(text) => Ok(Some(Secret::new(text))),
    }
}

/// figment's errors in our words. Values are repeated only by their type, by figment.
fn explain(error: &figment::Error, file: Option<&Path>) -> ConfigError {
    let key = error.path.join(".");
    let source = error
        .metadata
        .as_ref()
        .map(|metadata| metadata.name.as_ref());
    let in_file = source.is_some_and(|name| name.contains("TOML"));
    let place = match (in_file, file) {
        (true, Some(path)) => format!("the file {}", path.display()),
        (true, None) | (false, _) if source.is_some_and(|name| name.contains("environment")) => {
            "the environment".to_owned()
        }
        (true, None) | (false, _) => "the command line".to_owned(),
    };
    match &error.kind {
        Kind::UnknownField(name, _) => ConfigError::UnknownKey {
            near: did_you_mean(name, KEYS.iter().map(|key| key.name)),
            key: name.clone(),
            place,
        },
        kind if key.is_empty() => ConfigError::Value {
            place,
            words: kind.to_string(),
        },
        kind => ConfigError::Value {
            place: format!("{key} in {place}"),
            words: kind.to_string(),
        },
    }
}

#[cfg(test)]
mod tests;
