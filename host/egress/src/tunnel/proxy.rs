//! The proxy that everything is sent through, where a network lets nothing else out.
//!
//! The proxy is asked by CONNECT, for http targets too, and for an address that the policy has
//! passed, never for a name: what the proxy would make of the name is not ours to check. TLS and
//! `Host` still go by the name, end to end. Its own address is the operator's choice: the policy
//! is not asked about it.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use url::Url;
use whisperer_domain::secret::Secret;

use super::dial::dial;
use super::link::Stream;
use crate::error::{Barred, ProxyFault, is_exhaustion};
use crate::resolve::Names;

/// Of the proxy's answer to CONNECT; a page that tells why it refuses does not count.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// A proxy that does not work fails every attempt; the log says so this often.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Where a proxy is, and what it wants to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressProxy {
    secure: bool,
    /// As in a URL: IPv6 with brackets.
    host: String,
    port: u16,
    /// The value of `proxy-authorization`.
    authorization: Option<Secret>,
}

/// Repeats nothing of what was written: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyUrlError {
    #[error("is not a URL such as http://proxy.example:3128")]
    NotAUrl,
    #[error("must begin with http:// or https://: it is the way to the proxy, not to receivers")]
    Scheme,
    #[error("must have no path, query or fragment: http://proxy.example:3128 is enough")]
    Path,
    #[error("has port 0, which nothing listens on")]
    Port,
}

impl EgressProxy {
    /// From `http://HOST:PORT` or `https://…`, with `USER:PASSWORD@` if the proxy asks for it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ProxyUrlError> {
        let url = Url::parse(text).map_err(|_| ProxyUrlError::NotAUrl)?;
        let secure = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(ProxyUrlError::Scheme),
        };
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyUrlError::Path);
        }
        let host = url.host_str().ok_or(ProxyUrlError::NotAUrl)?.to_owned();
        let port = url.port_or_known_default().ok_or(ProxyUrlError::NotAUrl)?;
        if port == 0 {
            return Err(ProxyUrlError::Port);
        }
        Ok(Self {
            secure,
            host,
            port,
            authorization: authorization(&url)?,
        })
    }

    /// Whether it holds what must not be read by everybody.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        self.authorization.is_some()
    }
}

fn authorization(url: &Url) -> Result<Option<Secret>, ProxyUrlError> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let mut both = percent_decoded(url.username())?;
    both.push(b':');
    both.extend(percent_decoded(url.password().unwrap_or_default())?);
    let coded = BASE64_STANDARD.encode(both);
    Ok(Some(Secret::new(format!("Basic {coded}"))))
}

/// A `%` that begins no escape stands for itself, as `url` left it.
fn percent_decoded(text: &str) -> Result<Vec<u8>, ProxyUrlError> {
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let escape = text
            .get(at + 1..at + 3)
            .filter(|_| bytes[at] == b'%')
            .filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if let Some(hex) = escape {
            decoded.push(u8::from_str_radix(hex, 16).map_err(|_| ProxyUrlError::NotAUrl)?);
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    Ok(decoded)
}

/// Makes tunnels.
pub(super) struct Proxy {
    at: EgressProxy,
    tls: TlsConnector,
    told: Mutex<Option<Instant>>,
}

impl Proxy {
    pub(super) fn new(at: EgressProxy, tls: rustls::ClientConfig) -> Self {
        Self {
            at,
            tls: TlsConnector::from(Arc::new(tls)),
            told: Mutex::default(),
        }
    }

    /// A connection to the first of the addresses that the proxy can reach, and its local end.
    pub(super) async fn open(
        &self,
        names: &Names,
        addresses: &[SocketAddr],
    ) -> Result<(Stream, SocketAddr), Barred> {
        let mut why = ProxyFault::NotAProxy;
        for &address in addresses {
            match self.one(names, address).await {
                Ok(opened) => return Ok(opened),
                Err(Barred::Proxy(fault @ ProxyFault::NoWay { .. })) => why = fault,
                Err(barred) => {
                    if let Barred::Proxy(fault) = &barred {
                        self.tell(fault);
                    }
                    return Err(barred);
                }
            }
        }
        Err(Barred::Proxy(why))
    }

    async fn one(
        &self,
        names: &Names,
        address: SocketAddr,
    ) -> Result<(Stream, SocketAddr), Barred> {
        let (mut stream, local) = self.reach(names).await?;
        let request = connect_request(address, self.at.authorization.as_ref());
        let status = ask(&mut stream, request.expose().as_bytes())
            .await
            .map_err(Barred::Proxy)?;
        match status {
            200..=299 => Ok((stream, local)),
            // What proxies say when the way beyond them fails.
            502..=504 => Err(Barred::Proxy(ProxyFault::NoWay { status })),
            _ => Err(Barred::Proxy(ProxyFault::Refused { status })),
        }
    }

    /// A connection to the proxy itself.
    async fn reach(&self, names: &Names) -> Result<(Stream, SocketAddr), Barred> {
        let EgressProxy { host, port, .. } = &self.at;
        let addresses = names
            .unchecked(host, *port)
            .await
            .map_err(|barred| Barred::Proxy(ProxyFault::Lookup(Box::new(barred))))?;
        let stream = dial(&addresses).await.map_err(|error| {
            if is_exhaustion(&error) {
                Barred::Exhausted(error)
            } else {
                Barred::Proxy(ProxyFault::Unreachable(error))
            }
        })?;
        let unreachable = |error| Barred::Proxy(ProxyFault::Unreachable(error));
        let local = stream.local_addr().map_err(unreachable)?;
        if !self.at.secure {
            return Ok((Box::new(stream), local));
        }
        let name = server_name(host).ok_or(Barred::Proxy(ProxyFault::NotAProxy))?;
        let stream = self.tls.connect(name, stream).await.map_err(unreachable)?;
        Ok((Box::new(stream), local))
    }

    /// For the operator, who alone can mend it.
    fn tell(&self, fault: &ProxyFault) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|at| at.elapsed() >= TOLD_EVERY) {
            *told = Some(Instant::now());
            let fault: &(dyn std::error::Error + 'static) = fault;
            tracing::error!(
                error = fault,
                "the egress proxy does not work: nothing can be delivered through it"
            );
        }
    }
}

