//! The program as its users run it: a process with a command line, an environment, a working folder, and output.
//!
//! Nothing here sleeps. What a process does is awaited by its output: a line that it prints, or the end of both of
//! its streams, which is its own end. Every wait is bounded by [`GUARD`].

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::client::Client;
use super::database::Database;
use super::folder::Folder;

/// No step of a test should take this long, on the slowest machine either; one that hangs fails by it.
pub(crate) const GUARD: Duration = Duration::from_secs(300);

/// What the program is started with.
pub(crate) struct Vestibule {
    folder: Folder,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    input: Vec<u8>,
    /// A listening socket to start it with, as systemd does.
    handed: Option<OwnedFd>,
    /// What stands before the program in the command line.
    above: Vec<String>,
}

/// A run that has ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Vestibule {
    /// Any command, in a new folder of its own and without a single environment variable.
    pub(crate) fn new(arguments: &[&str]) -> Vestibule {
        let arguments = arguments.iter().map(|&a| a.to_owned()).collect();
        Vestibule {
            folder: Folder::new(),
            arguments,
            environment: Vec::new(),
            input: Vec::new(),
            handed: None,
            above: Vec::new(),
        }
    }

    /// `serve` on a free port and on this database.
    pub(crate) fn serve(database: &Database) -> Vestibule {
        // On a machine that stands still for a moment, nobody shall be told that it took too long, unless a test wants that.
        let run = Vestibule::new(&["serve", "--listen", "127.0.0.1:0"]).on(database);
        let patient = ["PASSWORDS_DEADLINE", "LIMITS_HEADER_TIMEOUT", "LIMITS_BODY_TIMEOUT"];
        patient.iter().fold(run, |run, name| run.env(&format!("VESTIBULE_{name}"), "100s"))
    }

    pub(crate) fn on(self, database: &Database) -> Vestibule {
        self.with(&["--database", &database.url()])
    }

    pub(crate) fn with(mut self, arguments: &[&str]) -> Vestibule {
        self.arguments.extend(arguments.iter().map(|&a| a.to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Vestibule {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it by another program, whose command line comes first.
    pub(crate) fn under(mut self, above: &[String]) -> Vestibule {
        self.above = above.to_vec();
        self
    }

    /// Takes over the working folder of an earlier run.
    pub(crate) fn inside(mut self, folder: Folder) -> Vestibule {
        self.folder = folder;
        self
    }

    /// What it reads from standard input.
    pub(crate) fn input(mut self, bytes: &[u8]) -> Vestibule {
        self.input = bytes.to_vec();
        self
    }

    /// Hands a listening socket over (sd_listen_fds(3)): as file 3, to the process with this id.
    pub(crate) fn handed(mut self, socket: OwnedFd) -> Vestibule {
        self.handed = Some(socket);
        self
    }

    /// Puts a file into the working folder.
    pub(crate) fn file(self, name: &str, text: &str) -> Vestibule {
        std::fs::write(self.folder.path().join(name), text).expect("the folder can be written");
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Ended {
        self.spawn().ended().0
    }

    /// Starts the server and waits for its address.
    pub(crate) fn start(self) -> Server {
        let mut process = self.spawn();
        const LINE: &str = "Vestibule serves on ";
        let line = process.out.wait_for(LINE);
        let Some(line) = line else {
            let (ended, _) = process.ended();
            panic!("the server ended before it served, with {:?}:\n{}", ended.code, ended.err);
        };
        process.running = true;
        let (_, address) = line.split_once("://").expect("a scheme");
        let address = address.parse().expect("an address");
        Server { process, address }
    }

    /// Starts a command that goes on until it is dropped.
    pub(crate) fn watch(self) -> Watch {
        Watch(self.spawn())
    }

    fn spawn(self) -> Process {
        let mut line = self.above;
        if self.handed.is_some() {
            // Only the process itself knows its id before it is the program.
            const HANDED: &str = "export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" \"$@\" 3<&0 0</dev/null";
            line.extend(["sh", "-c", HANDED].map(str::to_owned));
        }
        line.push(env!("CARGO_BIN_EXE_vestibule").to_owned());
        line.extend(self.arguments);
        let input = self.handed.map_or_else(Stdio::piped, Stdio::from);
        let mut child = Command::new(&line[0])
            .args(&line[1..])
            .env_clear()
            .envs(self.environment)
            .current_dir(self.folder.path())
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        if let Some(mut input) = child.stdin.take() {
            // Whoever does not read it may close it.
            let _ = input.write_all(&self.input);
        }
        let out = Lines::of(child.stdout.take().expect("standard output is piped"));
        let err = Lines::of(child.stderr.take().expect("standard error is piped"));
        Process { child, out, err, folder: Some(self.folder), running: false }
    }
}

struct Process {
    child: Child,
    out: Lines,
    err: Lines,
    folder: Option<Folder>,
    running: bool,
}

impl Process {
    /// Waits for its end. Its folder outlives it.
    fn ended(mut self) -> (Ended, Folder) {
        let (out, err) = (self.out.all(), self.err.all());
        let status: ExitStatus = self.child.wait().expect("both streams have ended, and so has the process");
        self.running = false;
        let ended = Ended { code: status.code(), out, err };
        (ended, self.folder.take().expect("nobody else takes it"))
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "the test harness shows it under the failed test")]
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if self.running && std::thread::panicking() {
            eprintln!("what the server wrote to standard error:\n{}", self.err.so_far());
        }
    }
}

/// A command that goes on. Killed when dropped.
pub(crate) struct Watch(Process);

impl Watch {
    /// Waits for a line on standard output that contains `text`; gives it back from there.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        self.0.out.wait_for(text).unwrap_or_else(|| panic!("no {text:?}; it said:\n{}", self.0.err.so_far()))
    }

    /// What it has printed so far.
    pub(crate) fn so_far(&self) -> String {
        self.0.out.so_far()
    }
}

/// A server that listens. Killed when dropped.
pub(crate) struct Server {
    process: Process,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Sends a signal: `TERM`, `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let signal = match name {
            "TERM" => Signal::TERM,
            "INT" => Signal::INT,
            "HUP" => Signal::HUP,
            "KILL" => Signal::KILL,
            "STOP" => Signal::STOP,
            "CONT" => Signal::CONT,
            other => panic!("no test sends {other}"),
        };
        kill_process(Pid::from_child(&self.process.child), signal).expect("the process is still there");
    }

    /// How much memory it has in use (VmRSS of proc_pid_status(5)), in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = format!("/proc/{}/status", self.process.child.id());
        let status = std::fs::read_to_string(status).expect("the process is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its size");
        line.split_whitespace().next().expect("a number").parse().expect("a number")
    }

    /// Waits for a line on standard error that contains `text`.
    pub(crate) fn wait_for_log(&self, text: &str) -> String {
        self.process
            .err
            .wait_for(text)
            .unwrap_or_else(|| panic!("no {text:?} in:\n{}", self.process.err.so_far()))
    }

    /// What it has written to standard error so far.
    pub(crate) fn log_so_far(&self) -> String {
        self.process.err.so_far()
    }

    /// Waits until `text` has come this often on standard error.
    pub(crate) fn wait_for_logs(&self, text: &str, times: usize) {
        self.process.err.wait_until(text, |said| said.matches(text).count() >= times);
        assert!(self.process.err.so_far().matches(text).count() >= times, "it ended before");
    }

    /// All that it printed before it served: the table and the lines to paste.
    pub(crate) fn announcement(&self) -> String {
        // The list of examples ends with an empty line, which nothing follows.
        self.process.out.wait_for("Try it:");
        self.process.out.wait_until("an empty line behind the examples", |text| {
            text.split_once("Try it:\n").is_some_and(|(_, rest)| rest.ends_with("\n\n"))
        });
        self.process.out.so_far()
    }

    /// Its working folder.
    pub(crate) fn folder(&self) -> PathBuf {
        self.process.folder.as_ref().expect("it is taken only at the end").path().to_owned()
    }

    /// Where it keeps the secret that it makes for itself: beside an SQLite file, in the working folder otherwise.
    pub(crate) fn secret_file(&self, database: &Database) -> PathBuf {
        let folder = match database {
            Database::Sqlite(folder) => folder.path().to_owned(),
            Database::Postgres(_) => self.folder(),
        };
        folder.join("vestibule.token-secret")
    }

    /// That secret.
    pub(crate) fn secret(&self, database: &Database) -> String {
        let text = std::fs::read_to_string(self.secret_file(database)).expect("the secret was kept");
        text.trim_end().to_owned()
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(self) -> (Ended, Folder) {
        self.signal("TERM");
        self.ended()
    }

    /// Waits for its end, which somebody has asked for.
    pub(crate) fn ended(self) -> (Ended, Folder) {
        self.process.ended()
    }
}

/// What a stream has said so far, filled by a thread of its own.
pub(crate) struct Lines(Arc<(Mutex<Said>, Condvar)>);

#[derive(Default)]
struct Said {
    text: String,
    ended: bool,
}

impl Lines {
    pub(crate) fn of(stream: impl Read + Send + 'static) -> Lines {
        let shared: Arc<(Mutex<Said>, Condvar)> = Arc::default();
        let writer = shared.clone();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
                writer.0.lock().expect("no test holds it").text.push_str(&String::from_utf8_lossy(&line));
                line.clear();
                writer.1.notify_all();
            }
            writer.0.lock().expect("no test holds it").ended = true;
            writer.1.notify_all();
        });
        Lines(shared)
    }

    pub(crate) fn so_far(&self) -> String {
        self.0.0.lock().expect("the thread does not panic").text.clone()
    }

    /// The first line that contains `text`, from where `text` begins; `None` when the stream ended without one.
    pub(crate) fn wait_for(&self, text: &str) -> Option<String> {
        let found = |said: &str| {
            said.split_inclusive('\n')
                .filter_map(|line| line.strip_suffix('\n'))
                .find_map(|line| line.find(text).map(|at| line[at..].to_owned()))
        };
        self.wait_until(text, |said| found(said).is_some());
        found(&self.so_far())
    }

    /// Waits until what was said is enough, or the stream has ended.
    fn wait_until(&self, what: &str, enough: impl Fn(&str) -> bool) {
        let said = self.0.0.lock().expect("the thread does not panic");
        let waiting = |said: &mut Said| !said.ended && !enough(&said.text);
        let (said, guard) =
            self.0.1.wait_timeout_while(said, GUARD, waiting).expect("the thread does not panic");
        let late = guard.timed_out().then(|| said.text.clone());
        // A panic behind the lock would be another one in the destructor that shows what was said, and end all tests.
        drop(said);
        if let Some(said) = late {
            panic!("{what} does not come; so far:\n{said}");
        }
    }

    /// Everything up to the end of the stream.
    fn all(&self) -> String {
        self.wait_until("the end", |_| false);
        self.so_far()
    }
}
