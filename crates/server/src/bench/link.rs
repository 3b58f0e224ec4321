//! One socket to the server under test, plain or with TLS.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::client::Resumption;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;
use socket2::{Domain, Protocol, Socket, Type};

use super::options::Options;
use super::unchecked;

/// Opens links.
pub struct Dialer {
    address: SocketAddr,
    sources: u8,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// A socket that never blocks.
pub enum Link {
    /// The bare socket.
    Plain(TcpStream),
    /// Boxed, because it is a hundred times as large.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Dialer {
    /// Gets ready to dial what the options name.
    pub fn new(options: &Options) -> io::Result<Self> {
        let tls = if options.tls {
            let name = ServerName::try_from(options.target.host().to_owned()).map_err(io::Error::other)?;
            let mut config = unchecked::client_config().map_err(io::Error::other)?;
            // A resumed handshake is much cheaper for the server than those of its real, different visitors.
            config.resumption = Resumption::disabled();
            Some((Arc::new(config), name))
        } else {
            None
        };
        Ok(Self { address: options.target.address()?, sources: options.source_addresses, tls })
    }

    /// Starts connecting; the link reports under `token`.
    pub fn dial(&self, number: usize, token: Token, registry: &Registry) -> io::Result<Link> {
        let socket = Socket::new(Domain::for_address(self.address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if self.sources > 0 {
            let last = 2 + (number % usize::from(self.sources)) as u8;
            let source = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        match socket.connect(&self.address.into()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            Err(error) => return Err(error),
        }
        let mut stream = TcpStream::from_std(socket.into());
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(match &self.tls {
            None => Link::Plain(stream),
            Some((config, name)) => {
                let session =
                    ClientConnection::new(config.clone(), name.clone()).map_err(io::Error::other)?;
                Link::Tls(Box::new(StreamOwned::new(session, stream)))
            }
        })
    }
}

impl Link {
    /// The error of a failed connect, if it failed.
    pub fn failure(&self) -> Option<io::Error> {
        let stream = match self {
            Self::Plain(stream) => stream,
            Self::Tls(session) => &session.sock,
        };
        stream.take_error().unwrap_or_else(Some)
    }

    /// Whether a read that gave `got` of `room` bytes has emptied the socket. Then the next bytes make a new
    /// report, and the read that would find nothing is saved.
    pub fn emptied(&self, got: usize, room: usize) -> bool {
        matches!(self, Self::Plain(_)) && got < room
    }

    /// Writes what fits and removes it from `bytes`.
    pub fn flush_from(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let mut written = 0;
        let result = loop {
            if written == bytes.len() {
                break self.flush();
            }
            match self.write(&bytes[written..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        bytes.drain(..written);
        match result {
            Err(error) if waits(&error) => Ok(()),
            other => other,
        }
    }
}

/// Whether an operation will go on by itself later. A socket that is still connecting says `NotConnected`.
pub fn waits(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected)
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(session) => session.read(buffer),
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(session) => session.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(session) => session.flush(),
        }
    }
}
