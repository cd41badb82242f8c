//! From reqwest's errors to words that a partner can act on.
//!
//! reqwest tells what went wrong only in the chain of causes, so it is searched for the types
//! that say something. Messages name the target by its origin: path, query and headers carry
//! secrets, and the errors' own texts may repeat them.

use std::error::Error;
use std::io;
use std::iter::successors;

use rustls::CertificateError;
use whisperer_domain::outcome::UnreachableCause;
use whisperer_domain::port::Exchanged;

use crate::error::Barred;

/// What an exchange without an answer came to.
pub(crate) fn judge(error: &reqwest::Error, origin: &str) -> Exchanged {
    if let Some(barred) = find::<Barred>(error) {
        return judge_barred(barred, origin);
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
        io_words(io, error.is_connect(), origin)
    } else if find::<hyper::Error>(error).is_some_and(is_cut_short) {
        let message = format!("{origin} closed the connection before it answered");
        (UnreachableCause::Reset, message)
    } else if error.is_connect() {
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
        Barred::Policy(forbidden) => {
            return Exchanged::Blocked {
                message: format!("{origin} may not be sent to: {forbidden}"),
            };
        }
        Barred::Unaccounted => {
            return Exchanged::Blocked {
                message: format!("{origin} may not be sent to: its address could not be checked"),
            };
        }
        Barred::LookupTooSlow => format!("the name of {origin} was not looked up in time"),
        Barred::Lookup(_) => format!("the name of {origin} could not be looked up"),
        Barred::NoAddress => format!("the name of {origin} has no address"),
    };
    Exchanged::Unreachable {
        cause: UnreachableCause::Dns,
        message,
    }
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
        io::ErrorKind::UnexpectedEof if connecting => (
            UnreachableCause::Tls,
            format!("{origin} closed the connection during the TLS handshake"),
        ),
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
            return format!("{origin} ended the TLS handshake with the alert {alert:?}");
        }
        rustls::Error::PeerIncompatible(_) => "no TLS version or cipher in common",
        rustls::Error::InvalidMessage(_) => "what answers there does not speak TLS",
        // A foreign enum that grows, and texts that a peer can fill.
        _ => "it broke the rules of TLS",
    };
    format!("the TLS handshake with {origin} failed: {what}")
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
        _ => "it is malformed, or signed in a way that is not supported",
    }
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The one that the system gave; those around it only say "other".
fn innermost_io(error: &reqwest::Error) -> Option<&io::Error> {
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
