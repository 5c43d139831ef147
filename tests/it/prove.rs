//! `vestibule contract prove` from outside: against real backends, against Vestibule itself, against nothing.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use serde_json::{Value as Json, json};

use crate::harness::backend::{Backend, wanted};
use crate::harness::folder::Folder;

fn prove(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .args(["contract", "prove"])
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .expect("vestibule runs")
}

/// The report for programs, and the exit code.
fn proof(contract: &str, url: &str, more: &[&str]) -> (Json, Option<i32>) {
    let output = prove(&[&[contract, "--against", url, "--rate", "10000/s", "--json"], more].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"));
    (report, output.status.code())
}

/// The differences, each once: where, old, Vestibule.
fn distinct(report: &Json) -> Vec<(String, String, String)> {
    let text = |d: &Json, key: &str| d[key].as_str().expect("text").to_owned();
    let list = report["summary"]["differences"].as_array().expect("a list");
    list.iter().map(|d| (text(d, "at"), text(d, "old"), text(d, "vestibule"))).collect()
}

fn differing(report: &Json) -> BTreeSet<&str> {
    let cases = report["cases"].as_array().expect("a list");
    cases.iter().filter(|c| c["alike"] == false).map(|c| c["name"].as_str().expect("a name")).collect()
}

fn names(report: &Json) -> BTreeSet<&str> {
    report["cases"].as_array().expect("a list").iter().filter_map(|c| c["name"].as_str()).collect()
}

/// What a planted difference must look like: where, old, Vestibule, and the cases that show it (all that make an
/// account when none are named).
type Planted<'p> = (u8, &'p str, &'p str, &'p str, &'p [&'p str]);

