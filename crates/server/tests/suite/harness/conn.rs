//! A plain or encrypted connection, on which raw bytes and whole HTTP exchanges go back and forth.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection};

use super::http::{Answer, split};
use super::{DEADLINE, Sees, Server};

/// One connection.
pub struct Conn {
    tcp: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// Bytes that came behind the last answer.
    rest: Vec<u8>,
}

impl Conn {
    /// A plain connection to an address.
    pub fn to(address: SocketAddr) -> Self {
        Self::on(TcpStream::connect(address).unwrap())
    }

    /// A plain connection on a socket that is connected already.
    pub fn on(tcp: TcpStream) -> Self {
        tcp.set_nodelay(true).unwrap();
        tcp.set_read_timeout(Some(DEADLINE)).unwrap();
        Self { tcp, tls: None, rest: Vec::new() }
    }

    /// A plain connection to a server.
    pub fn open(server: &Server) -> Self {
        Self::to(server.address)
    }

    /// An encrypted connection to an address, past its handshake.
    pub fn encrypted(address: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        Self::try_encrypted(address, config).expect("the handshake succeeds")
    }

    /// An encrypted connection, or why there is none.
    pub fn try_encrypted(address: SocketAddr, config: &Arc<ClientConfig>) -> std::io::Result<Self> {
        let mut conn = Self::to(address);
        let name = "localhost".try_into().unwrap();
        let mut session = ClientConnection::new(config.clone(), name).unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut conn.tcp)?;
        }
        conn.tls = Some(Box::new(session));
        Ok(conn)
    }

    /// The socket.
    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// The TLS session.
    pub fn session(&self) -> &ClientConnection {
        self.tls.as_ref().unwrap()
    }

    /// Sends bytes. A connection that has ended shows when it is read.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.write_all(bytes.as_ref());
        let _ = self.flush();
    }

    /// Sends a request without a body that keeps the connection, and gives its answer.
    pub fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n");
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        self.send(head + "\r\n");
        self.checked(path, headers)
    }

    /// Sends a request with a JSON body, and gives its answer.
    pub fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut head =
            format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n");
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        self.send(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()));
        self.checked(path, headers)
    }

    /// The answer to a request with these credentials, which tells of nobody else.
    fn checked(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let answer = self.answer();
        Sees::of(path, headers).check(&answer.text());
        answer
    }

    /// The next whole answer.
    pub fn answer(&mut self) -> Answer {
        self.try_answer().unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(&self.rest)))
    }

    /// The next whole answer, unless the connection ends before it.
    pub fn try_answer(&mut self) -> Option<Answer> {
        loop {
            if let Some((answer, length)) = split(&self.rest) {
                self.rest.drain(..length);
                return Some(answer);
            }
            if self.take() == 0 {
                return None;
            }
        }
    }

    /// Everything until the other side ends the connection.
    pub fn until_end(&mut self) -> Vec<u8> {
        while self.take() > 0 {}
        std::mem::take(&mut self.rest)
    }

    /// Bytes that came behind the last answer.
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest)
    }

    fn take(&mut self) -> usize {
        let mut bytes = [0; 16_384];
        match self.read(&mut bytes) {
            Ok(n) => {
                self.rest.extend_from_slice(&bytes[..n]);
                n
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("nothing came within {DEADLINE:?}; so far: {}", String::from_utf8_lossy(&self.rest))
            }
            // A reset is an end as well.
            Err(_) => 0,
        }
    }
}

impl Read for Conn {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match &mut self.tls {
            None => self.tcp.read(into),
            Some(session) => rustls::Stream::new(session.as_mut(), &mut self.tcp).read(into),
        }
    }
}

impl Write for Conn {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match &mut self.tls {
            None => self.tcp.write(bytes),
            Some(session) => rustls::Stream::new(session.as_mut(), &mut self.tcp).write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match &mut self.tls {
            None => self.tcp.flush(),
            Some(session) => rustls::Stream::new(session.as_mut(), &mut self.tcp).flush(),
        }
    }
}
