//! One bounded request to somebody else's server, over http or https: key sets, webhooks, calendars.
//!
//! Redirects are not followed: where a request goes stands in the configuration and nowhere else. The caller
//! bounds the time.

use std::fmt;
use std::pin::pin;

use bytes::Bytes;
use http::{Request, Uri, header, request, response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::tls::client;

/// Where requests go, and whom to trust there.
#[derive(Clone)]
pub struct Address {
    uri: Uri,
    host: String,
    port: u16,
    secure: Option<(TlsConnector, ServerName<'static>)>,
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadAddress {
    /// It has another scheme, or no host.
    NoUrl,
    /// It carries a password.
    Password,
    /// Nobody can be trusted there.
    NoTls(String),
}

impl BadAddress {
    /// What is wrong with it, behind what it is the address of.
    pub fn sentence(self) -> String {
        match self {
            Self::NoUrl => "has no http or https address with a host; write one".to_owned(),
            Self::Password => {
                "has an address with a password, which would stand in logs; take it out".to_owned()
            }
            Self::NoTls(why) => format!("cannot use https: {why}"),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// Nobody listens there, or the name has no address.
    NoConnection(String),
    /// The certificate is not trusted.
    NoTrust(String),
    /// The connection broke off.
    BrokeOff(String),
    /// The body is longer than it may be, or came only in part.
    Body(String),
}

impl Address {
    /// Reads an address. `extra_roots` is a PEM text with authorities to trust besides the system's.
    pub fn new(url: &str, extra_roots: Option<&[u8]>) -> Result<Self, BadAddress> {
        let uri: Uri = url.parse().map_err(|_| BadAddress::NoUrl)?;
        let authority = uri.authority().ok_or(BadAddress::NoUrl)?;
        if authority.as_str().contains('@') {
            return Err(BadAddress::Password);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let secure = match uri.scheme_str() {
            Some("http") => None,
            Some("https") => {
                let config = client::config(extra_roots).map_err(|error| BadAddress::NoTls(error.0))?;
                let name = ServerName::try_from(host.clone()).map_err(|_| BadAddress::NoUrl)?;
                Some((TlsConnector::from(config), name))
            }
            _ => return Err(BadAddress::NoUrl),
        };
        let port = authority.port_u16().unwrap_or(if secure.is_some() { 443 } else { 80 });
        Ok(Self { uri, host, port, secure })
    }

    /// The address as it was written.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Host and port, for logs: a path or a query may hold what does not belong there.
    pub fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Begins a request for this address.
    pub fn request(&self, method: http::Method) -> request::Builder {
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, authority)
            .header(header::USER_AGENT, concat!("deskbell/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "close")
    }

    /// Sends a request and gives the head of the answer. Its body is not read, however long or slow it is.
    pub async fn head(&self, request: Request<Full<Bytes>>) -> Result<response::Parts, Broken> {
        self.exchange(request, Want::Head).await.map(|(head, _)| head)
    }

    /// Sends a request and gives the answer with its body, of at most so many bytes.
    pub async fn whole(
        &self,
        request: Request<Full<Bytes>>,
        most: usize,
    ) -> Result<(response::Parts, Bytes), Broken> {
        self.exchange(request, Want::Body(most)).await
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        want: Want,
    ) -> Result<(response::Parts, Bytes), Broken> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| Broken::NoConnection(error.to_string()))?;
        match &self.secure {
            None => speak(tcp, request, want).await,
            Some((connector, name)) => {
                let tls = connector.connect(name.clone(), tcp).await;
                speak(tls.map_err(|error| Broken::NoTrust(error.to_string()))?, request, want).await
            }
        }
    }
}

/// How much of an answer is wanted.
#[derive(Clone, Copy)]
enum Want {
    Head,
    Body(usize),
}

fn broken(error: hyper::Error) -> Broken {
    Broken::BrokeOff(error.to_string())
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
    want: Want,
) -> Result<(response::Parts, Bytes), Broken> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let mut answer = pin!(take(&mut sender, request, want));
    // The connection moves only while it is awaited; it may end before its last bytes are taken.
    tokio::select! {
        answer = &mut answer => answer,
        ended = connection => {
            ended.map_err(broken)?;
            answer.await
        }
    }
}

async fn take(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
    want: Want,
) -> Result<(response::Parts, Bytes), Broken> {
    let response: http::Response<Incoming> = sender.send_request(request).await.map_err(broken)?;
    let (head, body) = response.into_parts();
    let Want::Body(most) = want else { return Ok((head, Bytes::new())) };
    let body = Limited::new(body, most).collect().await;
    let body = body.map_err(|error| Broken::Body(error.to_string()))?;
    Ok((head, body.to_bytes()))
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.name())
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConnection(why) => write!(f, "no connection: {why}"),
            Self::NoTrust(why) => write!(f, "no trusted connection: {why}"),
            Self::BrokeOff(why) => write!(f, "the connection broke: {why}"),
            Self::Body(why) => write!(f, "the body cannot be taken: {why}"),
        }
    }
}

impl std::error::Error for Broken {}
