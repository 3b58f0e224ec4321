//! What must be secret and what must fit together: app secrets, certificate and key.

use std::path::Path;
use std::sync::Arc;

use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::Finding;
use crate::cli::remote::credentials;
use crate::config::{Settings, TlsSettings};

/// What is advised; below half of it the configuration warns by itself.
const GOOD_LENGTH: usize = 32;

/// Whether every secret is long enough not to be guessed.
pub fn lengths(settings: &Settings) -> Finding {
    let file = settings.credentials_file();
    let Ok(made) = credentials(&file) else {
        return Finding::fail(
            format!("{} cannot be read or is damaged", file.display()),
            "run doctor as the server's user; if it still fails, restore the file from the last backup",
        );
    };
    let apps = settings.apps.iter().map(|app| {
        let secret = app.secret.as_ref().map(|secret| secret.expose().len());
        (format!("the secret of app {}", app.name), secret.or(made.as_ref().map(|made| made.secret.len())))
    });
    let auth = &settings.auth;
    let others = [("auth.jwt_secret", &auth.jwt_secret), ("auth.other_jwt_secret", &auth.other_jwt_secret)]
        .map(|(name, secret)| (name.to_owned(), secret.as_ref().map(|secret| secret.expose().len())));
    let short: Vec<String> = apps
        .chain(others)
        .filter(|(_, length)| length.is_some_and(|length| length < GOOD_LENGTH))
        .map(|(name, _)| name)
        .collect();
    if short.is_empty() {
        return Finding::ok("every secret is long, or will be made at the first start");
    }
    Finding::warn(
        format!("shorter than {GOOD_LENGTH} characters: {}", short.join(", ")),
        "make them longer, for example with `openssl rand -hex 32`",
    )
}

/// Whether certificate and key can be read and belong together.
pub fn certificate(tls: &TlsSettings) -> Finding {
    match tls {
        TlsSettings::Off => {
            Finding::ok("no TLS here; a proxy in front must do it for browsers on https pages")
        }
        TlsSettings::Acme(acme) => {
            Finding::ok(format!("certificates for {} come from {}", acme.domains.join(", "), acme.directory))
        }
        TlsSettings::Files { cert, key } => match pair(cert, key) {
            Ok(chain) => {
                Finding::ok(format!("{} and its key belong together, {chain} in the chain", cert.display()))
            }
            Err((seen, advice)) => Finding::fail(seen, advice),
        },
    }
}

fn pair(cert: &Path, key: &Path) -> Result<usize, (String, &'static str)> {
    let unreadable = |path: &Path, what: &str, error: &dyn std::fmt::Display| {
        (
            format!("{} holds no {what} that can be read: {error}", path.display()),
            "it must be a PEM file that the server's user may read",
        )
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(cert, "certificate", &error))?;
    if chain.is_empty() {
        return Err(unreadable(cert, "certificate", &"it is empty"));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, "private key", &error))?;
    let length = chain.len();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    match CertifiedKey::from_der(chain, secret, &provider) {
        Ok(_) => Ok(length),
        Err(rustls::Error::InconsistentKeys(_)) => Err((
            format!("{} is not the key of {}", key.display(), cert.display()),
            "tls.key must be the key the certificate was made for, and the certificate the first in its file",
        )),
        Err(error) => Err(unreadable(cert, "pair of certificate and key", &error)),
    }
}
