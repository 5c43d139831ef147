//! A proxy between Vestibule and PostgreSQL that reads the protocol's messages and cuts the connection on one of them.
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_util::sync::CancellationToken;

/// When the connection that writes an account is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Before the server has seen a byte of the INSERT.
    BeforeInsert,
    /// As soon as all of it has been sent.
    AfterInsert,
    /// After the commit, when so many of the server's messages about it have been let through.
    AfterMessages(usize),
    /// After "INSERT 0 1", which the server is made to say before it commits: it never sees the Sync that makes it.
    BeforeCommit,
}

/// The server's messages about an INSERT: parsed, two descriptions, bound, done, ready.
pub(super) const MESSAGES: usize = 6;

/// A running proxy.
pub(super) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

struct Shared {
    socket: Mutex<PathBuf>,
    /// For the next connection that writes an account.
    cut: Mutex<Option<Cut>>,
}

impl Proxy {
    /// In front of the server whose socket is in this folder.
    pub(super) async fn before(folder: &std::path::Path, port: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let own = listener.local_addr().expect("an address").port();
        let socket = Mutex::new(socket(folder, port));
        let shared = Arc::new(Shared { socket, cut: Mutex::default() });
        let (stop, accepted) = (CancellationToken::new(), shared.clone());
        let stopped = stop.clone();
        tokio::spawn(stopped.clone().run_until_cancelled_owned(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, accepted.clone(), stopped.child_token()));
            }
        }));
        Proxy { port: own, shared, stop }
    }

    /// The URL of a database behind it.
    pub(super) fn url(&self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{name}?sslmode=disable", self.port)
    }

    /// Cuts the next connection that writes an account.
    pub(super) fn cut(&self, cut: Cut) {
        *self.shared.cut.lock().expect("nobody panics with it") = Some(cut);
    }

    /// Whether the cut was made.
    pub(super) fn has_cut(&self) -> bool {
        self.shared.cut.lock().expect("nobody panics with it").is_none()
    }

    /// Leads new connections to another server.
    pub(super) fn lead_to(&self, folder: &std::path::Path, port: u16) {
        *self.shared.socket.lock().expect("nobody panics with it") = socket(folder, port);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn socket(folder: &std::path::Path, port: u16) -> PathBuf {
    folder.join(format!(".s.PGSQL.{port}"))
}

/// One connection, until a side ends it or it is cut.
async fn carry(client: TcpStream, shared: Arc<Shared>, ended: CancellationToken) {
    let socket = shared.socket.lock().expect("nobody panics with it").clone();
    let Ok(server) = UnixStream::connect(socket).await else { return };
    let _ = client.set_nodelay(true);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let armed = Arc::new(Mutex::new(None));
    let up = up(from_client, to_server, shared, armed.clone());
    let down = down(from_server, to_client, armed);
    tokio::select! {
        _ = up => {}
        _ = down => {}
        () = ended.cancelled() => {}
    }
}

type Armed = Arc<Mutex<Option<Cut>>>;

async fn up(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    shared: Arc<Shared>,
    armed: Armed,
) -> io::Result<()> {
    let start = message(&mut from, false).await?;
    to.write_all(&start).await?;
    loop {
        let mut message = message(&mut from, true).await?;
        let inserts = message[0] == b'P' && message.windows(17).any(|text| text == b"INSERT INTO users");
        if inserts {
            let cut = shared.cut.lock().expect("nobody panics with it").take();
            *armed.lock().expect("nobody panics with it") = cut;
            if cut == Some(Cut::BeforeInsert) {
                return Ok(());
            }
        }
        let cut = *armed.lock().expect("nobody panics with it");
        let syncs = message[0] == b'S';
        if syncs && cut == Some(Cut::BeforeCommit) {
            // A Flush: the server says what it has to say, and does not end the transaction.
            message[0] = b'H';
        }
        to.write_all(&message).await?;
        if syncs && cut == Some(Cut::AfterInsert) {
            return Ok(());
        }
    }
}

async fn down(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    armed: Armed,
) -> io::Result<()> {
    let mut let_through = 0;
    loop {
        let message = message(&mut from, true).await?;
        let cut = *armed.lock().expect("nobody panics with it");
        match cut {
            Some(Cut::AfterMessages(most)) => {
                if let_through < most {
                    to.write_all(&message).await?;
                }
                let_through += 1;
                if message[0] == b'Z' {
                    return Ok(());
                }
            }
            Some(Cut::BeforeCommit) => {
                to.write_all(&message).await?;
                if message[0] == b'C' {
                    return Ok(());
                }
            }
            _ => to.write_all(&message).await?,
        }
    }
}

/// The next message; the first of a client has no type.
async fn message(from: &mut (impl AsyncRead + Unpin), typed: bool) -> io::Result<Vec<u8>> {
    let mut message = vec![0; if typed { 5 } else { 4 }];
    from.read_exact(&mut message).await?;
    let start = message.len() - 4;
    let length = u32::from_be_bytes(message[start..].try_into().expect("four bytes")) as usize;
    message.resize(start + length, 0);
    from.read_exact(&mut message[start + 4..]).await?;
    Ok(message)
}
