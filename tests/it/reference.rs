//! `docs/*.md`: the tables of words are those of the parser, and every example is loaded and run.
//!
//! | block | is |
//! |---|---|
//! | `toml` | a whole contract |
//! | `toml field` | one more field of the last whole contract |
//! | `toml outcome` | more tables for the last whole contract |
//! | `http` | an exchange with the contract above it; headers that are not shown are not compared |

use std::fs;
use std::path::{Path, PathBuf};

use vestibule::contract::language::{self, Word};
use vestibule::contract::{self, Contract};

use crate::goldens::wire;
use crate::harness::database::Database;
use crate::harness::server::Server;

fn pages() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let pages = fs::read_dir(folder).expect("docs").flatten().map(|e| e.path());
    let mut pages: Vec<PathBuf> = pages.filter(|p| p.extension().is_some_and(|e| e == "md")).collect();
    pages.sort();
    pages.into_iter().map(|path| (path.clone(), fs::read_to_string(path).expect("a page"))).collect()
}

#[test]
fn tables_of_words_are_those_of_the_parser() {
    for (path, text) in pages() {
        let made = with_tables(&text);
        if made != text && std::env::var_os("VESTIBULE_BLESS").is_some() {
            fs::write(&path, &made).expect("the page can be written");
        } else {
            let hint = "VESTIBULE_BLESS=1 scripts/test reference writes the tables";
            assert_eq!(made, text, "{} is stale; {hint}", path.display());
        }
    }
}

/// The page with every table between its markers made anew.
fn with_tables(text: &str) -> String {
    const OPEN: &str = "<!-- words: ";
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        let line_end = at + rest[at..].find('\n').expect("a marker has a line of its own") + 1;
        let end = rest.find("<!-- end -->").expect("a table has an end");
        let name = rest[at + OPEN.len()..line_end].trim().trim_end_matches("-->").trim();
        out.push_str(&rest[..line_end]);
        out.push_str(&table(name));
        out.push_str("<!-- end -->");
        rest = &rest[end + "<!-- end -->".len()..];
    }
    out + rest
}

fn table(name: &str) -> String {
    let demand = |w: &&Word| language::DEMANDS.contains(&w.name);
    let words: Vec<&Word> = match name {
        "CONTRACT" => language::CONTRACT.iter().collect(),
        "REGISTER" => language::REGISTER.iter().collect(),
        "FIELD" => language::FIELD.iter().collect(),
        "RULE demands" => language::RULE.iter().filter(demand).collect(),
        "RULE says" => language::RULE.iter().filter(|w| !demand(w)).collect(),
        "SAYS" => language::SAYS.iter().collect(),
        "TOKEN" => language::TOKEN.iter().collect(),
        "REPLY" => language::REPLY.iter().collect(),
        other => panic!("there is no table {other}"),
    };
    let row = |w: &&Word| {
        let (default, about) = (w.default.replace('|', "\\|"), w.about.replace('|', "\\|"));
        format!("| `{}` | {default} | {about} |\n", w.name)
    };
    let rows: String = words.iter().map(row).collect();
    format!("| word | default | meaning |\n|---|---|---|\n{rows}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn examples_do_what_they_show() {
    let mut run = 0;
    for (path, text) in pages() {
        let (mut whole, mut current) = (String::new(), String::new());
        for (kind, block) in blocks(&text) {
            let place = format!("{}:\n{block}", path.display());
            match kind {
                "toml" => {
                    whole = block.to_owned();
                    current = whole.clone();
                    load(&current, &place);
                }
                "toml field" => {
                    current = whole.replacen("fields = [", &format!("fields = [\n{block},"), 1);
                    load(&current, &place);
                }
                "toml outcome" => {
                    current = format!("{whole}\n{block}");
                    load(&current, &place);
                }
                "http" => {
                    exchange(load(&current, &place), block, &place).await;
                    run += 1;
                }
                _ => {}
            }
        }
    }
    assert!(run > 2, "no example was run");
}

/// The fenced blocks of a page: what stands behind the fence, and the text.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("\n```") {
        let kind_end = at + 4 + rest[at + 4..].find('\n').expect("a fence has a line of its own");
        let end = kind_end + rest[kind_end..].find("\n```").expect("a fence is closed");
        out.push((rest[at + 4..kind_end].trim(), rest[kind_end..end].trim_matches('\n')));
        rest = &rest[end + 4..];
    }
    out
}

fn load(text: &str, place: &str) -> Contract {
    let loaded = contract::load(text);
    let shown = contract::render("example", text, &loaded.complaints, false);
    loaded.contract.unwrap_or_else(|| panic!("{place}\n{shown}"))
}

async fn exchange(contract: Contract, block: &str, place: &str) {
    let database = Database::sqlite();
    let server = Server::start("example", contract, database.open().await).await;
    let parts: Vec<&str> = block.split("\n---\n").collect();
    for pair in parts.chunks(2) {
        let answer = String::from_utf8(server.exchange(&wire(pair[0])).await).expect("the answer is text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("the answer has a head");
        let (shown_head, shown_body) = pair[1].split_once("\n\n").unwrap_or((pair[1], ""));
        for line in shown_head.lines() {
            assert!(head.lines().any(|l| l == line), "{place}\nthe answer has no line {line:?}:\n{head}");
        }
        assert_eq!(body, shown_body.trim_end(), "{place}");
    }
    drop(server);
    database.remove().await;
}
