//! A blocking connection to a server, plain or over TLS, that never waits for ever.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};

use super::CliError;

/// How long a connection may take to open.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How long one write may take.
const WRITE_TIME: Duration = Duration::from_secs(10);

/// Where the certificates of the public authorities are kept, by system.
const AUTHORITY_FILES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/etc/ssl/cert.pem",
];

/// The address of a server, and the path its own paths stand below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Host name or address; an IPv6 address without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Empty, or a path that begins with `/` and does not end with it.
    pub path: String,
}

impl Url {
    /// Reads `http://host:port/path`; `https`, `ws` and `wss` are understood too.
    pub fn parse(text: &str) -> Result<Url, CliError> {
        let wrong = |why: &str| CliError::Usage(format!("--url {text}: {why}; write http://127.0.0.1:8080"));
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("has no scheme"))?;
        let tls = match scheme {
            "http" | "ws" => false,
            "https" | "wss" => true,
            _ => return Err(wrong("has a scheme that is not known")),
        };
        if !text.chars().all(|c| c.is_ascii_graphic()) || rest.contains(['?', '#', '@']) {
            return Err(wrong("must be scheme, host, port and path alone"));
        }
        let (authority, path) = match rest.find('/') {
            Some(at) => (&rest[..at], rest[at..].trim_end_matches('/')),
            None => (rest, ""),
        };
        let usual = if tls { 443 } else { 80 };
        let (host, port) = match authority.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            Some((host, port)) => (host, port),
            None => authority.find(':').map_or((authority, ""), |at| authority.split_at(at)),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| wrong("has a wrong port"))?,
            None => usual,
        };
        if host.is_empty() {
            return Err(wrong("has no host"));
        }
        Ok(Url { tls, host: host.to_owned(), port, path: path.to_owned() })
    }

    /// Host and port as they stand in a `Host` header.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.tls { 443 } else { 80 } { host } else { format!("{host}:{}", self.port) }
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

/// An open connection.
pub enum Stream {
    /// Plain.
    Plain(TcpStream),
    /// Over TLS.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.read(into),
            // A peer that ends the connection without ending TLS is as gone as one that does.
            Stream::Tls(stream) => match stream.read(into) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                result => result,
            },
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => stream.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}

/// Opens a connection; each later read waits at most `read_time`.
pub fn connect(url: &Url, read_time: Duration) -> Result<Stream, CliError> {
    let failed = |error: &dyn std::fmt::Display| CliError::Failed(format!("cannot reach {url}: {error}"));
    let addresses = (url.host.as_str(), url.port).to_socket_addrs().map_err(|error| failed(&error))?;
    let mut last = CliError::Failed(format!("cannot reach {url}: the name has no address"));
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_TIME) {
            Ok(stream) => {
                let bounded = stream
                    .set_read_timeout(Some(read_time))
                    .and_then(|()| stream.set_write_timeout(Some(WRITE_TIME)))
                    .and_then(|()| stream.set_nodelay(true));
                bounded.map_err(|error| failed(&error))?;
                return if url.tls {
                    over_tls(url, stream, authorities()?)
                } else {
                    Ok(Stream::Plain(stream))
                };
            }
            Err(error) => last = failed(&error),
        }
    }
    Err(last)
}

fn over_tls(url: &Url, mut stream: TcpStream, authorities: RootCertStore) -> Result<Stream, CliError> {
    let failed = |error: &dyn std::fmt::Display| CliError::Failed(format!("no TLS with {url}: {error}"));
    let name = ServerName::try_from(url.host.clone()).map_err(|error| failed(&error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    let mut session = ClientConnection::new(Arc::new(config), name).map_err(|error| failed(&error))?;
    // The handshake is done here, so that a wrong certificate is told apart from a server that does not answer.
    while session.is_handshaking() {
        session.complete_io(&mut stream).map_err(|error| failed(&error))?;
    }
    Ok(Stream::Tls(Box::new(StreamOwned::new(session, stream))))
}

/// The authorities this machine trusts: the file that `SSL_CERT_FILE` names, or the system's.
fn authorities() -> Result<RootCertStore, CliError> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let missing = "no file with trusted authorities; install ca-certificates, or name one in SSL_CERT_FILE";
    let file = named.or_else(|| AUTHORITY_FILES.iter().map(PathBuf::from).find(|path| path.is_file()));
    let file = file.ok_or_else(|| CliError::Failed(missing.to_owned()))?;
    in_file(&file)
}

/// The certificates of a PEM file, as authorities.
fn in_file(file: &Path) -> Result<RootCertStore, CliError> {
    let wrong = |error: &dyn std::fmt::Display| CliError::Failed(format!("{}: {error}", file.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))? {
        // Bundles hold some that are too old to be understood; the others count.
        let _ = roots.add(certificate.map_err(|error| wrong(&error))?);
    }
    if roots.is_empty() {
        return Err(wrong(&"holds no certificate that can be used"));
    }
    Ok(roots)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]
mod tests {
    use super::*;
    use crate::cli::tests::certificates;

    #[test]
    fn an_address_is_read_and_shown() {
        let cases = [
            ("http://127.0.0.1:8080", (false, "127.0.0.1", 8080, ""), "http://127.0.0.1:8080"),
            ("https://bell.example.org/", (true, "bell.example.org", 443, ""), "https://bell.example.org"),
            (
                "wss://bell.example.org/a/b/",
                (true, "bell.example.org", 443, "/a/b"),
                "https://bell.example.org/a/b",
            ),
            ("ws://[::1]:81/x", (false, "::1", 81, "/x"), "http://[::1]:81/x"),
            ("http://localhost", (false, "localhost", 80, ""), "http://localhost"),
        ];
        for (text, (tls, host, port, path), shown) in cases {
            let url = Url::parse(text).unwrap();
            let parts = (url.tls, url.host.as_str(), url.port, url.path.as_str());
            assert_eq!((parts, url.to_string().as_str()), ((tls, host, port, path), shown));
        }
        for wrong in [
            "",
            "localhost:80",
            "ftp://a",
            "http://",
            "http://a:b",
            "http://a:99999",
            "http://a?x",
            "http://u@a",
            "http://a b",
        ] {
            assert!(matches!(Url::parse(wrong), Err(CliError::Usage(_))), "{wrong}");
        }
    }

    /// One end of a pair of sockets speaks TLS as a server would, says "hello" and is gone.
    fn tls_server() -> TcpStream {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        std::thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            let session = rustls::ServerConnection::new(certificates::server()).unwrap();
            // A client that does not trust us hangs up, which is not this end's concern.
            let _ = StreamOwned::new(session, socket).write_all(b"hello");
        });
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    #[test]
    fn tls_is_spoken_with_a_server_whose_certificate_is_trusted() {
        let url = Url::parse("https://localhost").unwrap();
        let mut stream =
            over_tls(&url, tls_server(), in_file(&certificates::path("localhost.pem")).unwrap()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
    }

    #[test]
    fn a_server_with_an_unknown_certificate_or_another_name_is_refused() {
        let trusted = || in_file(&certificates::path("localhost.pem")).unwrap();
        let other = in_file(&certificates::path("other.pem")).unwrap();
        for (name, authorities) in [("https://localhost", other), ("https://elsewhere.example", trusted())] {
            let refused = over_tls(&Url::parse(name).unwrap(), tls_server(), authorities);
            let Err(CliError::Failed(sentence)) = refused else { panic!("{name} was trusted") };
            assert!(sentence.starts_with(&format!("no TLS with {name}: ")), "{sentence}");
        }
        assert!(in_file(&certificates::path("localhost.key")).is_err(), "a key is no authority");
    }
}
