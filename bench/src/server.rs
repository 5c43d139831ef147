//! A server under test: started on a free port, measured, and stopped with all its children.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running process that listens.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// From the start of the process to its first accepted connection.
    pub started_in: Duration,
}

impl Server {
    /// Starts a program that will listen on `address`; what it prints goes to `log`.
    pub fn start(mut command: Command, address: SocketAddr, log: &Path) -> anyhow::Result<Server> {
        let begin = Instant::now();
        let file = File::create(log).context("the server's log")?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        // A group of its own, so that the workers of a server with several end with it.
        let child = command.process_group(0).spawn().with_context(|| format!("starting {command:?}"))?;
        let mut server = Server { child, address, started_in: Duration::ZERO };
        while TcpStream::connect(address).is_err() {
            if begin.elapsed() > PATIENCE || server.child.try_wait()?.is_some() {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                bail!("the server does not listen: {}", said.trim());
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
        let group = format!("-{}", self.pid());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }
}

/// An address on this machine at which nobody listens.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0").context("a free port")?.local_addr().context("a free port")
}
