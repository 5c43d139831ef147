//! PostgreSQL servers of a test's own, to be killed, held and promoted. They sync to disk and commit as their settings
//! say, unlike the one that the other tests share.
//!
//! The server is the child of a shell that waits for the end of its standard input: however the test ends, the pipe
//! closes and the server goes with it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use tokio_postgres::NoTls;

use super::process::GUARD;

/// What every server is started with; what a test says follows and wins.
const SETTINGS: [&str; 5] = [
    "listen_addresses=",
    "max_connections=60",
    "shared_buffers=16MB",
    "max_wal_senders=4",
    "log_min_messages=fatal",
];

/// A server and its data.
pub(crate) struct Cluster {
    folder: PathBuf,
    settings: Vec<String>,
    shell: Option<Child>,
}

impl Cluster {
    /// Makes a server with its data and starts it.
    pub(crate) async fn start(settings: &[&str]) -> Cluster {
        Cluster::empty(settings).filled(&[]).await
    }

    /// The same with its tables on a disk of their own.
    pub(crate) async fn with_tables_on(disk: &Path) -> Cluster {
        let cluster = Cluster::empty(&[]);
        let tables = disk.join("tables");
        std::fs::create_dir(&tables).expect("a new folder");
        own(&tables);
        std::os::unix::fs::symlink(&tables, cluster.data()).expect("a new name");
        let log = cluster.folder.join("write-ahead").display().to_string();
        cluster.filled(&["-X", &log]).await
    }

    /// The same with its write-ahead log on a disk of its own. It is kept, as when nobody fetches it for a standby or an
    /// archive; otherwise a server needs no more room for it and writes over what is old.
    pub(crate) async fn with_log_on(disk: &Path) -> Cluster {
        own(disk);
        let log = disk.join("write-ahead").display().to_string();
        Cluster::empty(&["wal_keep_size=1GB"]).filled(&["-X", &log]).await
    }

    /// A log in pieces of 1 MiB makes a copy quick.
    async fn filled(mut self, place: &[&str]) -> Cluster {
        let data = self.data();
        let format = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--wal-segsize=1"];
        self.run("initdb", &[&format[..], &["--no-sync", "-D", &data], place].concat());
        self.start_again().await;
        self
    }

    /// A copy of this server that follows it.
    pub(crate) async fn standby(&self) -> Cluster {
        let mut standby = Cluster::empty(&[]);
        let (source, data) = (self.folder.display().to_string(), standby.data());
        let arguments =
            ["-h", &source, "-U", "postgres", "-D", &data, "-R", "-X", "stream", "-c", "fast", "--no-sync"];
        standby.run("pg_basebackup", &arguments);
        standby.start_again().await;
        standby
    }

    fn empty(settings: &[&str]) -> Cluster {
        // A socket's path must be short, so the folder is not under a deep TMPDIR. It is removed with the cluster.
        let folder = tempfile::Builder::new().prefix("vestibule-cluster-").tempdir_in("/tmp");
        let folder = folder.expect("a new folder").keep();
        let mut all: Vec<String> = SETTINGS.map(str::to_owned).to_vec();
        all.extend(settings.iter().map(|&setting| setting.to_owned()));
        let cluster = Cluster { folder, settings: all, shell: None };
        own(&cluster.folder);
        cluster
    }

