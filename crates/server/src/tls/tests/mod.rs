//! Tests of encrypted connections, with real handshakes and a real authority.

mod acme;
mod authority;
mod files;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::{Acceptor, client};

/// Far longer than anything here takes.
const SOON: Duration = Duration::from_mins(1);

/// A directory of one test, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("deskbell-tls-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let file = self.0.join(name);
        std::fs::write(&file, text).unwrap();
        file
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A listener that greets whoever gets through the handshake.
struct Listening {
    port: u16,
    /// How many got through.
    greeted: Arc<AtomicU32>,
    task: JoinHandle<()>,
}

impl Listening {
    async fn start(acceptor: Acceptor, port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let greeted = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&greeted);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    if let Ok(Some(mut tls)) = acceptor.accept(stream).await {
                        count.fetch_add(1, Ordering::Relaxed);
                        tls.write_all(b"hello").await.unwrap();
                        tls.shutdown().await.unwrap();
                    }
                });
            }
        });
        Self { port, greeted, task }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Shakes hands and reads the greeting. Gives the server's certificate.
async fn greeted(port: u16, name: &str, roots: &str) -> io::Result<CertificateDer<'static>> {
    greeted_with(port, name, roots, "http/1.1").await
}

async fn greeted_with(
    port: u16,
    name: &str,
    roots: &str,
    protocol: &str,
) -> io::Result<CertificateDer<'static>> {
    let mut config = rustls::ClientConfig::clone(&*client::config(Some(roots.as_bytes())).unwrap());
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
    let mut greeting = String::new();
    tls.read_to_string(&mut greeting).await?;
    assert_eq!(greeting, "hello");
    Ok(tls.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned())
}

/// An authority of a test, and pairs that it issues.
struct Issuer(rcgen::Certificate, rcgen::KeyPair);

impl Issuer {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "an authority of a test");
        let key = rcgen::KeyPair::generate().unwrap();
        Self(params.self_signed(&key).unwrap(), key)
    }

    fn root(&self) -> String {
        self.0.pem()
    }

    /// Certificate and key in PEM, with the years between which it holds.
    fn issue(&self, name: &str, years: (i32, i32)) -> (String, String) {
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0, &self.1).unwrap().pem(), key.serialize_pem())
    }

    fn issue_into(&self, scratch: &Scratch, name: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = self.issue(name, (2020, 2090));
        (scratch.write("cert.pem", certificate), scratch.write("key.pem", key))
    }
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
