//! What an attempt came to: data, never an `Err`.

use serde::{Deserialize, Serialize};

use crate::plugin::{PluginFailure, PluginName};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// A 2xx.
    Delivered { status: u16 },
    /// Any other status. `retry_after_secs` is set only for 429 and 503.
    Refused {
        status: u16,
        retry_after_secs: Option<u64>,
    },
    /// No answer to judge: DNS, connection, TLS or protocol.
    Unreachable {
        cause: UnreachableCause,
        message: String,
    },
    /// The hook's `timeout_ms` ran out.
    TimedOut { while_doing: String },
    /// The address policy forbids what would have been dialled.
    Blocked { message: String },
    PluginFailed {
        plugin: PluginName,
        kind: PluginFailure,
        code: String,
        message: String,
    },
    Discarded {
        plugin: PluginName,
        code: String,
        message: String,
    },
    /// Our own fault. Retried, logged as an error.
    Internal { message: String },
}

impl Outcome {
    /// The word for it in the API and in metrics.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Delivered { .. } => "delivered",
            Self::Refused { .. } => "refused",
            Self::Unreachable { .. } => "unreachable",
            Self::TimedOut { .. } => "timed_out",
            Self::Blocked { .. } => "blocked",
            Self::PluginFailed { .. } => "plugin_failed",
            Self::Discarded { .. } => "discarded",
            Self::Internal { .. } => "internal",
        }
    }
}

/// What a receiver asks for beside its status, by the response header `webhook-delivery`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// `disable`: nothing more at all.
    Disable,
    /// `abort-message`: this one not again.
    Abort,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnreachableCause {
    Dns,
    Connect,
    Tls,
    Reset,
    Protocol,
    /// The operator's egress proxy: nothing that the receiver could mend.
    Proxy,
}

impl UnreachableCause {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
            Self::Proxy => "proxy",
        }
    }
}
