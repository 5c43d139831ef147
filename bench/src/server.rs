//! A server under test: started on a free port, measured, and stopped.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// A running process that listens.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// From the start of the process to its first accepted connection.
    pub started_in: Duration,
    folder: Option<PathBuf>,
}

impl Server {
    /// `vestibule serve --contract knex` on a new database.
    pub fn vestibule(binary: &Path, database: Option<&str>) -> anyhow::Result<Server> {
        let folder =
            std::env::temp_dir().join(format!("vestibule-bench-{}-{}", std::process::id(), free_port()?));
        std::fs::create_dir(&folder).context("a temporary folder")?;
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let sqlite = format!("sqlite://{}", folder.join("bench.db").display());
        let mut command = Command::new(binary);
        command.current_dir(&folder).args(["serve", "--contract", "knex", "--listen", &address.to_string()]);
        command.args(["--set", "log.level=warn", "--database", database.unwrap_or(&sqlite)]);
        let mut server = Server::start(command, address)?;
        server.folder = Some(folder);
        Ok(server)
    }

    pub fn start(mut command: Command, address: SocketAddr) -> anyhow::Result<Server> {
        let begin = Instant::now();
        let child =
            command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().context("starting the server")?;
        let mut server = Server { child, address, started_in: Duration::ZERO, folder: None };
        while TcpStream::connect(address).is_err() {
            if begin.elapsed() > Duration::from_secs(30) || server.child.try_wait()?.is_some() {
                bail!("the server does not listen on {address}");
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        server.started_in = begin.elapsed();
        Ok(server)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(folder) = &self.folder {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").context("a free port")?.local_addr()?.port())
}
