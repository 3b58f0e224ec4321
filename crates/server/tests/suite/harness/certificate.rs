//! Certificates for `localhost` that sign themselves, and clients that trust them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

/// A certificate and its key, in files.
pub struct Certificate {
    /// The PEM file of the certificate.
    pub chain: PathBuf,
    /// The PEM file of the key.
    pub key: PathBuf,
    /// The certificate.
    pub der: CertificateDer<'static>,
}

impl Certificate {
    /// Makes one, in `NAME.pem` and `NAME.key` of a directory.
    pub fn make(directory: &Path, name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (chain, key) = (directory.join(format!("{name}.pem")), directory.join(format!("{name}.key")));
        std::fs::write(&chain, made.cert.pem()).unwrap();
        std::fs::write(&key, made.key_pair.serialize_pem()).unwrap();
        Self { chain, key, der: made.cert.der().clone() }
    }

    /// A client that trusts these certificates alone and speaks these versions.
    pub fn client(trusted: &[&Self], versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        trusted.iter().for_each(|certificate| roots.add(certificate.der.clone()).unwrap());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        Arc::new(config.with_root_certificates(roots).with_no_client_auth())
    }
}
