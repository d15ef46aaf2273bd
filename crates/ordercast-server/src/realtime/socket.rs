//! The socket of a WebSocket, in the clear or inside TLS.
//!
//! Invariant: nothing here waits or owns a task; the connection's task polls, anybody who holds the
//! peer's lock may write.

use crate::{socket, tls::TlsStream};
use socket2::SockRef;
use std::{
    io::{self, IoSlice},
    task::{Context, Poll},
};
use tokio::net::TcpStream;

#[derive(Debug)]
pub enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream>),
}

impl Socket {
    fn stream(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(tls) => tls.tcp(),
        }
    }

    /// What TLS has opened and nobody has read makes no socket readable.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tls(tls) if tls.holds_input() => Poll::Ready(Ok(())),
            Self::Plain(_) | Self::Tls(_) => self.stream().poll_read_ready(cx),
        }
    }

    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_write_ready(cx)
    }

    /// `Ok(0)`: the client has ended its side.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => socket::take(stream, buffer),
            Self::Tls(tls) => tls.try_read(buffer),
        }
    }

    pub fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.try_write_vectored(slices),
            Self::Tls(tls) => tls.try_write(slices),
        }
    }

    /// Bytes that were taken but not yet given to the kernel.
    pub fn holds_bytes(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.holds_output(),
        }
    }

    /// Gives held bytes to the kernel.
    pub fn flush(&self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(tls) => tls.flush(),
        }
    }

    /// No more will be written.
    pub fn finish(&self) {
        if let Self::Tls(tls) = self {
            // Who is told by the end of the socket alone knows no less.
            let _ = tls.say_goodbye();
        }
        let _ = SockRef::from(self.stream()).shutdown(std::net::Shutdown::Write);
    }
}