fn finds_what_is_planted(contract: &str, start: fn(u8) -> Backend, planted: &[Planted<'_>]) {
    let backend = start(0);
    let (matching, code) = proof(contract, &backend.url, &[]);
    assert_eq!(distinct(&matching), [], "{matching:#}");
    assert_eq!(code, Some(0));
    let created: BTreeSet<&str> = matching["cases"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|case| {
            case["exchanges"].as_array().expect("a list").iter().any(|e| e["old"]["status"] == 201)
        })
        .map(|case| case["name"].as_str().expect("a name"))
        .collect();
    assert!(created.len() >= 8 && names(&matching).len() >= 30, "{created:?}");
    for &(plant, at, old, new, cases) in planted {
        let backend = start(plant);
        let (report, code) = proof(contract, &backend.url, &[]);
        let expected = [(at.to_owned(), old.to_owned(), new.to_owned())];
        assert_eq!(distinct(&report), expected, "{contract}, plant {plant}");
        let cases = if cases.is_empty() { created.clone() } else { cases.iter().copied().collect() };
        assert_eq!(differing(&report), cases, "{contract}, plant {plant}");
        assert_eq!(code, Some(1));
    }
}

#[test]
fn every_difference_planted_in_express_is_found_and_no_other() {
    if !wanted() {
        return;
    }
    let addresses = [
        "all-empty",
        "all-missing",
        "all-null",
        "all-rules-broken",
        "all-wrong-type",
        "email-no-address",
        "email-without-domain",
        "email-without-dot",
        "email-wrong-type-array",
        "email-wrong-type-boolean",
        "email-wrong-type-number",
        "email-wrong-type-object",
        "empty-body",
        "empty-email",
        "missing-email",
        "null-email",
    ];
    finds_what_is_planted(
        "express",
        Backend::express,
        &[
            (1, "status", "200", "201", &[]),
            (2, "$.user.createdAt", "calls it \"created_at\"", "\"createdAt\"", &[]),
            (3, "$.errors[*].msg", "\"Invalid value\"", "\"Invalid email\"", &addresses),
            (4, "$.token exp - iat", "2h", "1h", &[]),
            (5, "status", "201", "400", &["duplicate-email-other-case"]),
        ],
    );
}

#[test]
fn every_difference_planted_in_flask_is_found_and_no_other() {
    if !wanted() {
        return;
    }
    let types = [
        "username-wrong-type-array",
        "username-wrong-type-boolean",
        "username-wrong-type-number",
        "username-wrong-type-object",
    ];
    finds_what_is_planted(
        "flask",
        Backend::flask,
        &[
            (1, "status", "200", "201", &[]),
            (2, "$.username", "calls it \"user_name\"", "\"username\"", &[]),
            (
                3,
                "$.error",
                "\"user exists\"",
                "\"existing user\"",
                &["duplicate", "duplicate-username-other-case"],
            ),
            (4, "status", "201", "400", &types),
            (5, "status", "201", "400", &["duplicate-username-other-case"]),
        ],
    );
}

#[test]
fn vestibule_answers_like_itself_and_unlike_another_contract() {
    for contract in ["knex", "envelope"] {
        let folder = Folder::new();
        let old = Backend::vestibule(folder.path(), contract);
        let (report, code) = proof(contract, &old.url, &[]);
        assert_eq!((distinct(&report), code), (vec![], Some(0)), "{contract}: {report:#}");
    }
    let folder = Folder::new();
    let ours = include_str!("../../contracts/knex.toml").replace("\"last_name\": ", "\"surname\": ");
    let file = folder.path().join("ours.toml");
    std::fs::write(&file, ours.replace("is required", "is missing")).expect("the folder is writable");
    let old = Backend::vestibule(folder.path(), "knex@/api");
    let (report, code) = proof(&file.display().to_string(), &format!("{}/api", old.url), &[]);
    assert_eq!(code, Some(1));
    let told: BTreeSet<String> =
        distinct(&report).into_iter().map(|(at, old, new)| format!("{at}: {old}, {new}")).collect();
    for line in [
        "$.surname: calls it \"last_name\", \"surname\"",
        "$.errors[*].message: \"email is required\", \"email is missing\"",
        "$.errors[*].message: \"password is required\", \"password is missing\"",
    ] {
        assert!(told.contains(line), "{line}\n{told:?}");
    }
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(report["left_behind"].as_array().is_some_and(|list| list.len() >= 8));
}

#[test]
fn it_says_what_it_does_and_stays_within_bounds() {
    let folder = Folder::new();
    let old = Backend::vestibule(folder.path(), "flask");
    let page = folder.path().join("proof.html");
    let arguments = ["flask", "--against", &old.url, "--count", "5", "--rate", "1000/s", "--seed", "9"];
    let output = prove(&[&arguments[..], &["--html", &page.display().to_string()]].concat());
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    let first =
        format!("5 requests go to {}/users, at most 1000 a second, and nowhere else (seed 9)", old.url);
    assert!(err.contains(&first) && err.contains("cases are left out: --count allows 5 requests"), "{err}");
    assert!(
        out.starts_with("alike   all-fields\n") && out.contains("\n5 cases, 5 requests: no differences\n"),
        "{out}"
    );
    assert!(out.contains("nothing was removed:\n  prove-9-1\n") && !out.contains('\x1b'), "{out}");
    let page = std::fs::read_to_string(page).expect("the page was written");
    assert!(
        page.starts_with("<!doctype html>") && page.contains("No differences") && page.contains("prove-9-1")
    );
    // The same seed again: the addresses are in use, and the old backend says so.
    let (report, code) = proof("flask", &old.url, &["--seed", "9", "--case", "all-fields"]);
    assert_eq!((code, names(&report).len()), (Some(1), 1));
    assert_eq!(distinct(&report), [("status".to_owned(), "400".to_owned(), "201".to_owned())]);
}

#[test]
fn what_cannot_be_proved_is_refused_with_the_reason() {
    // Nobody but root could listen there.
    let closed = "http://127.0.0.1:1".to_owned();
    for (arguments, code, reason) in [
        (&["flask"][..], 2, "say where the old backend runs (--against URL)"),
        (&["flask", "--against", &closed], 3, "is not there (after 0 answers)"),
        (&["flask", "--against", "https://old.test"], 2, "https is not spoken here"),
        (&["flask", "--against", "http://u:p@old.test"], 2, "would be shown in reports"),
        (&["flask", "--against", &closed, "--case", "mising-username"], 2, "did you mean missing-username?"),
        (
            &["flask", "--against", &closed, "--header", "Content-Length: 1"],
            2,
            "for each request itself to say",
        ),
        (&["flask", "--against", &closed, "--rate", "0/s"], 2, "write a number of requests a second"),
        (&["flask", "--har", "/nowhere.har"], 3, "No such file"),
        (&["nothing", "--against", &closed], 2, "neither a shipped contract"),
    ] {
        let output = prove(arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(told.contains(reason), "{arguments:?}: {told}");
    }
    let list = prove(&["flask", "--list"]);
    let told = String::from_utf8_lossy(&list.stdout);
    assert!(list.status.success() && told.contains("missing-username") && told.contains("CASE"), "{told}");
}

#[test]
fn redirects_are_compared_and_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let old = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", old.local_addr().expect("an address"));
    let location = format!("http://{}/users", elsewhere.local_addr().expect("an address"));
    let answer =
        format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = old.accept().expect("one connection");
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        while !request.ends_with(b"}") {
            let read = stream.read(&mut buffer).expect("a request");
            assert!(read > 0, "the request ended too early");
            request.extend_from_slice(&buffer[..read]);
        }
        stream.write_all(answer.as_bytes()).expect("an answer");
        String::from_utf8_lossy(&request).into_owned()
    });
    let (report, code) =
        proof("flask", &url, &["--case", "all-fields", "--header", "X-Key: k", "--seed", "3"]);
    let request = heard.join().expect("the old backend was asked");
    assert!(
        request.starts_with("POST /users HTTP/1.1\r\n") && request.contains("\r\nx-key: k\r\n"),
        "{request}"
    );
    assert!(request.ends_with("{\"username\":\"prove-3-1\",\"password\":\"Vestibule-Pr0ve\"}"), "{request}");
    assert_eq!(code, Some(1));
    assert_eq!(distinct(&report), [("status".to_owned(), "307".to_owned(), "201".to_owned())]);
    assert_eq!(report["left_behind"], json!([]));
    elsewhere.set_nonblocking(true).expect("a listener");
    assert!(elsewhere.accept().is_err(), "a redirect was followed");
}