/// The name that TLS is to prove; none: it is not one.
pub(super) fn server_name(host: &str) -> Option<ServerName<'static>> {
    match crate::resolve::literal(host) {
        Some(ip) => Some(ServerName::IpAddress(ip.into())),
        None => ServerName::try_from(host.to_owned()).ok(),
    }
}

fn connect_request(address: SocketAddr, authorization: Option<&Secret>) -> Secret {
    let mut request = format!("CONNECT {address} HTTP/1.1\r\nhost: {address}\r\n");
    if let Some(authorization) = authorization {
        request.push_str("proxy-authorization: ");
        request.push_str(&authorization.expose());
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    Secret::new(request)
}

/// The status that the proxy answers.
async fn ask(stream: &mut Stream, request: &[u8]) -> Result<u16, ProxyFault> {
    stream
        .write_all(request)
        .await
        .map_err(ProxyFault::Unreachable)?;
    let mut head = Vec::new();
    loop {
        let read = stream
            .read_buf(&mut head)
            .await
            .map_err(ProxyFault::Unreachable)?;
        let status = status(&head);
        if let Some(end) = end_of_head(&head) {
            return match status {
                // What came behind a 200 would be the target's, who has not been asked anything.
                Some(200..=299) if end < head.len() => Err(ProxyFault::NotAProxy),
                Some(status) => Ok(status),
                None => Err(ProxyFault::NotAProxy),
            };
        }
        let refuses = status.is_some_and(|status| status >= 300);
        if read == 0 && head.is_empty() {
            let ended = io::Error::from(io::ErrorKind::UnexpectedEof);
            return Err(ProxyFault::Unreachable(ended));
        }
        if read == 0 || head.len() > HEAD_BYTES_MAX {
            return match status {
                Some(status) if refuses => Ok(status),
                Some(_) | None => Err(ProxyFault::NotAProxy),
            };
        }
    }
}

fn end_of_head(head: &[u8]) -> Option<usize> {
    let at = head.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(at + 4)
}

/// Of a status line as far as it has come; interim answers do not exist for CONNECT.
fn status(head: &[u8]) -> Option<u16> {
    let line = head.strip_prefix(b"HTTP/1.")?;
    let digits = line.get(1..5)?.strip_prefix(b" ")?;
    let status = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (200..=999).contains(&status).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::{EgressProxy, ProxyUrlError, connect_request, status};

    #[test]
    fn what_is_a_proxy_and_what_is_not() {
        for (text, expected) in [
            ("http://proxy.example:3128", Ok(3128)),
            ("http://proxy.example", Ok(80)),
            ("https://proxy.example/", Ok(443)),
            ("http://[::1]:3128", Ok(3128)),
            ("http://user:p%40ss@10.0.0.1:3128", Ok(3128)),
            ("proxy.example:3128", Err(ProxyUrlError::Scheme)),
            ("socks5://proxy.example:1080", Err(ProxyUrlError::Scheme)),
            ("http://proxy.example/path", Err(ProxyUrlError::Path)),
            ("http://proxy.example/?q", Err(ProxyUrlError::Path)),
            ("http://proxy.example:0", Err(ProxyUrlError::Port)),
            ("proxy", Err(ProxyUrlError::NotAUrl)),
            ("http://", Err(ProxyUrlError::NotAUrl)),
            ("", Err(ProxyUrlError::NotAUrl)),
        ] {
            assert_eq!(
                EgressProxy::parse(text).map(|it| it.port),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn invariant_7_credentials_are_sent_and_not_shown() {
        let proxy = EgressProxy::parse("http://us%3Aer:p%40ss%zz@proxy.example:3128").unwrap();
        let address = "[2001:db8::1]:443".parse().unwrap();
        let request = connect_request(address, proxy.authorization.as_ref());
        assert_eq!(
            &*request.expose(),
            // us:er:p@ss%zz
            "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nhost: [2001:db8::1]:443\r\n\
             proxy-authorization: Basic dXM6ZXI6cEBzcyV6eg==\r\n\r\n"
        );
        let shown = format!("{proxy:?} {request:?}");
        assert!(
            !shown.contains("dXM6") && !shown.contains("p@ss"),
            "{shown}"
        );
        assert!(proxy.has_credentials());
        assert!(
            !EgressProxy::parse("http://proxy")
                .unwrap()
                .has_credentials()
        );
    }

    #[test]
    fn status_lines() {
        for (line, expected) in [
            (&b"HTTP/1.1 200 Connection established"[..], Some(200)),
            (b"HTTP/1.0 407", Some(407)),
            (b"HTTP/1.1 20", None),
            (b"HTTP/1.1  200", None),
            (b"HTTP/1.1 100", None),
            (b"HTTP/2 200 OK", None),
            (b"SSH-2.0-OpenSSH", None),
            (b"", None),
        ] {
            assert_eq!(status(line), expected, "{}", line.escape_ascii());
        }
    }
}
