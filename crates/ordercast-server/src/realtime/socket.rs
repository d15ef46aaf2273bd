//! The socket of a WebSocket, in the clear or inside TLS.
//!
//! Invariant: nothing here waits or owns a task; the connection's task polls, anybody who holds the
//! peer's lock may write.

use parking_lot::Mutex;
use std::{
    io::{self, IoSlice, Read, Write},
    task::{Context, Poll},
};
use tokio::net::TcpStream;
use tokio_rustls::rustls::ServerConnection;

#[derive(Debug)]
pub enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsSocket>),
}

/// rustls fed by hand: no buffers but its own, and the same two calls as a bare socket.
#[derive(Debug)]
pub struct TlsSocket {
    stream: TcpStream,
    state: Mutex<ServerConnection>,
}

/// What rustls may hold of frames that the kernel does not take, sealed: beyond the bound on what is
/// outstanding, so it must be small beside it. One record's worth.
const SEALED_BYTES_MAX: usize = 16 * 1024;

impl TlsSocket {
    pub fn new(stream: TcpStream, mut state: ServerConnection) -> Self {
        state.set_buffer_limit(Some(SEALED_BYTES_MAX));
        Self {
            stream,
            state: Mutex::new(state),
        }
    }
}

impl Socket {
    fn stream(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(tls) => &tls.stream,
        }
    }

    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_read_ready(cx)
    }

    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_write_ready(cx)
    }

    /// `Ok(0)`: the client has ended its side.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.try_read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }

    pub fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.try_write_vectored(slices),
            Self::Tls(tls) => tls.write(slices),
        }
    }

    /// Bytes that were taken but not yet given to the kernel.
    pub fn holds_bytes(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.state.lock().wants_write(),
        }
    }

    /// Gives held bytes to the kernel.
    pub fn flush(&self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(tls) => flush(&mut tls.state.lock(), &tls.stream),
        }
    }

    /// What was decrypted while the handshake read too far makes no socket readable.
    pub fn holds_input(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => {
                let state = tls.state.lock().process_new_packets();
                state.is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
            }
        }
    }

    /// No more will be written.
    pub fn finish(&self) {
        if let Self::Tls(tls) = self {
            let mut state = tls.state.lock();
            state.send_close_notify();
            let _ = flush(&mut state, &tls.stream);
        }
        let _ = socket2::SockRef::from(self.stream()).shutdown(std::net::Shutdown::Write);
    }
}

impl TlsSocket {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.lock();
        loop {
            match state.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            if state.read_tls(&mut NonBlocking(&self.stream))? == 0 {
                return Ok(0);
            }
            let processed = state.process_new_packets();
            // An answer of TLS itself, alerts included.
            match flush(&mut state, &self.stream) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                Ok(()) | Err(_) => {}
            }
            processed.map_err(io::Error::other)?;
        }
    }

    /// What it takes is sealed at once, and goes out before anything else.
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.state.lock();
        flush(&mut state, &self.stream)?;
        let taken = state.writer().write_vectored(slices)?;
        match flush(&mut state, &self.stream) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            Ok(()) | Err(_) => Ok(taken),
        }
    }
}

fn flush(state: &mut ServerConnection, stream: &TcpStream) -> io::Result<()> {
    while state.wants_write() {
        if state.write_tls(&mut NonBlocking(stream))? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    Ok(())
}

/// A socket as rustls wants it.
struct NonBlocking<'a>(&'a TcpStream);

impl Read for NonBlocking<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for NonBlocking<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
