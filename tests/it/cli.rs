//! The program from outside: what it prints, where, and how it exits.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

fn vestibule(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn folder(test: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{test}"));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn help_tells_examples_and_exit_codes() {
    let help = vestibule(&["--help"], &[]);
    assert_eq!(help.status.code(), Some(0));
    for text in
        ["serve", "config", "user", "contract", "completions", "man", "Examples:", "70  an error inside"]
    {
        assert!(out(&help).contains(text), "{text}");
    }
    for command in
        [&["serve"][..], &["config", "show"], &["user", "list"], &["user", "verify"], &["contract", "show"]]
    {
        let help = vestibule(&[command, &["--help"]].concat(), &[]);
        assert!(out(&help).contains("Examples:"), "{command:?}");
    }
    assert!(out(&vestibule(&["--version"], &[])).starts_with("vestibule "));
}

#[test]
fn usage_mistakes_exit_with_2_and_say_so_on_standard_error() {
    for arguments in [&[][..], &["sevre"], &["serve", "--lisen", "x"], &["config", "show", "--set", "listen"]]
    {
        let output = vestibule(arguments, &[]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(out(&output).is_empty() && !err(&output).is_empty(), "{arguments:?}");
    }
}

#[test]
fn the_default_configuration_is_a_configuration_file() {
    let printed = vestibule(&["config", "default"], &[]);
    assert_eq!(out(&printed), include_str!("../../config.default.toml"));
    let file = folder("default").join("vestibule.toml");
    std::fs::write(&file, out(&printed)).unwrap();
    let shown = vestibule(&["config", "show", "--config", file.to_str().unwrap()], &[]);
    assert_eq!(shown.status.code(), Some(0), "{}", err(&shown));
    assert_eq!(out(&shown), out(&vestibule(&["config", "show"], &[])));
}

#[test]
fn what_is_shown_without_secrets_can_be_loaded_again() {
    let shown =
        vestibule(&["config", "show", "--origin", "--contract", "knex@/v1", "--set", "log.level=debug"], &[]);
    let file = folder("again").join("shown.toml");
    std::fs::write(&file, out(&shown)).unwrap();
    let again = vestibule(&["config", "show"], &[("VESTIBULE_CONFIG", file.to_str().unwrap())]);
    assert!(out(&again).contains("contracts = [\"knex@/v1\"]\n"), "{}", err(&again));
    assert!(out(&again).contains("log.level = \"debug\"\n"));
}

#[test]
fn origins_are_shown_and_secrets_are_not() {
    let file = folder("origins").join("my.toml");
    std::fs::write(&file, "shutdown_grace = \"1s\"\n").unwrap();
    let file = file.to_str().unwrap();
    let environment = [
        ("VESTIBULE_TOKEN_SECRET", "a real secret of thirty-two bytes"),
        ("VESTIBULE_SECRETS_APP", "a real one"),
        ("VESTIBULE_DATABASE", "postgres://u:real@h/d"),
    ];
    let arguments =
        ["config", "show", "--origin", "--config", file, "--listen", "[::1]:9", "--set", "log.format=json"];
    let shown = vestibule(&arguments, &environment);
    let lines: Vec<String> =
        out(&shown).lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let grace = format!("shutdown_grace = \"1s\" # {file}:1:18");
    for line in [
        "listen = \"[::1]:9\" # flag --listen",
        "database = \"postgres://u:***@h/d\" # environment variable VESTIBULE_DATABASE",
        "token_secret = \"***\" # environment variable VESTIBULE_TOKEN_SECRET",
        "# token_secret_file is not set",
        "secrets.app = \"***\" # environment variable VESTIBULE_SECRETS_APP",
        "log.format = \"json\" # flag --set log.format",
        "log.level = \"info\" # default",
        &grace,
    ] {
        assert!(lines.iter().any(|shown| shown == line), "{line}\n{}", out(&shown));
    }
    assert!(!out(&shown).contains("real"));

    let json = vestibule(&[&arguments[..], &["--json"]].concat(), &environment);
    let object: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(object["listen"]["origin"], "flag --listen");
    assert_eq!(object["token_secret"]["value"], "***");
    assert_eq!(object["token_secret_file"]["value"], serde_json::Value::Null);
}

#[test]
fn all_problems_are_told_at_once_and_exit_with_2() {
    let environment = [("VESTIBULE_LISTEN", "here"), ("VESTIBULE_LISTN", "x"), ("NO_COLOR", "1")];
    let output = vestibule(&["serve", "--set", "limits.connections=none"], &environment);
    assert_eq!(output.status.code(), Some(2));
    assert!(out(&output).is_empty());
    for text in [
        "environment variable VESTIBULE_LISTEN",
        "unknown environment variable `VESTIBULE_LISTN`",
        "flag --set limits.connections",
        "3 problems in the configuration",
    ] {
        assert!(err(&output).contains(text), "{text}\n{}", err(&output));
    }
    assert!(!err(&output).contains('\x1b'));
}

#[test]
fn a_file_in_the_working_directory_is_not_read_unless_it_is_named() {
    let folder = folder("implicit");
    std::fs::write(folder.join("vestibule.toml"), "this is not TOML").unwrap();
    let show = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
        command.args(["config", "show"]).args(arguments).env_clear().current_dir(&folder).output().unwrap()
    };
    assert_eq!(show(&[]).status.code(), Some(0));
    let named = show(&["--config", "vestibule.toml"]);
    assert_eq!(named.status.code(), Some(2));
    assert!(err(&named).contains("--> vestibule.toml:1:6"), "{}", err(&named));
    assert_eq!(show(&["--config", "missing.toml"]).status.code(), Some(2));
}

#[test]
fn completions_and_manual_pages_are_made_from_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = vestibule(&["completions", shell], &[]);
        assert!(out(&output).contains("completions") && out(&output).contains("contract"), "{shell}");
    }
    assert!(out(&vestibule(&["man"], &[])).contains(".TH vestibule 1"));
    let folder = folder("man").join("made");
    let output = vestibule(&["man", folder.to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    for page in ["vestibule.1", "vestibule-serve.1", "vestibule-config-show.1", "vestibule-user-verify.1"] {
        assert!(folder.join(page).is_file(), "{page}");
    }
    assert_eq!(vestibule(&["man", "/dev/null/x"], &[]).status.code(), Some(3));
}

#[test]
#[cfg(unix)]
fn a_closed_pipe_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .args(["config", "default"])
        .env_clear()
        .stdout(closed_pipe())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let failing = Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .args(["serve", "--listen", "x"])
        .env_clear()
        .stderr(closed_pipe())
        .status()
        .unwrap();
    assert_eq!(failing.code(), Some(2));
}

#[test]
#[cfg(unix)]
fn a_server_whose_announcement_nobody_reads_serves() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env_clear()
        .current_dir(folder("unread"))
        .stdout(closed_pipe())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let serves = log.any(|line| line.contains(r#""message":"serving""#));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(serves);
}

/// The writing end of a pipe that nobody reads.
fn closed_pipe() -> std::io::PipeWriter {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer
}

#[test]
#[cfg(unix)]
fn a_variable_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let value = std::ffi::OsStr::from_bytes(b"\xff");
    let output = Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .args(["config", "show"])
        .env_clear()
        .env("VESTIBULE_LISTEN", value)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("VESTIBULE_LISTEN is not valid UTF-8"));
}