    /// Starts it after an end of any kind.
    pub(crate) async fn start_again(&mut self) {
        let data = self.data();
        let mut arguments = vec!["-D".to_owned(), data, "-k".to_owned(), self.folder.display().to_string()];
        arguments.extend(self.settings.iter().flat_map(|setting| ["-c".to_owned(), setting.clone()]));
        let server = owned("postgres", &arguments);
        let script =
            "\"$@\" </dev/null & child=$!; cat >/dev/null; kill -QUIT $child 2>/dev/null; wait $child";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh"]).args(server).current_dir(&self.folder);
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("log"));
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log.expect("a log can be written"));
        self.shell = Some(shell.spawn().expect("a shell starts"));
        tokio::time::timeout(GUARD, self.answers()).await.expect("the server starts; see its log");
    }

    async fn answers(&self) {
        let url = self.url("postgres");
        while tokio_postgres::connect(&url, NoTls).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// The folder of its socket, which has the usual port's number.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A superuser's URL of one of its databases.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("postgres://postgres@{}/{name}", self.folder.display().to_string().replace('/', "%2F"))
    }

    /// Ends it in order, as an administrator does who restarts it.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::INT);
        self.gone();
    }

    /// Kills it and all its processes: what only they knew is gone.
    pub(crate) fn kill(&mut self) {
        let parent = self.parent();
        // Held first, so that it has no more children than are found.
        self.signal(Signal::STOP);
        let children = children(parent);
        for id in std::iter::once(parent).chain(children.iter().copied()) {
            let _ = kill_process(id, Signal::KILL);
        }
        self.gone();
        // As long as one of them is going it holds the shared memory, and PostgreSQL does not start anew.
        let since = Instant::now();
        while children.iter().any(|id| is_going(*id)) {
            assert!(since.elapsed() < GUARD, "what is killed ends");
            std::thread::yield_now();
        }
    }

    /// Makes sure that it has ended, also when it has ended itself.
    pub(crate) fn end(&mut self) {
        self.gone();
    }

    /// What it has told of errors that ended more than a statement.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).expect("its log")
    }

    /// Holds all its processes, or lets them go on.
    pub(crate) fn hold(&self, held: bool) {
        self.signal_all(if held { Signal::STOP } else { Signal::CONT });
    }

    /// Makes a server of a standby.
    pub(crate) fn promote(&self) {
        self.run("pg_ctl", &["promote", "-w", "-s", "-D", &self.data()]);
    }

    /// The parent first: it would start its children again.
    fn signal_all(&self, signal: Signal) {
        let parent = self.parent();
        let children = children(parent);
        for id in std::iter::once(parent).chain(children) {
            let _ = kill_process(id, signal);
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.parent(), signal).expect("the server is there");
    }

    fn parent(&self) -> Pid {
        let file = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).expect("it runs");
        let id = file.lines().next().and_then(|line| line.parse().ok());
        id.and_then(Pid::from_raw).expect("a process id")
    }

    /// Waits for its end, and ends the shell.
    fn gone(&mut self) {
        let Some(mut shell) = self.shell.take() else { return };
        drop(shell.stdin.take());
        let _ = shell.wait();
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let line = owned(program, &arguments);
        let ran = Command::new(&line[0]).args(&line[1..]).current_dir(&self.folder).output();
        let ran = ran.expect("the program runs");
        assert!(ran.status.success(), "{program}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.shell.is_some() {
            self.hold(false);
        }
        self.gone();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Gives a folder to who runs the servers.
fn own(folder: &Path) {
    if rustix::process::geteuid().is_root() {
        let owned = Command::new("chown").arg("postgres").arg(folder).status();
        assert!(owned.expect("chown runs").success(), "there is no user postgres");
    }
}

/// The command line of one of PostgreSQL's programs, which refuse to run as root.
fn owned(program: &str, arguments: &[String]) -> Vec<String> {
    let mut line = Vec::new();
    if rustix::process::geteuid().is_root() {
        line.extend(["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"].map(str::to_owned));
    }
    line.push(programs().join(program).display().to_string());
    line.extend_from_slice(arguments);
    line
}

/// Where PostgreSQL's programs are: Debian keeps them off the PATH; the newest wins.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort_by_key(|folder| {
        let version = folder.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        version.and_then(|version| version.parse::<u32>().ok())
    });
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).find(|folder| folder.join("initdb").exists());
    folders.pop().or(on_path).expect("PostgreSQL's server is missing: install Debian's package 'postgresql'")
}

/// Whether a process is there and not yet only a name (state Z of proc_pid_stat(5)).
fn is_going(id: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", id.as_raw_nonzero()));
    stat.is_ok_and(|stat| !stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['Z', 'X'])))
}

/// The processes whose parent this is.
fn children(parent: Pid) -> Vec<Pid> {
    let parent = parent.as_raw_nonzero().to_string();
    let listed = Command::new("ps").args(["-o", "pid=", "--ppid", &parent]).output().expect("ps runs");
    let ids = String::from_utf8_lossy(&listed.stdout).into_owned();
    ids.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect()
}
