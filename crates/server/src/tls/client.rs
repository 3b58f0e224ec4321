//! Our side as a TLS client: whom we trust when we fetch keys, order certificates or call webhooks.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::NoTls;

/// Trusts the system's roots and those of a PEM text besides. Reads files, so it belongs to the
/// start and to a reload.
pub fn config(extra_roots: Option<&[u8]>) -> Result<Arc<ClientConfig>, NoTls> {
    let mut roots = RootCertStore::empty();
    // A system's store may hold single certificates that cannot be read; the others still count.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = extra_roots {
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let added = certificate.ok().and_then(|certificate| roots.add(certificate).ok());
            added.ok_or_else(|| NoTls("the CA file holds a certificate that cannot be read".to_owned()))?;
        }
        if roots.len() == before {
            return Err(NoTls(
                "the CA file holds no certificate; it needs a section -----BEGIN CERTIFICATE-----".to_owned(),
            ));
        }
    }
    if roots.is_empty() {
        return Err(NoTls(
            "this system trusts no authority; install its ca-certificates or name a CA file".to_owned(),
        ));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| NoTls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
