//! Plain and TLS sockets behind one seam, and how they leave tokio.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::shard::{Socket, TlsSocket};

/// A stream that can be given to a shard.
pub trait Handover: AsyncRead + AsyncWrite + Unpin + Send + Sized + 'static {
    /// Takes the socket out of tokio.
    fn into_socket(self) -> io::Result<Socket>;
}

impl Handover for TcpStream {
    fn into_socket(self) -> io::Result<Socket> {
        Ok(Socket::Plain(mio::net::TcpStream::from_std(self.into_std()?)))
    }
}

impl Handover for TlsStream<TcpStream> {
    fn into_socket(self) -> io::Result<Socket> {
        let (stream, session) = self.into_inner();
        let stream = mio::net::TcpStream::from_std(stream.into_std()?);
        Ok(Socket::Tls(Box::new(TlsSocket::new(stream, session))))
    }
}

/// A stream whose first bytes were read already.
#[derive(Debug)]
pub struct Prefixed<S> {
    read: Vec<u8>,
    taken: usize,
    stream: S,
}

impl<S> Prefixed<S> {
    /// Puts bytes back in front of a stream.
    pub fn new(read: Vec<u8>, stream: S) -> Self {
        Self { read, taken: 0, stream }
    }

    /// What was not read again, and the stream.
    pub fn into_parts(self) -> (Vec<u8>, S) {
        (self.read[self.taken..].to_vec(), self.stream)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefixed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.taken < self.read.len() {
            let n = buf.remaining().min(self.read.len() - self.taken);
            buf.put_slice(&self.read[self.taken..self.taken + n]);
            self.taken += n;
            if self.taken == self.read.len() {
                (self.read, self.taken) = (Vec::new(), 0);
            }
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefixed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
