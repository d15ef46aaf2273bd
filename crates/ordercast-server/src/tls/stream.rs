//! TLS over a socket, by rustls' unbuffered interface: an idle connection owns no buffer, where rustls'
//! own one keeps 4 KB for each.
//!
//! Invariant: records go out in the order in which they were sealed, and what was opened is read in the
//! order in which it came. Nothing here waits but [`TlsStream::accept`] and the traits of tokio;
//! whoever has a reference reads and writes as on a bare socket.

use crate::socket;
use parking_lot::Mutex;
use std::{
    cell::RefCell,
    fmt,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::rustls::{
    ServerConfig,
    server::{ServerConnectionData, UnbufferedServerConnection},
    unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus, WriteTraffic},
};

/// Of one read of the socket.
const SCRATCH_BYTES: usize = 16 * 1024;
/// Taken of one write: what one record holds.
const WRITE_MAX: usize = 16 * 1024;
/// What the header and the tag of one record take, with room to spare.
const RECORD_OVERHEAD: usize = 64;
/// A handshake message has at most 64 KiB, and a record that is not complete less than 17.
const INCOMPLETE_MAX: usize = 96 * 1024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH_BYTES]);
}

pub(crate) struct TlsStream {
    tcp: TcpStream,
    state: Mutex<State>,
}

struct State {
    connection: UnbufferedServerConnection,
    /// Received, not a whole record yet.
    incoming: Vec<u8>,
    /// Sealed, not taken by the kernel yet.
    outgoing: Vec<u8>,
    /// Opened, not read yet.
    opened: Vec<u8>,
    /// The client will send no more.
    is_ended: bool,
    said_goodbye: bool,
}

/// What to seal once TLS itself has nothing to say.
#[derive(Clone, Copy)]
enum Say<'a> {
    Nothing,
    Data(&'a [u8]),
    Goodbye,
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("tcp", &self.tcp)
            .finish_non_exhaustive()
    }
}

impl TlsStream {
    /// The server's side of a handshake.
    ///
    /// # Errors
    /// Of the socket, or of a client that does not speak TLS as the configuration asks for.
    pub async fn accept(config: Arc<ServerConfig>, tcp: TcpStream) -> io::Result<Self> {
        let connection = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
        let state = State {
            connection,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            opened: Vec::new(),
            is_ended: false,
            said_goodbye: false,
        };
        let state = Mutex::new(state);
        let stream = Self { tcp, state };
        poll_fn(|cx| stream.poll_handshake(cx)).await?;
        Ok(stream)
    }

    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// `Ok(0)`: the client has ended its side.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.lock();
        loop {
            if !state.opened.is_empty() {
                let count = state.opened.len().min(buffer.len());
                buffer[..count].copy_from_slice(&state.opened[..count]);
                take_off(&mut state.opened, count);
                return Ok(count);
            }
            if state.is_ended {
                return Ok(0);
            }
            if state.receive(&self.tcp)? == 0 {
                state.is_ended = true;
            }
        }
    }

    /// What it takes is sealed at once, and goes out before anything else.
    pub fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.state.lock();
        state.flush(&self.tcp)?;
        let mut taken = Vec::new();
        for slice in slices {
            let room = WRITE_MAX - taken.len();
            taken.extend_from_slice(&slice[..slice.len().min(room)]);
        }
        state.advance(Say::Data(&taken))?;
        match state.flush(&self.tcp) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            Ok(()) | Err(_) => Ok(taken.len()),
        }
    }

    /// Gives sealed records to the kernel.
    pub fn flush(&self) -> io::Result<()> {
        self.state.lock().flush(&self.tcp)
    }

    /// Sealed, and not given to the kernel yet.
    pub fn holds_output(&self) -> bool {
        !self.state.lock().outgoing.is_empty()
    }

    /// Opened and not read yet.
    pub fn holds_input(&self) -> bool {
        !self.state.lock().opened.is_empty()
    }

    /// Tells the client that no more will come.
    pub fn say_goodbye(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        if !state.said_goodbye {
            state.said_goodbye = true;
            state.advance(Say::Goodbye)?;
        }
        state.flush(&self.tcp)
    }

    fn poll_handshake(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_sent(cx))?;
            let mut state = self.state.lock();
            if !state.connection.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            match state.receive(&self.tcp) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.tcp.poll_read_ready(cx))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_sent(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.flush() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.tcp.poll_write_ready(cx))?;
                }
                done => return Poll::Ready(done),
            }
        }
    }
}

