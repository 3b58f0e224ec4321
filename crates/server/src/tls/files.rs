//! A certificate and its key in PEM files, read again on a reload.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use deskbell_core::limits::Millis;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{Error as PemError, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{NoTls, der};

/// A certificate chain and its private key, as the files last held them.
#[derive(Debug)]
pub struct CertificateFiles {
    chain: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
}

impl CertificateFiles {
    /// Reads both files, and says what an operator should know about them.
    pub fn load(chain: &Path, key: &Path, now: Millis) -> Result<(Self, Vec<String>), NoTls> {
        let (current, warnings) = read(chain, key, now)?;
        let current = ArcSwap::from_pointee(current);
        Ok((Self { chain: chain.to_owned(), key: key.to_owned(), current }, warnings))
    }

    /// Reads both files again. If they cannot be used, the certificate from before stays.
    pub fn reload(&self, now: Millis) -> Result<Vec<String>, NoTls> {
        let (new, warnings) = read(&self.chain, &self.key, now)?;
        self.current.store(Arc::new(new));
        Ok(warnings)
    }

    /// When the certificate ends.
    pub fn expires_at(&self) -> Option<Millis> {
        self.current
            .load()
            .cert
            .first()
            .and_then(|certificate| der::validity(certificate))
            .map(|(_, end)| end)
    }
}

impl ResolvesServerCert for CertificateFiles {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn read(chain: &Path, key: &Path, now: Millis) -> Result<(CertifiedKey, Vec<String>), NoTls> {
    let certificates = read_chain(chain)?;
    let warnings = warnings(chain, &certificates[0], now);
    let private = PrivateKeyDer::from_pem_slice(&bytes(key)?).map_err(|error| match error {
        PemError::NoItemsFound => NoTls(format!(
            "{} holds no private key that can be read; it needs a section -----BEGIN PRIVATE KEY-----, and \
             one with a passphrase must be decrypted first (openssl pkey)",
            key.display()
        )),
        _ => not_pem(key),
    })?;
    let provider = rustls::crypto::ring::default_provider();
    let certified =
        CertifiedKey::from_der(certificates, private, &provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => NoTls(format!(
                "the key in {} is not the key of the first certificate in {}; give the pair that was issued \
             together, with the server's own certificate first",
                key.display(),
                chain.display()
            )),
            other => NoTls(format!("{} and {} cannot be used: {other}", chain.display(), key.display())),
        })?;
    Ok((certified, warnings))
}

fn read_chain(chain: &Path) -> Result<Vec<CertificateDer<'static>>, NoTls> {
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&bytes(chain)?)
        .collect::<Result<_, _>>()
        .map_err(|_| not_pem(chain))?;
    if certificates.is_empty() {
        return Err(NoTls(format!(
            "{} holds no certificate; it needs sections -----BEGIN CERTIFICATE-----, the server's own first \
             and its authority's after it",
            chain.display()
        )));
    }
    Ok(certificates)
}

fn bytes(file: &Path) -> Result<Vec<u8>, NoTls> {
    std::fs::read(file).map_err(|error| {
        NoTls(format!("{} cannot be read ({error}); check its name and rights", file.display()))
    })
}

fn not_pem(file: &Path) -> NoTls {
    NoTls(format!("{} is damaged; it must be PEM, base64 between BEGIN and END lines", file.display()))
}

/// An expired certificate is no reason not to start: some clients pin it, and a server that stands
/// still helps nobody. But it must be said.
fn warnings(chain: &Path, certificate: &CertificateDer<'_>, now: Millis) -> Vec<String> {
    let file = chain.display();
    match der::validity(certificate) {
        Some((_, end)) if end < now => {
            vec![format!("the certificate in {file} has expired, browsers refuse it; renew it and reload")]
        }
        Some((start, _)) if start > now => {
            vec![format!("the certificate in {file} does not hold yet; compare this machine's clock")]
        }
        _ => Vec::new(),
    }
}
