//! The one table of settings: what `whisperer config` prints and the README shows.

/// A setting as documented. Its environment variable is `WHISPERER_` and the name in capitals.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub flag: Option<&'static str>,
    pub default: &'static str,
    pub meaning: &'static str,
}

impl Key {
    const fn new(name: &'static str, default: &'static str, meaning: &'static str) -> Self {
        Self {
            name,
            flag: None,
            default,
            meaning,
        }
    }

    const fn flag(mut self, flag: &'static str) -> Self {
        self.flag = Some(flag);
        self
    }

    #[must_use]
    pub fn variable(&self) -> String {
        format!("WHISPERER_{}", self.name.to_ascii_uppercase())
    }

    /// A row of the table, in Markdown.
    #[must_use]
    pub fn row(&self) -> String {
        let flag = self.flag.map_or(String::new(), |flag| format!("`{flag}`"));
        let default = match self.default {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        format!(
            "| `{}` | {flag} | `{}` | {default} | {} |",
            self.name,
            self.variable(),
            self.meaning
        )
    }
}

/// The whole table, in Markdown.
#[must_use]
pub fn table() -> String {
    let mut lines = vec![
        "| key | flag | environment | default | meaning |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    lines.extend(KEYS.iter().map(Key::row));
    lines.join("\n")
}

pub const KEYS: [Key; 33] = [
    Key::new(
        "listen",
        "127.0.0.1:8080",
        "Address and port to serve on; port 0 takes a free one, which the first line tells.",
    )
    .flag("--listen"),
    Key::new(
        "data",
        "./whisperer-data",
        "Folder of the database and its key; made if it is missing.",
    )
    .flag("--data"),
    Key::new(
        "plugins",
        "",
        "Folder watched for plugins; by default `plugins` in the data folder.",
    )
    .flag("--plugins"),
    Key::new(
        "allow_networks",
        "",
        "Networks that hooks may point into although they are not public: a list of CIDRs, or \
         text with commas.",
    )
    .flag("--allow-network"),
    Key::new(
        "extra_roots",
        "",
        "PEM files of certificate authorities to trust for https receivers beside the system's: a \
         list, or text with commas.",
    ),
    Key::new(
        "egress_proxy",
        "",
        "An HTTP proxy that everything is sent through, such as `http://proxy:3128`; with \
         `USER:PASSWORD@` by the environment only. Variables such as `HTTPS_PROXY` are ignored.",
    ),
    Key::new(
        "admin_token",
        "",
        "An admin token from outside, in place of the one made at the first start. By the \
         environment only.",
    ),
    Key::new(
        "log",
        "info",
        "What is logged on stderr: error, warn, info, debug, or a filter such as \
         `info,whisperer_delivery=debug`.",
    )
    .flag("--log"),
    Key::new("log_format", "text", "`text` or `json`.").flag("--log-format"),
    Key::new(
        "core_dumps",
        "false",
        "Let the system keep the memory of a server that crashed, and others of its user look into \
         it: for looking into a crash; payloads are in it.",
    ),
    Key::new(
        "grace_secs",
        "30",
        "How long a stop waits for requests and attempts that are in flight.",
    )
    .flag("--grace-secs"),
    Key::new(
        "connections_max",
        "10000",
        "Connections served at one time; more wait in the system's queue.",
    ),
    Key::new(
        "header_timeout_secs",
        "30",
        "How long a connection may idle or take to bring a request's head.",
    ),
    Key::new(
        "body_timeout_secs",
        "30",
        "How long a request's body may take to arrive.",
    ),
    Key::new(
        "token_rate",
        "0",
        "Requests a second that one token may make, before it is told 429; 0: as many as it likes.",
    ),
    Key::new(
        "event_body_bytes_max",
        "1048576",
        "The longest body of a posted event; at most 64 MiB.",
    ),
    Key::new(
        "body_memory_bytes_max",
        "134217728",
        "What all request bodies may hold in memory together; beyond it 503.",
    ),
    Key::new(
        "store_cache_bytes",
        "8388608",
        "The database's own page cache, beside the system's.",
    ),
    Key::new(
        "store_queue_max",
        "4096",
        "Writes that may wait for the next commit; beyond it 503.",
    ),
    Key::new(
        "store_queue_bytes_max",
        "67108864",
        "What waiting writes may hold in memory together; beyond it 503.",
    ),
    Key::new(
        "store_quick_repair",
        "false",
        "Start at once after a crash, for about half the rate of small commits.",
    ),
    Key::new(
        "retention_days",
        "30",
        "How long an event is kept after it was accepted, with its deliveries, attempts and id; longer \
         while something of it is pending. 0: for ever.",
    ),
    Key::new(
        "retention_bytes",
        "0",
        "What events, deliveries and attempts may take, as `whisperer_store_live_bytes` counts them: \
         beyond it the oldest events go that have nothing pending. 0: without bound.",
    ),
    Key::new(
        "store_check_bytes_max",
        "268435456",
        "A database up to this size is read and checked whole at each start, some 0.3 s per 100 MiB; 0: never.",
    ),
    Key::new(
        "store_free_bytes_min",
        "268435456",
        "While less of the disk is free (or less than a tenth of it, if that is smaller), posting events is 503.",
    ),
    Key::new(
        "attempts_max",
        "1024",
        "Deliveries attempted at one time, over all hooks; half of them are kept from hooks that answer slowly.",
    ),
    Key::new(
        "delivery_buffer_bytes",
        "67108864",
        "Payloads held ready in memory; what does not fit is read when its turn comes.",
    ),
    Key::new(
        "failing_told_secs",
        "3600",
        "A hook whose attempts all fail for so long is told of, by the event \
         `whisperer.hook.failing`.",
    ),
    Key::new(
        "failing_disabled_secs",
        "432000",
        "A hook whose attempts all fail for so long is disabled; 0: never.",
    ),
    Key::new(
        "plugin_timeout_ms",
        "100",
        "Running time of its own that a plugin has for one call.",
    ),
    Key::new(
        "plugin_memory_bytes",
        "67108864",
        "Memory that a plugin has for one call.",
    ),
    Key::new(
        "plugin_concurrency",
        "0",
        "Calls of one plugin at one time; 0: half the cores, at least one.",
    ),
    Key::new(
        "plugin_compile_secs",
        "60",
        "Processor time that compiling one plugin may take; JavaScript and Python take 11 to 30 s.",
    ),
];
