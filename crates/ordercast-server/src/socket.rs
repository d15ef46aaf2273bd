//! Reading a TCP socket by whoever has a reference to it.

use socket2::SockRef;
use std::io::{self, Read};
use tokio::{io::Interest, net::TcpStream};

/// Reads what is there. A short read has emptied the socket, so it is not asked again before the kernel
/// tells of more: that spares every message a call that brings nothing. tokio's `AsyncRead` does the
/// same, its `try_read` does not.
pub(crate) fn take(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut taken = 0;
    let read = stream.try_io(Interest::READABLE, || {
        taken = (&*SockRef::from(stream)).read(buffer)?;
        if (1..buffer.len()).contains(&taken) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(())
    });
    match read {
        Err(error) if taken == 0 => Err(error),
        Ok(()) | Err(_) => Ok(taken),
    }
}
