//! Encrypted connections: our certificate, from files or by ACME, and the handshake.
//!
//! | module | what |
//! |---|---|
//! | [`files`] | a certificate and key in PEM files, read again on a reload |
//! | [`acme`] | certificates that an authority issues while the server runs |
//! | [`client`] | whom we trust when we are the client |
//! | [`der`] | a little reader of the binary form of keys and certificates |
//!
//! What it must not know: what is said on the connections.

pub mod acme;
pub mod client;
pub mod der;
pub mod files;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use deskbell_core::limits::{self, Millis};
use rustls::ServerConfig;
use rustls::server::ResolvesServerCert;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use self::acme::Acme;
use self::files::CertificateFiles;

/// Why there can be no encryption: a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoTls(pub String);

impl fmt::Display for NoTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoTls {}

/// Turns accepted sockets into encrypted connections.
#[derive(Clone)]
pub enum Acceptor {
    /// With a certificate from files.
    Files(Arc<CertificateFiles>, TlsAcceptor),
    /// With certificates by ACME.
    Acme(Arc<Acme>),
}

impl Acceptor {
    /// With a certificate from files.
    pub fn files(certificate: Arc<CertificateFiles>) -> Result<Self, NoTls> {
        let config = server_config(Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>)?;
        Ok(Self::Files(certificate, TlsAcceptor::from(config)))
    }

    /// With certificates by ACME. Somebody must drive [`Acme::run`].
    pub fn acme(acme: Arc<Acme>) -> Self {
        Self::Acme(acme)
    }

    /// Does the handshake, bounded in time. `None`: it was the authority that looked whether we
    /// hold the domain, and that connection is over.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<Option<TlsStream<TcpStream>>> {
        let handshake = async {
            match self {
                Self::Files(_, acceptor) => acceptor.accept(stream).await.map(Some),
                Self::Acme(acme) => acme.accept(stream).await,
            }
        };
        let bound = Duration::from_millis(limits::HANDSHAKE_TIME);
        tokio::time::timeout(bound, handshake).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// Reads the files again; what an authority issues renews itself. Gives warnings.
    pub fn reload(&self, now: Millis) -> Result<Vec<String>, NoTls> {
        match self {
            Self::Files(certificate, _) => certificate.reload(now),
            Self::Acme(_) => Ok(Vec::new()),
        }
    }
}

/// The settings of every encrypted listener: TLS 1.2 and 1.3, and HTTP/1.1 alone, because that is
/// what carries a WebSocket.
fn server_config(certificate: Arc<dyn ResolvesServerCert>) -> Result<Arc<ServerConfig>, NoTls> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| NoTls(error.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // After a deploy everybody comes back at once. A ticket lets them skip the costly half of the
    // handshake, and unlike a session store it needs no memory here.
    config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(|error| NoTls(error.to_string()))?;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests;
