//! Where a client's frames go: a TCP socket, a TLS socket, a response body, one response after the other, or a
//! poll's answer.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

use bytes::Bytes;
use mio::net::TcpStream;
use rustls::ServerConnection;
use tokio::sync::oneshot;

use super::body::{Pipe, Piped};
use super::pusher::Receiving;
use super::socketio::Outlet;

/// A socket as the front door hands it over.
#[derive(Debug)]
pub enum Socket {
    /// A plain one.
    Plain(TcpStream),
    /// One with a TLS session on it.
    Tls(Box<TlsSocket>),
}

/// A TCP socket and the TLS session on it.
#[derive(Debug)]
pub struct TlsSocket {
    /// The socket.
    pub stream: TcpStream,
    /// The session, past its handshake.
    pub session: ServerConnection,
}

/// The sink of one client.
#[derive(Debug, Default)]
pub enum Sink {
    /// Nobody is connected.
    #[default]
    None,
    /// A plain socket.
    Tcp(TcpStream),
    /// A TLS socket.
    Tls(Box<TlsSocket>),
    /// The body of a response.
    Body(Arc<Pipe>),
    /// A poll, which is answered once.
    Poll(Box<PollAnswer>),
    /// The bodies of responses, one after the other.
    Xhr(Box<Receiving>),
    /// The requests of a client that polls again and again.
    Packets(Box<Outlet>),
}

/// The answer of a poll as it grows during one turn.
#[derive(Debug)]
pub struct PollAnswer {
    /// Where it goes.
    pub to: Option<oneshot::Sender<Vec<u8>>>,
    /// Event frames, each with a comma before it.
    pub events: Vec<u8>,
    /// Reset frames, the same way.
    pub resets: Vec<u8>,
    /// It does not wait for anything to come.
    pub at_once: bool,
}

/// What a sink did with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrote {
    /// It took all of them.
    All,
    /// It took so many, and will say when it has room.
    Part(usize),
    /// The client is gone.
    Gone,
}

/// Bytes that may be encrypted ahead of the socket: one record.
const TLS_RECORD: usize = 16 * 1024;

impl Sink {
    /// Writes without waiting.
    pub fn write(&mut self, bytes: &Bytes) -> Wrote {
        match self {
            Self::Tcp(stream) => write_tcp(stream, bytes),
            Self::Tls(tls) => tls.write(bytes),
            Self::Body(pipe) => match pipe.push(bytes.clone()) {
                Piped::Taken => Wrote::All,
                Piped::Full => Wrote::Part(0),
                Piped::Gone => Wrote::Gone,
            },
            Self::Poll(answer) => {
                answer.events.extend_from_slice(bytes);
                Wrote::All
            }
            Self::Xhr(receiving) => receiving.write(bytes),
            Self::Packets(outlet) => outlet.write(bytes),
            Self::None => Wrote::Gone,
        }
    }

    /// Reads without waiting; `Ok(0)` is the end.
    pub fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(into),
            Self::Tls(tls) => tls.read(into),
            Self::None | Self::Body(_) | Self::Poll(_) | Self::Xhr(_) | Self::Packets(_) => {
                Err(ErrorKind::WouldBlock.into())
            }
        }
    }

    /// Ends our direction of the connection; false where there is no other direction to wait for.
    pub fn end(&mut self) -> bool {
        if let Self::Tls(tls) = self {
            tls.session.send_close_notify();
            // Whether it goes out or not, the end of the stream says the same.
            let _ = tls.flush();
        }
        self.source().is_some_and(|stream| stream.shutdown(Shutdown::Write).is_ok())
    }

    /// Ciphertext is left from an earlier write.
    pub fn has_ciphertext(&self) -> bool {
        matches!(self, Self::Tls(tls) if tls.session.wants_write())
    }

    /// The socket to watch, where there is one.
    pub fn source(&mut self) -> Option<&mut TcpStream> {
        match self {
            Self::Tcp(stream) => Some(stream),
            Self::Tls(tls) => Some(&mut tls.stream),
            Self::None | Self::Body(_) | Self::Poll(_) | Self::Xhr(_) | Self::Packets(_) => None,
        }
    }
}

fn write_tcp(stream: &mut TcpStream, bytes: &[u8]) -> Wrote {
    loop {
        match stream.write(bytes) {
            Ok(n) if n == bytes.len() => return Wrote::All,
            // A short write means a full buffer: the next event of the socket says when it is not.
            Ok(n) => return Wrote::Part(n),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Wrote::Part(0),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Wrote::Gone,
        }
    }
}

impl TlsSocket {
    /// A session takes over its socket.
    pub fn new(stream: TcpStream, mut session: ServerConnection) -> Self {
        session.set_buffer_limit(Some(TLS_RECORD));
        Self { stream, session }
    }

    fn write(&mut self, bytes: &[u8]) -> Wrote {
        let mut taken = 0;
        loop {
            match self.flush() {
                Ok(true) => {}
                Ok(false) => return if taken == bytes.len() { Wrote::All } else { Wrote::Part(taken) },
                Err(_) => return Wrote::Gone,
            }
            if taken == bytes.len() {
                return Wrote::All;
            }
            let next = &bytes[taken..bytes.len().min(taken + TLS_RECORD)];
            match self.session.writer().write(next) {
                Ok(n) => taken += n,
                Err(_) => return Wrote::Gone,
            }
        }
    }

    /// Sends ciphertext; true when none is left.
    fn flush(&mut self) -> io::Result<bool> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.stream) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // An end without a close_notify is an end all the same for a message protocol.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                other => return other,
            }
            if self.session.read_tls(&mut self.stream)? == 0 {
                return Ok(0);
            }
            if let Err(error) = self.session.process_new_packets() {
                // The alert says to the peer what was wrong; that it may not arrive is its loss.
                let _ = self.flush();
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
            self.flush()?;
        }
    }
}
