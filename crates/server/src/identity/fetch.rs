//! One bounded GET of a key set, over http or https.

use std::fmt;
use std::pin::pin;

use bytes::Bytes;
use deskbell_core::limits;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::settings::BadSettings;
use crate::tls::client;

/// An address from which a key set is fetched, and whom to trust there.
#[derive(Clone)]
pub struct Endpoint {
    uri: Uri,
    host: String,
    port: u16,
    secure: Option<(TlsConnector, ServerName<'static>)>,
    extra_roots: Option<Vec<u8>>,
}

impl Endpoint {
    /// Reads an address. `extra_roots` is a PEM text with authorities to trust besides the system's.
    pub fn new(url: &str, extra_roots: Option<&[u8]>) -> Result<Self, BadSettings> {
        let wrong = || BadSettings::new("the address of the key set is no http or https URL with a host");
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        if authority.as_str().contains('@') {
            return Err(BadSettings::new(
                "the address of the key set carries a password; key sets are public",
            ));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let secure = match uri.scheme_str() {
            Some("http") => None,
            Some("https") => {
                let config = client::config(extra_roots).map_err(|error| BadSettings(error.0))?;
                let name = ServerName::try_from(host.clone()).map_err(|_| wrong())?;
                Some((TlsConnector::from(config), name))
            }
            _ => return Err(wrong()),
        };
        let port = authority.port_u16().unwrap_or(if secure.is_some() { 443 } else { 80 });
        Ok(Self { uri, host, port, secure, extra_roots: extra_roots.map(<[u8]>::to_vec) })
    }

    /// Host and port, for logs: a query may hold what does not belong there.
    pub fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Fetches the key set. The caller bounds the time.
    pub async fn fetch(&self) -> Result<Bytes, NotFetched> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| NotFetched(format!("no connection: {error}")))?;
        match &self.secure {
            None => self.get(tcp).await,
            Some((connector, name)) => {
                let tls = connector.connect(name.clone(), tcp).await;
                self.get(tls.map_err(|error| NotFetched(format!("no trusted connection: {error}")))?).await
            }
        }
    }

    async fn get(&self, stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<Bytes, NotFetched> {
        let broken = |error: hyper::Error| NotFetched(format!("the connection broke: {error}"));
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let mut answer = pin!(async {
            let response = sender.send_request(self.request()?).await.map_err(broken)?;
            if response.status() != StatusCode::OK {
                return Err(NotFetched(format!("the answer was {}, not 200", response.status())));
            }
            let body = Limited::new(response.into_body(), limits::KEY_SET).collect().await;
            body.map(http_body_util::Collected::to_bytes)
                .map_err(|error| NotFetched(format!("the body cannot be taken: {error}")))
        });
        // The connection moves only while it is awaited; it may end before its last bytes are taken.
        tokio::select! {
            answer = &mut answer => answer,
            ended = connection => {
                ended.map_err(broken)?;
                answer.await
            }
        }
    }

    fn request(&self) -> Result<Request<Empty<Bytes>>, NotFetched> {
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        Request::get(path)
            .header(header::HOST, authority)
            .header(header::ACCEPT, "application/jwk-set+json, application/json")
            .header(header::USER_AGENT, concat!("deskbell/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "close")
            .body(Empty::new())
            .map_err(|error| NotFetched(error.to_string()))
    }
}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        self.uri == other.uri && self.extra_roots == other.extra_roots
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.name())
    }
}

/// Why a key set did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFetched(pub String);

impl fmt::Display for NotFetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotFetched {}
