//! A keep-alive HTTP/1.1 client that costs little: the generator shares the machine with the server.

use super::dial::{Dialer, Stream};
use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[derive(Debug)]
pub struct Client {
    stream: Stream,
    buffer: Vec<u8>,
}

/// Status and body of an answer.
#[derive(Debug)]
pub struct Answer<'a> {
    pub status: u16,
    pub head: &'a str,
    pub body: &'a [u8],
}

impl Client {
    pub async fn connect(dialer: &Dialer) -> anyhow::Result<Self> {
        Ok(Self {
            stream: dialer.dial(None).await?,
            buffer: Vec::with_capacity(8 * 1024),
        })
    }

    /// Sends a whole request and reads its whole answer.
    pub async fn send(&mut self, request: &[u8]) -> anyhow::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        self.buffer.clear();
        let (head, length) = loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection");
            }
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = std::str::from_utf8(&self.buffer[..end])?;
                break (end + 4, content_length(head)?);
            }
        };
        while self.buffer.len() < head + length {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection");
            }
        }
        let text = std::str::from_utf8(&self.buffer[..head])?;
        let status = text
            .get(9..12)
            .and_then(|code| code.parse().ok())
            .context("an odd status line")?;
        Ok(Answer {
            status,
            head: text,
            body: &self.buffer[head..head + length],
        })
    }
}

impl Answer<'_> {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

fn content_length(head: &str) -> anyhow::Result<usize> {
    for line in head.lines() {
        if let Some((key, value)) = line.split_once(':')
            && key.eq_ignore_ascii_case("content-length")
        {
            return Ok(value.trim().parse()?);
        }
    }
    // 304 has neither a body nor its length.
    Ok(0)
}

/// `body`: JSON, or empty for none.
pub fn request(method: &str, path: &str, bearer: &str, more: &str, body: &str) -> Vec<u8> {
    let content = if body.is_empty() {
        String::new()
    } else {
        let length = body.len();
        format!("content-type: application/json\r\ncontent-length: {length}\r\n")
    };
    format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {bearer}\r\n\
         {more}{content}\r\n{body}"
    )
    .into_bytes()
}
