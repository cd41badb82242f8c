//! TLS: which authorities are trusted, and how a connection is secured, on either way out.
//!
//! The system's authorities and the operator's extra ones, for all hooks alike. There is no
//! authority of a hook's own, and no way to leave verification out. Revocation is not asked for:
//! neither OCSP nor lists.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::error::EgressError;

/// A PEM bundle of authorities to trust beside the system's.
#[derive(Clone, Debug)]
pub struct ExtraRoots {
    /// Where it came from, for errors.
    pub name: String,
    pub pem: Vec<u8>,
}

/// # Errors
/// An extra root cannot be read.
pub(crate) fn client_config(
    extra: &[ExtraRoots],
    alpn: &[&[u8]],
) -> Result<ClientConfig, EgressError> {
    let mut roots = RootCertStore::empty();
    for bundle in extra {
        add(&mut roots, bundle)?;
    }
    let system = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(system.certs);
    if added == 0 {
        // A bare container has none of its own. That is no reason not to start: plain http
        // works, and https to what the extra roots vouch for.
        tracing::warn!(
            error = system
                .errors
                .first()
                .map(|error| error as &dyn std::error::Error),
            "the system has no certificate authorities: https receivers will not be trusted, but \
             for those of extra_roots; install ca-certificates"
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(EgressError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

fn add(roots: &mut RootCertStore, bundle: &ExtraRoots) -> Result<(), EgressError> {
    let wrong = |words: String| EgressError::ExtraRoots {
        name: bundle.name.clone(),
        words,
    };
    let mut number = 0;
    for certificate in CertificateDer::pem_slice_iter(&bundle.pem) {
        number += 1;
        let certificate =
            certificate.map_err(|error| wrong(format!("certificate {number}: {error}")))?;
        roots
            .add(certificate)
            .map_err(|error| wrong(format!("certificate {number}: {error}")))?;
    }
    if number == 0 {
        return Err(wrong("there is no certificate in it".to_owned()));
    }
    Ok(())
}
