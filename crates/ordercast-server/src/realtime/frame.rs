//! WebSocket frames (RFC 6455): out of received bytes, into ready-made ones.
//!
//! Invariant: no byte of a message is buffered beyond its bound, and a client that breaks the framing
//! is closed with the code that RFC 6455 section 7.4.1 has for it.

use bytes::{Buf, Bytes};
use centrifuge_protocol::Encoding;
use std::io::Cursor;
use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};

/// What one message may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Of a message, and so of a frame.
    pub bytes: usize,
    pub fragments: u32,
}

/// Guarantees, 3.1.
pub const BOUNDS: Bounds = Bounds {
    bytes: 64 * 1024,
    fragments: 64,
};
/// Of a client that has shown no credential yet. Enough for a connect with the longest token and 16
/// positions.
pub const BOUNDS_BEFORE_CONNECT: Bounds = Bounds {
    bytes: 16 * 1024,
    fragments: 64,
};
/// What may stand before the payload of a client's frame.
const HEADER_BYTES_MAX: usize = 14;
const CONTROL_BYTES_MAX: u64 = 125;

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close,
}

/// A broken rule: the close code and what was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    pub code: u16,
    pub reason: &'static str,
}

const fn protocol(reason: &'static str) -> Violation {
    Violation { code: 1002, reason }
}

const TOO_BIG: Violation = Violation {
    code: 1009,
    reason: "message too big",
};

/// Takes frames off received bytes; owns memory only while a frame or a message is incomplete.
#[derive(Debug, Default)]
pub struct Reader {
    partial: Vec<u8>,
    /// A fragmented message so far.
    message: Option<Box<Fragments>>,
}

#[derive(Debug)]
struct Fragments {
    is_text: bool,
    bytes: Vec<u8>,
    count: u32,
}

impl Reader {
    /// # Errors
    /// [`Violation`]: the connection must be closed with it.
    pub fn push(
        &mut self,
        bounds: Bounds,
        received: &[u8],
        out: &mut Vec<Received>,
    ) -> Result<(), Violation> {
        if self.partial.is_empty() {
            let used = self.take_frames(bounds, received, out)?;
            self.keep(bounds, Vec::new(), &received[used..]);
        } else {
            let partial = std::mem::take(&mut self.partial);
            self.keep(bounds, partial, received);
            let mut all = std::mem::take(&mut self.partial);
            let used = self.take_frames(bounds, &all, out)?;
            if used == 0 {
                self.partial = all;
            } else {
                all.drain(..used);
                self.keep(bounds, Vec::new(), &all);
            }
        }
        Ok(())
    }

    /// Keeps an incomplete frame, without the half that a vector reserves on its own: no more than twice
    /// what has come, and no more than the longest frame.
    fn keep(&mut self, bounds: Bounds, mut partial: Vec<u8>, more: &[u8]) {
        if !more.is_empty() {
            let length = partial.len() + more.len();
            if length > partial.capacity() {
                let begun = self
                    .message
                    .as_ref()
                    .map_or(0, |message| message.bytes.len());
                let longest = (bounds.bytes + HEADER_BYTES_MAX).saturating_sub(begun);
                let roomy = (2 * partial.capacity()).min(longest);
                partial.reserve_exact(length.max(roomy) - partial.len());
            }
            partial.extend_from_slice(more);
        }
        self.partial = partial;
    }

    /// Bytes of memory for what is incomplete.
    #[must_use]
    pub fn held(&self) -> usize {
        let fragments = self
            .message
            .as_ref()
            .map_or(0, |message| message.bytes.capacity());
        self.partial.capacity() + fragments
    }

    fn take_frames(
        &mut self,
        bounds: Bounds,
        bytes: &[u8],
        out: &mut Vec<Received>,
    ) -> Result<usize, Violation> {
        let mut cursor = Cursor::new(bytes);
        loop {
            let start = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
            let header = FrameHeader::parse(&mut cursor)
                .map_err(|_| protocol("protocol error: unknown opcode"))?;
            let Some((header, length)) = header else {
                return Ok(start);
            };
            let begun = match header.opcode {
                OpCode::Data(_) => self
                    .message
                    .as_ref()
                    .map_or(0, |message| message.bytes.len()),
                OpCode::Control(_) => 0,
            };
            check(bounds, &header, length, begun)?;
            let Ok(length) = usize::try_from(length) else {
                return Err(TOO_BIG);
            };
            if cursor.remaining() < length {
                return Ok(start);
            }
            let mut payload = cursor.chunk()[..length].to_vec();
            cursor.advance(length);
            if let Some(mask) = header.mask {
                payload
                    .iter_mut()
                    .zip(mask.iter().cycle())
                    .for_each(|(byte, mask)| *byte ^= mask);
            }
            if let Some(message) = self.assemble(bounds, &header, payload)? {
                out.push(message);
            }
        }
    }

    fn assemble(
        &mut self,
        bounds: Bounds,
        header: &FrameHeader,
        payload: Vec<u8>,
    ) -> Result<Option<Received>, Violation> {
        let is_text = match header.opcode {
            OpCode::Control(Control::Ping) => return Ok(Some(Received::Ping(payload))),
            OpCode::Control(Control::Pong) => return Ok(Some(Received::Pong)),
            OpCode::Control(Control::Close) => return close(&payload).map(Some),
            OpCode::Control(Control::Reserved(_)) | OpCode::Data(Data::Reserved(_)) => {
                return Err(protocol("protocol error: reserved opcode"));
            }
            OpCode::Data(Data::Continue) => {
                let Some(mut message) = self.message.take() else {
                    return Err(protocol("protocol error: continuation of nothing"));
                };
                message.count += 1;
                let too_many = message.count >= bounds.fragments && !header.is_final;
                if too_many || message.bytes.len() + payload.len() > bounds.bytes {
                    return Err(TOO_BIG);
                }
                message.bytes.reserve_exact(payload.len());
                message.bytes.extend_from_slice(&payload);
                if header.is_final {
                    return whole(message.is_text, message.bytes).map(Some);
                }
                self.message = Some(message);
                return Ok(None);
            }
            OpCode::Data(Data::Text) => true,
            OpCode::Data(Data::Binary) => false,
        };
        if self.message.is_some() {
            return Err(protocol("protocol error: a message within a message"));
        }
        if header.is_final {
            return whole(is_text, payload).map(Some);
        }
        self.message = Some(Box::new(Fragments {
            is_text,
            bytes: payload,
            count: 1,
        }));
        Ok(None)
    }
}

