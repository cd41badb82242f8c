//! From the client's errors to words that a partner can act on.
//!
//! What went wrong is told only in the chain of causes, so it is searched for the types that say
//! something. Messages name the target by its origin: path, query and headers carry secrets, and
//! the errors' own texts may repeat them. They name no address that a resolver answered, nor the
//! network it lies in, and nothing of the proxy: those are the operator's.

use std::error::Error;
use std::io;
use std::iter::successors;

use hyper_util::client::legacy;
use rustls::{AlertDescription, CertificateError};
use whisperer_domain::address::Forbidden;
use whisperer_domain::outcome::UnreachableCause;
use whisperer_domain::port::Exchanged;

use crate::error::{Barred, ProxyFault, is_exhaustion};
use crate::resolve::LookupError;

/// What an exchange without an answer came to.
pub(crate) fn judge(error: &(dyn Error + 'static), origin: &str) -> Exchanged {
    if let Some(barred) = find::<Barred>(error) {
        return judge_barred(barred, origin);
    }
    let connecting = find::<legacy::Error>(error).is_some_and(legacy::Error::is_connect);
    if connecting && innermost_io(error).is_some_and(is_exhaustion) {
        return no_room();
    }
    let (cause, message) = if let Some(tls) = find::<rustls::Error>(error) {
        (UnreachableCause::Tls, tls_words(tls, origin))
    } else if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse_too_large) {
        let message = format!("{origin} answered with a longer head than is read");
        (UnreachableCause::Protocol, message)
    } else if find::<hyper::Error>(error).is_some_and(is_not_http) {
        let message = format!("{origin} answered with something that is not HTTP");
        (UnreachableCause::Protocol, message)
    } else if let Some(io) = innermost_io(error) {
        io_words(io, connecting, origin)
    } else if find::<hyper::Error>(error).is_some_and(is_cut_short) {
        let message = format!("{origin} closed the connection before it answered");
        (UnreachableCause::Reset, message)
    } else if connecting {
        let message = format!("no connection to {origin} could be made");
        (UnreachableCause::Connect, message)
    } else {
        let message = format!("the exchange with {origin} broke the rules of HTTP");
        (UnreachableCause::Protocol, message)
    };
    Exchanged::Unreachable { cause, message }
}

fn judge_barred(barred: &Barred, origin: &str) -> Exchanged {
    let message = match barred {
        Barred::Policy(forbidden) => return blocked(origin, &forbidden.to_string()),
        Barred::PolicyOfName(Forbidden::Network { .. }) => {
            return blocked(
                origin,
                "its name leads to an address that is not on the public internet",
            );
        }
        Barred::PolicyOfName(
            forbidden @ (Forbidden::Port(_) | Forbidden::OwnListener | Forbidden::Name(_)),
        ) => return blocked(origin, &forbidden.to_string()),
        Barred::Unaccounted => return blocked(origin, "its address could not be checked"),
        Barred::Exhausted(_) | Barred::Lookup(LookupError::Ours(_)) => {
            return no_room();
        }
        Barred::Proxy(fault) => return judge_proxy(fault, origin),
        Barred::LookupTooSlow => format!(
            "the name of {origin} was not looked up in time: its name servers are slow or silent"
        ),
        Barred::Lookup(LookupError::NoSuchName) => {
            format!("the name of {origin} does not exist in DNS")
        }
        Barred::Lookup(LookupError::NoAnswer) => format!(
            "the name of {origin} could not be looked up: its name servers gave no usable answer"
        ),
        Barred::NoAddress => format!("the name of {origin} has no address"),
    };
    Exchanged::Unreachable {
        cause: UnreachableCause::Dns,
        message,
    }
}

/// Whether the client itself gave up: its bound on connecting, or a ping without an answer.
pub(crate) fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    find::<reqwest::Error>(error).is_some_and(reqwest::Error::is_timeout)
        || find::<hyper::Error>(error).is_some_and(hyper::Error::is_timeout)
}

fn no_room() -> Exchanged {
    Exchanged::Internal {
        message: "this server has no room for another connection just now".to_owned(),
    }
}

fn blocked(origin: &str, why: &str) -> Exchanged {
    Exchanged::Blocked {
        message: format!("{origin} may not be sent to: {why}"),
    }
}

