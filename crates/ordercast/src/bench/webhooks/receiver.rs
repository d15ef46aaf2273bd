//! Receivers of webhooks that cost little: they share the machine with the server.

use std::time::Instant;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

#[derive(Clone, Copy, Debug)]
pub enum Manner {
    Accept,
    /// Answers 500.
    Fail,
    /// Reads, and never answers.
    Hang,
}

#[derive(Debug)]
pub struct Received {
    pub at: Instant,
    pub body: Vec<u8>,
}

#[derive(Debug)]
pub struct Receiver {
    pub url: String,
    received: mpsc::UnboundedReceiver<Received>,
}

impl Receiver {
    pub async fn start(manner: Manner) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let (sender, received) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, manner, sender.clone()));
            }
        });
        Ok(Self { url, received })
    }

    pub async fn next(&mut self) -> Option<Received> {
        self.received.recv().await
    }
}

async fn serve(mut stream: TcpStream, manner: Manner, sender: mpsc::UnboundedSender<Received>) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::with_capacity(4 * 1024);
    loop {
        let Some((head, length)) = head(&mut stream, &mut buffer).await else {
            return;
        };
        while buffer.len() < head + length {
            if !matches!(stream.read_buf(&mut buffer).await, Ok(1..)) {
                return;
            }
        }
        let at = Instant::now();
        let answer: &[u8] = match manner {
            Manner::Accept => b"HTTP/1.1 204 No Content\r\n\r\n",
            Manner::Fail => b"HTTP/1.1 500 Failing\r\ncontent-length: 0\r\n\r\n",
            Manner::Hang => std::future::pending().await,
        };
        let body = buffer[head..head + length].to_vec();
        buffer.drain(..head + length);
        let _ = sender.send(Received { at, body });
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

/// Where the body begins, and how long it is.
async fn head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(usize, usize)> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let text = std::str::from_utf8(&buffer[..end]).ok()?;
            let length = text.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_length = name.eq_ignore_ascii_case("content-length");
                is_length.then(|| value.trim().parse().ok())?
            });
            return Some((end + 4, length.unwrap_or(0)));
        }
        if !matches!(stream.read_buf(buffer).await, Ok(1..)) {
            return None;
        }
    }
}