fn recorded(body: &str, status: u16, answer: &str) -> Json {
    json!({
        "startedDateTime": "2024-06-10T12:34:56.789Z",
        "request": {
            "method": "POST",
            "url": "https://old.test/users",
            "headers": [{ "name": "Content-Type", "value": "application/json" }],
            "postData": { "mimeType": "application/json", "text": body },
        },
        "response": {
            "status": status,
            "headers": [{ "name": "Content-Type", "value": "application/json" }],
            "content": { "size": answer.len(), "mimeType": "application/json", "text": answer },
        },
    })
}

#[test]
fn recorded_traffic_is_compared_with_what_was_recorded() {
    let folder = Folder::new();
    let file = folder.path().join("old.har");
    let har = json!({ "log": { "version": "1.2", "entries": [
        recorded("{\"username\":\"ann\",\"password\":\"hunter22\"}", 201, "{\"username\":\"ann\"}"),
        recorded("{\"username\":\"ANN\",\"password\":\"hunter22\"}", 400, "{\"error\":\"existing user\"}"),
        recorded("{\"username\":\"bob\"}", 400, "{\"error\":\"missing hunter22\"}"),
    ] } });
    std::fs::write(&file, har.to_string()).expect("the folder is writable");
    let file = file.display().to_string();
    let output = prove(&["flask", "--har", &file]);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("nothing is sent anywhere"), "{err}");
    assert!(out.starts_with("alike   har-1\nalike   har-2\ndiffers har-3"), "{out}");
    assert!(out.contains("$.error: old \"missing hunter22\", Vestibule \"missing arguments\""), "{out}");
    // The recorded passwords are nobody's to see.
    let json = prove(&["flask", "--har", &file, "--json"]);
    let told = String::from_utf8_lossy(&json.stdout);
    let report: Json = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(
        report["cases"][0]["exchanges"][0]["request"]["body"],
        "{\"username\":\"ann\",\"password\":\"***\"}"
    );
    assert_eq!(told.matches("hunter22").count(), 3, "only where no password stands: {told}");

    let old = Backend::vestibule(folder.path(), "flask");
    let (report, code) = proof("flask", &old.url, &["--har", &file]);
    assert_eq!((code, report["left_behind"].clone()), (Some(0), json!(["ann"])), "{report:#}");
}