/// `begun`: bytes of the message that the frame goes on with. A frame that would make it too long is
/// refused before its payload is kept.
fn check(bounds: Bounds, header: &FrameHeader, length: u64, begun: usize) -> Result<(), Violation> {
    if header.rsv1 || header.rsv2 || header.rsv3 {
        return Err(protocol("protocol error: reserved bits"));
    }
    if header.mask.is_none() {
        return Err(protocol("protocol error: a client's frame must be masked"));
    }
    if let OpCode::Control(_) = header.opcode
        && (length > CONTROL_BYTES_MAX || !header.is_final)
    {
        return Err(protocol(
            "protocol error: a long or fragmented control frame",
        ));
    }
    if length.saturating_add(begun as u64) > bounds.bytes as u64 {
        return Err(TOO_BIG);
    }
    Ok(())
}

fn whole(is_text: bool, bytes: Vec<u8>) -> Result<Received, Violation> {
    if !is_text {
        return Ok(Received::Binary(bytes));
    }
    if std::str::from_utf8(&bytes).is_err() {
        return Err(Violation {
            code: 1007,
            reason: "invalid payload: text is not UTF-8",
        });
    }
    Ok(Received::Text(bytes))
}

/// RFC 6455, 7.4: a close frame is empty, or a code that may be sent and UTF-8.
fn close(payload: &[u8]) -> Result<Received, Violation> {
    let Some((code, reason)) = payload.split_at_checked(2) else {
        return if payload.is_empty() {
            Ok(Received::Close)
        } else {
            Err(protocol("protocol error: a close frame of one byte"))
        };
    };
    let code = u16::from_be_bytes([code[0], code[1]]);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(protocol(
            "protocol error: a close code that may not be sent",
        ));
    }
    if std::str::from_utf8(reason).is_err() {
        return Err(Violation {
            code: 1007,
            reason: "invalid payload: text is not UTF-8",
        });
    }
    Ok(Received::Close)
}

/// One encoded message as one frame, ready for the socket.
#[must_use]
pub fn message(encoding: Encoding, payload: &[u8]) -> Bytes {
    let data = match encoding {
        Encoding::Json => Data::Text,
        Encoding::Protobuf => Data::Binary,
    };
    frame(OpCode::Data(data), payload)
}

#[must_use]
pub fn pong(payload: &[u8]) -> Bytes {
    frame(OpCode::Control(Control::Pong), payload)
}

#[must_use]
pub fn close_frame(code: u16, reason: &str) -> Bytes {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    debug_assert!(payload.len() as u64 <= CONTROL_BYTES_MAX);
    frame(OpCode::Control(Control::Close), &payload)
}

fn frame(opcode: OpCode, payload: &[u8]) -> Bytes {
    let header = FrameHeader {
        opcode,
        ..FrameHeader::default()
    };
    let mut bytes = Vec::with_capacity(payload.len() + 10);
    // Writing into a vector cannot fail.
    let _ = header.format(payload.len() as u64, &mut bytes);
    bytes.extend_from_slice(payload);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIN: u8 = 0x80;
    const MASKED: u8 = 0x80;

    /// A frame's head, masked with zeros, and as much of its payload.
    fn part(first: u8, length: u16, payload: usize) -> Vec<u8> {
        let mut bytes = vec![first, MASKED | 126];
        bytes.extend(length.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.resize(bytes.len() + payload, b' ');
        bytes
    }

    #[test]
    fn what_is_incomplete_never_holds_more_than_a_message_may_have() {
        for bounds in [BOUNDS, BOUNDS_BEFORE_CONNECT] {
            let half = u16::try_from(bounds.bytes / 2).expect("small");
            let mut reader = Reader::default();
            let mut out = Vec::new();
            let mut most = 0;
            let mut pieces = vec![part(1, half, half.into())];
            // The rest of the message, byte by byte in parts, without its end.
            let rest = part(FIN, half, usize::from(half) - 1);
            pieces.extend(rest.chunks(100).map(<[u8]>::to_vec));
            for piece in &pieces {
                reader.push(bounds, piece, &mut out).expect("within");
                most = most.max(reader.held());
            }
            assert!(
                most <= bounds.bytes + HEADER_BYTES_MAX,
                "{most} of {bounds:?}"
            );
            assert!(most > bounds.bytes - 100, "the bound is reached");
            reader.push(bounds, b" ", &mut out).expect("complete");
            assert_eq!(reader.held(), 0);
            assert_eq!(out, [Received::Text(vec![b' '; bounds.bytes])]);
        }
    }

    #[test]
    fn a_fragment_too_much_is_refused_by_its_head() {
        let half = u16::try_from(BOUNDS.bytes / 2).expect("small");
        let mut reader = Reader::default();
        let mut out = Vec::new();
        let first = part(1, half, half.into());
        reader.push(BOUNDS, &first, &mut out).expect("within");
        let refused = reader.push(BOUNDS, &part(FIN, half + 1, 0), &mut out);
        assert_eq!(refused, Err(TOO_BIG));
    }
}
