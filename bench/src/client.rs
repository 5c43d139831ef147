//! A small HTTP/1.1 client on a kept connection: it costs as little as it can, because it shares the machine with the
//! server that it measures.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What came back: the status, and `Retry-After` in seconds when the server sent one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<u64>,
}

/// One connection.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Whether the server keeps the connection after the last answer.
    pub alive: bool,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> anyhow::Result<Client> {
        let stream = TcpStream::connect(address).await.context("connecting")?;
        stream.set_nodelay(true).context("setting TCP_NODELAY")?;
        Ok(Client { stream, buffer: Vec::with_capacity(4096), alive: true })
    }

    /// Sends one whole request and reads one whole answer.
    pub async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.alive = false;
        self.stream.write_all(request).await.context("sending")?;
        self.buffer.clear();
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
            self.read().await?;
        };
        let text = std::str::from_utf8(&self.buffer[..head]).context("the head is not text")?;
        let answer = Answer {
            status: text.get(9..12).and_then(|s| s.parse().ok()).context("no status")?,
            retry_after: header(text, "retry-after").and_then(|v| v.parse().ok()),
        };
        let closes = header(text, "connection").is_some_and(|v| v.eq_ignore_ascii_case("close"));
        match header(text, "content-length").map(str::parse::<usize>) {
            Some(length) => {
                let length = length.context("a length that is no number")?;
                while self.buffer.len() < head + length {
                    self.read().await?;
                }
            }
            None if header(text, "transfer-encoding").is_some() => {
                while !self.buffer.ends_with(b"0\r\n\r\n") {
                    self.read().await?;
                }
            }
            None => {}
        }
        self.alive = !closes;
        Ok(answer)
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await.context("reading")? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

fn header<'t>(head: &'t str, name: &str) -> Option<&'t str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