impl State {
    /// Reads the socket once and opens what is whole; `Ok(0)`: it has ended.
    fn receive(&mut self, tcp: &TcpStream) -> io::Result<usize> {
        let received = SCRATCH.with_borrow_mut(|scratch| {
            let count = socket::take(tcp, scratch)?;
            self.incoming.extend_from_slice(&scratch[..count]);
            io::Result::Ok(count)
        })?;
        if self.incoming.len() > INCOMPLETE_MAX {
            return Err(io::Error::other("a TLS message that does not end"));
        }
        let advanced = self.advance(Say::Nothing);
        // An answer of TLS itself: an alert says why the connection ends.
        match self.flush(tcp) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Ok(()) | Err(_) => advanced?,
        }
        Ok(received)
    }

    /// Lets TLS act on what has come, then seals what there is to say.
    fn advance(&mut self, say: Say<'_>) -> io::Result<()> {
        let mut failed = None;
        loop {
            let UnbufferedStatus { discard, state } =
                self.connection.process_tls_records(&mut self.incoming);
            let mut used = discard;
            let mut is_done = false;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(io::Error::other)?;
                        self.opened.extend_from_slice(record.payload);
                        used += record.discard;
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut message)) => {
                    seal(&mut self.outgoing, RECORD_OVERHEAD, |room| {
                        message.encode(room).map_err(|error| match error {
                            EncodeError::InsufficientSize(size) => Some(size.required_size),
                            EncodeError::AlreadyEncoded => None,
                        })
                    })?;
                }
                // What is in `outgoing` goes out before anything that comes behind it.
                Ok(ConnectionState::TransmitTlsData(sent)) => sent.done(),
                Ok(ConnectionState::PeerClosed) => self.is_ended = true,
                Ok(ConnectionState::WriteTraffic(traffic)) => {
                    say_it(&mut self.outgoing, traffic, say)?;
                    is_done = true;
                }
                Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => match say {
                    Say::Nothing | Say::Goodbye => is_done = true,
                    Say::Data(_) => return Err(io::ErrorKind::BrokenPipe.into()),
                },
                Ok(_) => return Err(io::Error::other("early data, which was not offered")),
                // Once more, for the alert that tells the client.
                Err(error) if failed.is_none() => failed = Some(error),
                Err(_) => is_done = true,
            }
            take_off(&mut self.incoming, used);
            if is_done {
                return failed.map_or(Ok(()), |error| Err(io::Error::other(error)));
            }
        }
    }

    fn flush(&mut self, tcp: &TcpStream) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match tcp.try_write(&self.outgoing)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => take_off(&mut self.outgoing, count),
            }
        }
        Ok(())
    }
}

fn say_it(
    outgoing: &mut Vec<u8>,
    mut traffic: WriteTraffic<'_, ServerConnectionData>,
    say: Say<'_>,
) -> io::Result<()> {
    let why = |error| match error {
        EncryptError::InsufficientSize(size) => Some(size.required_size),
        EncryptError::EncryptExhausted => None,
    };
    match say {
        Say::Nothing => Ok(()),
        Say::Data(data) => seal(outgoing, data.len() + RECORD_OVERHEAD, |room| {
            traffic.encrypt(data, room).map_err(why)
        }),
        Say::Goodbye => seal(outgoing, RECORD_OVERHEAD, |room| {
            traffic.queue_close_notify(room).map_err(why)
        }),
    }
}

/// Appends what `write` writes into `room` bytes, or into as many as it says that it needs.
fn seal(
    outgoing: &mut Vec<u8>,
    room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) -> io::Result<()> {
    let start = outgoing.len();
    let mut room = room;
    loop {
        outgoing.resize(start + room, 0);
        match write(&mut outgoing[start..]) {
            Ok(written) => {
                outgoing.truncate(start + written);
                return Ok(());
            }
            Err(Some(required)) if required > room => room = required,
            Err(_) => {
                outgoing.truncate(start);
                return Err(io::Error::other("the TLS session can seal no more"));
            }
        }
    }
}

/// From the front. An empty buffer gives its memory back.
fn take_off(buffer: &mut Vec<u8>, count: usize) {
    if count == buffer.len() {
        *buffer = Vec::new();
    } else {
        buffer.drain(..count);
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match self.try_read(buffer.initialize_unfilled()) {
                Ok(count) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.tcp.poll_read_ready(cx))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.try_write(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.tcp.poll_write_ready(cx))?;
                }
                done => return Poll::Ready(done),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_sent(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.say_goodbye() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                return Poll::Ready(Err(error));
            }
            Ok(()) | Err(_) => ready!(self.poll_sent(cx))?,
        }
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
