//! How long an HTTP connection may take for what: to say a request, to wait for the next one, to read an
//! answer; and how it ends.
//!
//! Invariant: a connection is open only while its client does something in time, or a handler works for
//! it. And an answer is never lost to a reset: what the client still sends behind a refusal is read and
//! thrown away before the socket is closed.

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use parking_lot::Mutex;
use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep, sleep_until},
};

/// For a client to take what the kernel does not take for it.
const WRITE_TIME: Duration = Duration::from_secs(30);
/// Of a body that no handler reads: read behind it, so that the connection can go on.
const REST_BYTES_MAX: usize = 256 * 1024;
const REST_TIME: Duration = Duration::from_secs(1);
/// For a client that still sends when it was answered already.
const LINGER_TIME: Duration = Duration::from_secs(5);
const LINGER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// For the head of a request, from its first byte on.
    pub head: Duration,
    /// Between two requests.
    pub idle: Duration,
}

#[derive(Debug)]
pub struct Pace {
    times: Times,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    write_by: Option<Instant>,
    /// Of the newest request, part of the body was not read.
    has_unread: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waits for a first byte of a request.
    Idle { until: Instant },
    /// A head has begun.
    Head { until: Instant },
    /// A handler works, or its answer is being written.
    Busy,
}

impl Pace {
    /// `head`: what is left of the time for the first head.
    pub fn start(times: Times, head: Duration) -> Arc<Self> {
        let until = Instant::now() + head;
        Arc::new(Self {
            times,
            state: Mutex::new(State {
                phase: Phase::Head { until },
                write_by: None,
                has_unread: false,
            }),
        })
    }

    /// A whole head has come.
    pub fn asked(&self) {
        let mut state = self.state.lock();
        state.phase = Phase::Busy;
        state.has_unread = false;
    }

    /// The answer goes out although the client may still be sending.
    pub fn left_unread(&self) {
        self.state.lock().has_unread = true;
    }

    fn answered(&self) {
        let until = Instant::now() + self.times.idle;
        self.state.lock().phase = Phase::Idle { until };
    }

    fn has_read(&self) {
        let mut state = self.state.lock();
        if let Phase::Idle { .. } = state.phase {
            let until = Instant::now() + self.times.head;
            state.phase = Phase::Head { until };
        }
    }

    fn has_written(&self) {
        self.state.lock().write_by = None;
    }

    fn cannot_write(&self) {
        let mut state = self.state.lock();
        state.write_by = state.write_by.or_else(|| Some(Instant::now() + WRITE_TIME));
    }

    /// Whether the client may still be sending what nobody reads.
    fn has_unread(&self) -> bool {
        let state = self.state.lock();
        state.has_unread || matches!(state.phase, Phase::Head { .. })
    }

    fn deadline(&self) -> Option<Instant> {
        let state = self.state.lock();
        let read_by = match state.phase {
            Phase::Idle { until } | Phase::Head { until } => Some(until),
            Phase::Busy => None,
        };
        read_by.into_iter().chain(state.write_by).min()
    }

    /// Returns when the client has taken too long. Polled after the connection in the same task: whatever
    /// moves the deadline wakes that task.
    pub async fn overdue(&self) {
        let mut timer: Option<Pin<Box<Sleep>>> = None;
        poll_fn(|cx| {
            let Some(deadline) = self.deadline() else {
                return Poll::Pending;
            };
            let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if timer.deadline() != deadline {
                timer.as_mut().reset(deadline);
            }
            timer.as_mut().poll(cx)
        })
        .await;
    }
}

/// A socket whose reads and writes keep the pace.
#[derive(Debug)]
pub struct Paced<S> {
    stream: S,
    pace: Arc<Pace>,
    farewell: Option<Farewell>,
}

#[derive(Debug)]
struct Farewell {
    end: Pin<Box<Sleep>>,
    bytes: usize,
}

impl<S> Paced<S> {
    pub fn new(stream: S, pace: Arc<Pace>) -> Self {
        Self {
            stream,
            pace,
            farewell: None,
        }
    }

    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.pace.has_read();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> Paced<S> {
    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending => self.pace.cannot_write(),
            Poll::Ready(_) => self.pace.has_written(),
        }
        written
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// A socket that is closed with unread bytes is reset, and the client may lose the answer that it has
    /// not read yet.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let farewell = match &mut this.farewell {
            Some(farewell) => farewell,
            none => {
                ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
                if !this.pace.has_unread() {
                    return Poll::Ready(Ok(()));
                }
                // From here on this is the only deadline.
                this.pace.asked();
                none.insert(Farewell {
                    end: Box::pin(sleep(LINGER_TIME)),
                    bytes: 0,
                })
            }
        };
        let mut scratch = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut this.stream).poll_read(cx, &mut buffer) {
                Poll::Pending => return farewell.end.as_mut().poll(cx).map(Ok),
                Poll::Ready(Err(_)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) => {
                    let read = buffer.filled().len();
                    farewell.bytes += read;
                    if read == 0 || farewell.bytes > LINGER_BYTES_MAX {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }
}

/// The body of an answer; when it is gone, the connection waits for the next request.
#[derive(Debug)]
pub struct AnswerBody {
    body: Body,
    pace: Arc<Pace>,
}

impl AnswerBody {
    pub fn new(body: Body, pace: &Arc<Pace>) -> Self {
        Self {
            body,
            pace: Arc::clone(pace),
        }
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.pace.answered();
    }
}

/// The body of a request, of which the connection keeps a hold: what the handler leaves is read behind it.
#[derive(Clone, Debug)]
pub struct Upload(Arc<Mutex<Uploading>>);

#[derive(Debug)]
struct Uploading {
    body: Incoming,
    has_ended: bool,
}

impl Upload {
    pub fn new(body: Incoming) -> Self {
        Self(Arc::new(Mutex::new(Uploading {
            body,
            has_ended: false,
        })))
    }

    pub fn has_ended(&self) -> bool {
        self.0.lock().has_ended
    }

    /// Reads what is left, if that is little and comes soon; whether the body is at its end.
    pub async fn finish(mut self) -> bool {
        {
            let uploading = self.0.lock();
            if uploading.has_ended {
                return true;
            }
            if uploading.body.size_hint().lower() > REST_BYTES_MAX as u64 {
                return false;
            }
        }
        let mut bytes = 0;
        let rest = poll_fn(|cx| {
            loop {
                match ready!(Pin::new(&mut self).poll_frame(cx)) {
                    None => return Poll::Ready(true),
                    Some(Err(_)) => return Poll::Ready(false),
                    Some(Ok(frame)) => bytes += frame.data_ref().map_or(0, Bytes::len),
                }
                if bytes > REST_BYTES_MAX {
                    return Poll::Ready(false);
                }
            }
        });
        tokio::time::timeout(REST_TIME, rest).await.unwrap_or(false)
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut uploading = self.0.lock();
        if uploading.has_ended {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut uploading.body).poll_frame(cx));
        // Of a body of a known length the end is known before it is asked for.
        uploading.has_ended = frame.is_none() || uploading.body.is_end_stream();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let uploading = self.0.lock();
        uploading.has_ended || uploading.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().body.size_hint()
    }
}
