//! Old backends: other programs that listen on a free port of the loopback address and say which.
//!
//! Each is the child of a shell that waits for the end of its standard input, which this process holds open: however
//! the test ends, the pipe closes and the backend goes with it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Leaves the tests on real backends out.
const WITHOUT: &str = "VESTIBULE_WITHOUT_BACKENDS";

/// A running backend.
pub(crate) struct Backend {
    /// Scheme, host and port.
    pub(crate) url: String,
    shell: Child,
}

impl Backend {
    /// `tests/backends/express`, with one planted difference or none.
    pub(crate) fn express(plant: u8) -> Backend {
        let mut node = Command::new("node");
        node.arg(source("express/server.js"));
        node.env("NODE_PATH", prepared().join("express/node_modules")).env("BCRYPT_ROUNDS", "4");
        Backend::start(&planted(node, plant))
    }

    /// `tests/backends/flask`, with one planted difference or none.
    pub(crate) fn flask(plant: u8) -> Backend {
        let mut python = Command::new(prepared().join("flask/bin/python"));
        python.arg(source("flask/app.py")).env("HASH_METHOD", "pbkdf2:sha256:1000");
        Backend::start(&planted(python, plant))
    }

    /// Vestibule itself, from outside.
    pub(crate) fn vestibule(folder: &Path, contract: &str) -> Backend {
        let mut serve = Command::new(env!("CARGO_BIN_EXE_vestibule"));
        let database = format!("sqlite://{}", folder.join("old.db").display());
        serve.args(["serve", "--listen", "127.0.0.1:0", "--contract", contract, "--database", &database]);
        serve.args(["--set", "log.level=warn", "--set", "passwords.deadline=100s"]);
        Backend::start(&serve)
    }

    fn start(program: &Command) -> Backend {
        let mut shell = Command::new("sh");
        // The backend itself reads nothing; the shell ends it when this process closes the pipe. The shell lets go of
        // standard output, so that a backend that does not start is noticed and not waited for.
        let script = "\"$@\" </dev/null & child=$!; exec >&-; cat >/dev/null; kill $child; wait $child";
        shell.args(["-c", script, "sh"]);
        // What configures the tests is not for the program: it refuses variables that it does not know.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("VESTIBULE_")) {
                shell.env_remove(name);
            }
        }
        shell.arg(program.get_program()).args(program.get_args());
        shell.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell starts");
        let output = shell.stdout.take().expect("standard output is piped");
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let line = lines.find(|line| line.contains("http://127.0.0.1:"));
        let line = line.unwrap_or_else(|| panic!("{program:?} does not start; it said why above"));
        // Nobody reads on, and a full pipe would stop the backend.
        std::thread::spawn(move || lines.for_each(drop));
        let start = line.find("http://").expect("it was found above");
        let url = line[start..].split_whitespace().next().unwrap_or_default().to_owned();
        Backend { url, shell }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// Whether the tests on real backends run; leaving them out is somebody's decision and never a guess.
pub(crate) fn wanted() -> bool {
    let wanted = std::env::var(WITHOUT).as_deref() != Ok("1");
    if !wanted {
        #[expect(clippy::print_stderr, reason = "a test that proves nothing says so")]
        {
            eprintln!("nothing was proved on the old backends: {WITHOUT}=1");
        }
    }
    wanted
}

/// What a widget makes of a challenge: `tests/backends/altcha`, by the code of "worker" or "widget".
pub(crate) fn altcha(challenge: &str, by: &str) -> String {
    let mut node = Command::new("node");
    node.arg(source("altcha/solve.mjs")).arg(prepared().join("altcha")).arg(by);
    filtered(node, challenge)
}

/// What the guide's script makes of a challenge: the Python in `docs/proof-of-work.md`.
pub(crate) fn script_of_the_guide(challenge: &str) -> String {
    let guide = include_str!("../../../docs/proof-of-work.md");
    let (_, script) = guide.split_once("```python\n").expect("a script");
    let (script, _) = script.split_once("```").expect("its end");
    let mut python = Command::new("python3");
    python.args(["-c", script]);
    filtered(python, challenge).trim_end().to_owned()
}

/// What a program that reads to the end of its input makes of this.
fn filtered(mut program: Command, input: &str) -> String {
    let mut program = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    program.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
    let done = program.wait_with_output().expect("it ends");
    assert!(done.status.success(), "it said why above");
    String::from_utf8(done.stdout).expect("ASCII")
}

fn planted(mut program: Command, plant: u8) -> Command {
    program.env("PLANT", plant.to_string()).env("PORT", "0");
    program
}

fn source(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/backends").join(file)
}

/// Where the backends' libraries are; installed by the script when they are not there yet.
fn prepared() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("backends");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/prepare-backends");
        let done = Command::new(script).arg(&folder).status().expect("scripts/prepare-backends starts");
        assert!(
            done.success(),
            "the old backends could not be prepared; scripts/prepare-backends said why above"
        );
        folder
    })
}
