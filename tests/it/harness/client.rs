//! A client that writes what it is told, byte for byte, and reads whole replies.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Barrier;

use super::process::GUARD;

/// One connection.
pub(crate) struct Client<T = TcpStream>(BufReader<T>);

/// One reply.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    /// A header by its lower-case name; the empty text when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A POST of JSON as most clients write it.
pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    post_as("application/json", path, body)
}

pub(crate) fn post_as(content_type: &str, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: accounts.example.com\r\ncontent-type: {content_type}\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The request with one more header.
pub(crate) fn with(request: &[u8], header: &str, value: &str) -> Vec<u8> {
    let text = String::from_utf8(request.to_vec()).expect("it is text");
    text.replacen("\r\n", &format!("\r\n{header}: {value}\r\n"), 1).into_bytes()
}

pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: accounts.example.com\r\n\r\n").into_bytes()
}

/// Sends each request from a client of its own, all at once, to the servers in turn. The replies are in the order of the requests.
pub(crate) async fn at_once(servers: &[SocketAddr], requests: Vec<Vec<u8>>) -> Vec<Reply> {
    let start = Arc::new(Barrier::new(requests.len()));
    let servers = servers.iter().copied().cycle();
    let tries: Vec<_> = std::iter::zip(servers, requests)
        .map(|(server, request)| {
            let start = start.clone();
            tokio::spawn(async move {
                let mut client = Client::connect(server).await;
                start.wait().await;
                client.ask(&request).await
            })
        })
        .collect();
    let mut replies = Vec::new();
    for reply in tries {
        replies.push(reply.await.expect("no client panics"));
    }
    replies
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Client {
        let connecting = tokio::time::timeout(GUARD, TcpStream::connect(address));
        Client::over(connecting.await.expect("in time").expect("the server listens"))
    }

    /// A connection to a server that may be gone.
    pub(crate) async fn try_connect(address: SocketAddr) -> std::io::Result<Client> {
        TcpStream::connect(address).await.map(BufReader::new).map(Client)
    }

    /// Hands a request to the system, for a server that may be gone.
    pub(crate) async fn try_send(&mut self, request: &[u8]) -> std::io::Result<()> {
        self.0.write_all(request).await
    }

    /// From another address of this machine.
    pub(crate) async fn from(own: SocketAddr, address: SocketAddr) -> Client {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(own).expect("an address of this machine");
        Client::over(socket.connect(address).await.expect("the server listens"))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Client<T> {
    /// On a connection that somebody else has made.
    pub(crate) fn over(stream: T) -> Client<T> {
        Client(BufReader::new(stream))
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let writing = tokio::time::timeout(GUARD, self.0.write_all(bytes));
        writing.await.expect("in time").expect("the server takes it");
    }

    /// Sends a request and reads its reply.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Reply {
        self.send(request).await;
        self.reply().await
    }

    pub(crate) async fn reply(&mut self) -> Reply {
        self.try_reply().await.expect("a whole reply")
    }

    /// The head of a reply that has no body.
    pub(crate) async fn head(&mut self) -> String {
        let mut head = String::new();
        loop {
            let line = tokio::time::timeout(GUARD, self.line()).await.expect("a line in time");
            match line.expect("a whole head") {
                line if line.is_empty() => return head,
                line => head.extend([line.as_str(), "\n"]),
            }
        }
    }

    /// The next reply; an error when the connection ends before it is whole.
    pub(crate) async fn try_reply(&mut self) -> std::io::Result<Reply> {
        tokio::time::timeout(GUARD, self.read()).await.expect("a reply in time")
    }

    /// Whether the server ends the connection, in order and without another byte. One that it ends for idleness (after a minute,
    /// unless a test says otherwise) has gone on.
    pub(crate) async fn is_closed(&mut self) -> bool {
        const LESS: Duration = Duration::from_secs(30);
        let read = tokio::time::timeout(LESS, self.0.read_u8()).await.expect("an end in time");
        read.is_err_and(|error| error.kind() == std::io::ErrorKind::UnexpectedEof)
    }

    async fn read(&mut self) -> std::io::Result<Reply> {
        let first = self.line().await?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.push((name.to_owned(), value.to_owned()));
        }
        let mut reply = Reply { status, headers, body: String::new() };
        let mut body = vec![0; reply.header("content-length").parse().expect("a length")];
        self.0.read_exact(&mut body).await?;
        reply.body = String::from_utf8(body).expect("UTF-8");
        Ok(reply)
    }

    async fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).await?;
        if !line.ends_with('\n') {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}