/// What the proxy says of the target is the partner's matter, what it says of us the operator's.
fn judge_proxy(fault: &ProxyFault, origin: &str) -> Exchanged {
    let (cause, message) = match fault {
        ProxyFault::NoWay { status } => (
            UnreachableCause::Connect,
            format!("the operator's proxy found no way to {origin} and answered {status}"),
        ),
        ProxyFault::Refused { status: 407 } => (
            UnreachableCause::Proxy,
            "the operator's proxy does not accept this server's credentials (407)".to_owned(),
        ),
        ProxyFault::Refused { status } => (
            UnreachableCause::Proxy,
            format!("the operator's proxy refuses to connect to {origin} ({status})"),
        ),
        ProxyFault::Lookup(_) | ProxyFault::Unreachable(_) => (
            UnreachableCause::Proxy,
            "the operator's proxy cannot be reached".to_owned(),
        ),
        ProxyFault::NotAProxy => (
            UnreachableCause::Proxy,
            "the operator's proxy does not answer as an HTTP proxy does".to_owned(),
        ),
    };
    Exchanged::Unreachable { cause, message }
}

fn is_not_http(error: &hyper::Error) -> bool {
    error.is_parse() || error.is_parse_status()
}

fn is_cut_short(error: &hyper::Error) -> bool {
    error.is_incomplete_message() || error.is_closed() || error.is_canceled()
}

fn io_words(error: &io::Error, connecting: bool, origin: &str) -> (UnreachableCause, String) {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => (
            UnreachableCause::Connect,
            format!("{origin} refused the connection: nothing listens on that port"),
        ),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => (
            UnreachableCause::Connect,
            format!("there is no route to {origin}"),
        ),
        io::ErrorKind::TimedOut => (
            UnreachableCause::Connect,
            format!("{origin} did not respond on that port"),
        ),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof
            if connecting =>
        {
            (
                UnreachableCause::Tls,
                format!("{origin} closed the connection during the TLS handshake"),
            )
        }
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::NotConnected => (
            UnreachableCause::Reset,
            format!("{origin} closed the connection before it answered"),
        ),
        // A foreign enum that grows; the kind's own words hold nothing of the request.
        other if connecting => (
            UnreachableCause::Connect,
            format!("no connection to {origin} could be made: {other}"),
        ),
        other => (
            UnreachableCause::Reset,
            format!("the connection to {origin} failed: {other}"),
        ),
    }
}

fn tls_words(error: &rustls::Error, origin: &str) -> String {
    let what = match error {
        rustls::Error::InvalidCertificate(certificate) => {
            return format!(
                "the certificate of {origin} is not accepted: {}",
                certificate_words(certificate)
            );
        }
        rustls::Error::AlertReceived(alert) => {
            return alert_words(*alert, origin);
        }
        rustls::Error::PeerIncompatible(_) => {
            "no TLS version or cipher in common: TLS 1.2 or 1.3 is needed"
        }
        rustls::Error::InvalidMessage(_) => "what answers there does not speak TLS",
        // A foreign enum that grows, and texts that a peer can fill.
        _ => "it broke the rules of TLS",
    };
    format!("the TLS handshake with {origin} failed: {what}")
}

fn alert_words(alert: AlertDescription, origin: &str) -> String {
    let what = match alert {
        AlertDescription::CertificateRequired => {
            "it demands a client certificate, which webhooks are sent without"
        }
        AlertDescription::HandshakeFailure => {
            "it has no cipher in common, or demands a client certificate"
        }
        AlertDescription::ProtocolVersion => {
            "it has no TLS version in common: TLS 1.2 or 1.3 is needed"
        }
        AlertDescription::NoApplicationProtocol => {
            "it does not offer HTTP/1.1, which is what webhooks are sent by"
        }
        AlertDescription::UnrecognisedName => "it does not know that host name",
        // A foreign list that grows.
        other => return format!("{origin} ended the TLS connection with the alert {other:?}"),
    };
    format!("{origin} ended the TLS connection: {what}")
}

fn certificate_words(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::UnknownIssuer => {
            "it is self-signed, or an intermediate certificate is missing, or its issuer is unknown"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name"
        }
        CertificateError::Revoked => "it was revoked",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not for servers"
        }
        // A foreign enum that grows, and texts that a peer can fill.
        _ => {
            "it is malformed, or signed in a way that is not supported, or its issuer may not \
             vouch for it"
        }
    }
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The one that the system gave; those around it only say "other".
fn innermost_io<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    causes(error)
        .filter_map(|cause| cause.downcast_ref())
        .last()
}

/// An error and its causes. `io::Error` answers `source` with the cause of what it wraps, so what
/// it wraps, where rustls's errors are, would be passed over.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |&error| {
        match error.downcast_ref().and_then(io::Error::get_ref) {
            Some(wrapped) => {
                let wrapped: &(dyn Error + 'static) = wrapped;
                Some(wrapped)
            }
            None => error.source(),
        }
    })
}
