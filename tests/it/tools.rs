//! The contract tools from outside: `contract check`, `try` and `new`. What they print is kept under `tests/it/tools`;
//! `VESTIBULE_BLESS=1 scripts/test tools` accepts what they print now.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::harness::folder::Folder;

/// Every kept print.
const GOLDENS: [&str; 11] = [
    "check.txt",
    "check-json.txt",
    "new-express.txt",
    "try-created.txt",
    "try-example.txt",
    "try-guarded.txt",
    "try-guarded-json.txt",
    "try-guarded-taken.txt",
    "try-invalid.txt",
    "try-locked.txt",
    "try-malformed.txt",
];

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tools")
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts/examples")
}

/// Runs `vestibule contract ..` in a folder, with `input` on standard input.
fn contract_in(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .arg("contract")
        .args(arguments)
        .env_clear()
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    // Who does not read its standard input may close it early.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

fn contract(arguments: &[&str]) -> Output {
    contract_in(&here(), arguments, "")
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("UTF-8")
}

/// Compares a whole run with what is kept.
fn golden(name: &str, output: &Output) {
    assert!(GOLDENS.contains(&name), "{name} is not listed");
    let code = output.status.code().unwrap_or(-1);
    let now = format!("{}\n--- standard error\n{}--- exit code {code}\n", out(output), err(output));
    let path = here().join(name);
    if std::env::var_os("VESTIBULE_BLESS").is_some() {
        fs::write(&path, &now).expect("the golden can be written");
        return;
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == now, "{} differs; kept:\n{kept}\nnow:\n{now}", path.display());
}

#[test]
fn every_golden_belongs_to_a_test() {
    let files = fs::read_dir(here()).expect("the folder").flatten().map(|f| f.file_name());
    let names = files.map(|n| n.to_string_lossy().into_owned()).filter(|n| n.ends_with(".txt"));
    let stale: Vec<String> = names.filter(|n| !GOLDENS.contains(&n.as_str())).collect();
    assert!(stale.is_empty(), "{stale:?}");
}

#[test]
fn check_shows_every_mistake_of_every_file() {
    golden(
        "check.txt",
        &contract(&["check", "broken.toml", "guarded.toml", "../../../contracts/envelope.toml"]),
    );
    golden("check-json.txt", &contract(&["check", "--json", "broken.toml"]));
    let fine = contract(&["check", "guarded.toml"]);
    assert_eq!((fine.status.code(), out(&fine), err(&fine)), (Some(0), "", "1 file, 0 errors, 0 warnings\n"));
    let piped = contract_in(&here(), &["check", "-", "--json"], "[register]\npath = \"users\"\n");
    assert_eq!(piped.status.code(), Some(1));
    let list: Value = serde_json::from_slice(&piped.stdout).expect("JSON");
    assert!(list.as_array().is_some_and(|l| l.iter().any(|c| c["line"] == 2 && c["file"] == "-")), "{list}");
}

#[test]
fn check_cannot_check_what_it_cannot_read() {
    let missing = contract(&["check", "nowhere.toml", "guarded.toml"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(err(&missing).starts_with("error: cannot read nowhere.toml"), "{}", err(&missing));
    assert!(err(&missing).ends_with("1 file, 0 errors, 0 warnings\n"));
    assert_eq!(contract(&["check"]).status.code(), Some(2));
}

#[test]
fn try_shows_every_step() {
    let jane =
        r#"{"firstname":"Jane","lastname":"Doe","email":"jane.doe@example.com","password":"supersecret"}"#;
    golden("try-created.txt", &contract(&["try", "express", "-d", jane]));
    let broken = r#"{"firstname":"J","email":"nope","password":5,"more":[1]}"#;
    golden("try-invalid.txt", &contract(&["try", "express", "-d", broken]));
    golden("try-malformed.txt", &contract(&["try", "flask", "-d", "{\"username\":"]));
    golden("try-example.txt", &contract(&["try", "guarded.toml"]));
    golden("try-locked.txt", &contract(&["try", "guarded.toml", "-d", "user[email]=a@b.co"]));
    let arguments = [
        "try",
        "guarded.toml",
        "--data-urlencode",
        "user[email]= Ann@Example.com",
        "--data-urlencode",
        "user[password]=secret-77",
        "-H",
        "X-Api-Key: k",
        "--secret",
        "api_key=k",
        "--query",
        "lang=de",
    ];
    golden("try-guarded.txt", &contract(&arguments));
    golden("try-guarded-json.txt", &contract(&[&arguments[..], &["--json"]].concat()));
    golden("try-guarded-taken.txt", &contract(&[&arguments[..], &["--taken", "email"]].concat()));
}

#[test]
fn try_speaks_like_curl() {
    let secret = ["-H", "X-Api-Key: k", "--secret", "api_key=k"];
    let parts = ["try", "guarded.toml", "-F", "user[email]=a@b.co", "-F", "user[password]=secret-77"];
    let multipart = contract(&[&parts[..], &secret].concat());
    assert_eq!(multipart.status.code(), Some(0), "{}", out(&multipart));
    assert!(out(&multipart).contains("decoded as multipart"));
    let json = r#"{"user":{"email":"a@b.co","password":"secret-77"}}"#;
    let piped = contract_in(&here(), &[&["try", "guarded.toml", "-d", "@-"], &secret[..]].concat(), json);
    assert!(out(&piped).contains("decoded as json"), "{}", out(&piped));
    let xml = contract(&["try", "flask", "-d", "<a/>", "-H", "Content-Type: text/xml", "--silent"]);
    assert!(out(&xml).starts_with("HTTP/1.1 415 "), "{}", out(&xml));
    let seeds = ["1", "2"].map(|seed| {
        let run =
            contract(&[&["try", "guarded.toml", "-d", json, "-s", "--seed", seed], &secret[..]].concat());
        out(&run).to_owned()
    });
    assert_ne!(seeds[0], seeds[1]);
}

#[test]
fn try_plays_outcomes_and_refuses_what_makes_no_sense() {
    let busy = contract(&["try", "express", "--outcome", "busy", "-s"]);
    assert_eq!(busy.status.code(), Some(1));
    assert!(
        out(&busy).starts_with("HTTP/1.1 503 Service Unavailable\n")
            && out(&busy).contains("retry-after: 1\n")
    );
    let method = contract(&["try", "knex", "--outcome", "method_not_allowed", "-s"]);
    assert!(out(&method).contains("allow: POST\n"));
    let json = r#"{"username":"ann","password":"x"}"#;
    let taken = contract(&["try", "flask", "--outcome", "taken", "-d", json, "-s"]);
    assert!(out(&taken).ends_with(r#"{"error":"existing user"}"#), "{}", out(&taken));
    for (arguments, complaint) in [
        (&["try", "nobody"][..], "neither a shipped contract"),
        (&["try", "flask", "-d", "{}", "--outcome", "locked"], "this contract has: created"),
        (&["try", "flask", "-d", "{}", "--outcome", "invalid"], "send one that leads there"),
        (&["try", "flask", "-d", json, "--taken", "email"], "it claims username"),
        (&["try", "flask", "-d", json, "-H", "nothing"], "write 'Name: value'"),
        (&["try", "broken.toml", "-d", "{}"], "unknown word `formt`"),
    ] {
        let output = contract(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", err(&output));
        assert!(err(&output).contains(complaint), "{arguments:?}: {}", err(&output));
    }
}

/// A try answers what the server answers: the examples are the server's.
#[test]
fn try_answers_like_the_server() {
    let mut tried = 0;
    for (name, case, text) in documented() {
        let (request, reply) = exchange(&text);
        let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
        let whole = !text.contains("given:") && !text.contains("content-length: 65537") && case != "taken";
        if !whole || !head.starts_with("POST ") {
            continue;
        }
        let mut arguments = vec!["try", &name, "--silent", "-d", body];
        let headers: Vec<&str> = head.lines().skip(1).collect();
        headers.iter().for_each(|header| arguments.extend(["-H", header]));
        let output = contract(&arguments);
        // What is signed with another key has another signature.
        let plain = |text: &str| SIGNATURE.replace_all(text, "$1.***").trim_end().to_owned();
        assert_eq!(plain(out(&output)), plain(reply), "{name}/{case}");
        tried += 1;
    }
    assert!(tried > 20, "only {tried} examples were tried");
}

static SIGNATURE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(eyJ[\w-]+\.eyJ[\w-]+)\.[\w-]+").expect("the pattern is right"));

/// The documented exchanges of the shipped contracts.
fn documented() -> Vec<(String, String, String)> {
    let mut out = Vec::new();
    for name in ["knex", "flask", "express", "mongoose", "envelope"] {
        for file in fs::read_dir(examples().join(name)).expect("examples").flatten() {
            let case = file.path().file_stem().expect("a name").to_string_lossy().into_owned();
            out.push((name.to_owned(), case, fs::read_to_string(file.path()).expect("an example")));
        }
    }
    out
}

/// The first request and the last reply, without the remarks.
fn exchange(text: &str) -> (&str, &str) {
    let remarks: usize = text.split_inclusive('\n').take_while(|l| l.starts_with('#')).map(str::len).sum();
    let (request, rest) = text[remarks..].split_once("\n---\n").expect("a request and a reply");
    (request, rest.rsplit("\n---\n").next().expect("a reply"))
}

#[test]
fn new_starts_a_contract_that_answers_like_its_examples() {
    for name in ["knex", "flask", "express", "mongoose", "envelope"] {
        let folder = Folder::new();
        let file = |case: &str| examples().join(name).join(format!("{case}.http")).display().to_string();
        let (created, invalid, taken) = (file("created"), file("invalid"), file("taken"));
        let arguments =
            ["new", "--created", &created, "--invalid", &invalid, "--taken", &taken, "-o", "ours.toml"];
        let made = contract_in(folder.path(), &arguments, "");
        assert_eq!(made.status.code(), Some(0), "{name}: {}", err(&made));
        assert!(err(&made).contains("in the shape of the example"), "{name}: {}", err(&made));
        let checked = contract_in(folder.path(), &["check", "ours.toml"], "");
        assert_eq!(checked.status.code(), Some(0), "{name}: {}", out(&checked));

        let text = fs::read_to_string(&created).expect("an example");
        let (request, reply) = exchange(&text);
        let body = request.split_once("\n\n").expect("a body").1;
        let tried = contract_in(folder.path(), &["try", "ours.toml", "-s", "-d", body], "");
        assert_eq!(tried.status.code(), Some(0), "{name}: {}", out(&tried));
        let answer = |text: &str| -> Value {
            serde_json::from_str(text.split_once("\n\n").expect("a body").1).expect("JSON")
        };
        assert_eq!(shape(&answer(out(&tried))), shape(&answer(reply)), "{name}");
        assert_eq!(out(&tried).lines().next(), reply.lines().next(), "{name}");
        let ours = fs::read_to_string(folder.path().join("ours.toml")).expect("the file");
        assert!(!ours.contains("P@ssw0rd") && !ours.contains("supersecret"), "{ours}");
    }
}

/// Keys and kinds of values; times by their form, ids and tokens by how they look.
fn shape(json: &Value) -> Value {
    match json {
        Value::Object(members) => members.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::String(text) => {
            let like = |c: char| match c {
                '0'..='9' | 'a'..='z' | 'A'..='Z' => 'x',
                other => other,
            };
            if text.len() > 100 { "token".into() } else { text.chars().map(like).collect::<String>().into() }
        }
        Value::Number(number) => number.to_string().len().into(),
        other => other.clone(),
    }
}

#[test]
fn new_reads_everything_from_standard_input_and_overwrites_nothing() {
    let text = fs::read_to_string(examples().join("express/created.http")).expect("an example");
    let invalid =
        "---\n{\"errors\":[{\"msg\":\"Invalid email\",\"param\":\"email\",\"location\":\"body\"}]}\n";
    let arguments = ["new", "--title", "Ours", "--status", "taken=422"];
    golden("new-express.txt", &contract_in(&here(), &arguments, &format!("{text}{invalid}")));

    let folder = Folder::new();
    let request = r#"{"email":"ann@example.com","password":"secret-77"}"#;
    let write = |more: &[&str]| {
        contract_in(folder.path(), &[&["new", "--request", "-", "-o", "ours.toml"], more].concat(), request)
    };
    assert_eq!(write(&[]).status.code(), Some(0));
    let again = write(&["--path", "/join"]);
    assert_eq!(
        (again.status.code(), err(&again)),
        (Some(2), "error: ours.toml exists; --force overwrites it\n")
    );
    assert_eq!(write(&["--path", "/join", "--force"]).status.code(), Some(0));
    let text = fs::read_to_string(folder.path().join("ours.toml")).expect("the file");
    assert!(text.contains("path   = \"/join\"\n"), "{text}");

    for (arguments, input, complaint) in [
        (&["new"][..], "", "nothing was pasted"),
        (&["new"], "{\"a\":", "not JSON"),
        (&["new", "--request", "nowhere.json"], "", "cannot read nowhere.json"),
        (&["new", "--request", "-", "--created", "-"], "", "only one example"),
        (&["new", "--status", "busy=503"], "", "created, invalid and taken"),
        (&["new", "--path", "users"], "", "a path begins with /"),
    ] {
        let output = contract_in(&here(), arguments, input);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(err(&output).contains(complaint), "{arguments:?}: {}", err(&output));
    }
}

#[test]
fn every_tool_helps() {
    for (tool, words) in [
        ("check", &["Examples:", "Exit codes:", "TOML 1.1", "--json"][..]),
        ("try", &["Examples:", "Exit codes:", "--data-urlencode", "--taken", "--outcome", "--seed"]),
        ("new", &["Examples:", "Exit codes:", "--force", "curl -i"]),
    ] {
        let help = contract(&[tool, "--help"]);
        assert_eq!(help.status.code(), Some(0));
        words.iter().for_each(|word| assert!(out(&help).contains(word), "{tool}: {word}"));
    }
}
