//! Imports point up the map of `src/lib.rs` only, and a few things live in one room only.

mod circles;
mod patterns;

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms in reading order, in groups; the members of a group do not import each other.
fn rooms() -> Vec<Vec<String>> {
    let map = fs::read_to_string(root().join("lib.rs")).expect("src/lib.rs");
    let code: Vec<&str> = map.lines().filter(|l| !l.starts_with("//!") && !l.starts_with('#')).collect();
    let groups = code.split(|l| l.trim().is_empty()).filter(|group| !group.is_empty());
    groups.map(|group| group.iter().filter_map(|l| room(l)).collect()).collect()
}

fn room(line: &str) -> Option<String> {
    line.strip_prefix("pub mod ")?.strip_suffix(';').map(str::to_owned)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources(path: &Path, out: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder").flatten() {
            sources(&entry.path(), out);
        }
    } else if path.extension().is_some_and(|e| e == "rs") {
        out.push(path.to_owned());
    }
}

/// The files of a room, with their code (comments left out).
fn files(room: &str) -> Vec<(PathBuf, String)> {
    let mut paths = Vec::new();
    for path in [root().join(room), root().join(format!("{room}.rs"))] {
        if path.exists() {
            sources(&path, &mut paths);
        }
    }
    let code = |path: &Path| {
        let text = fs::read_to_string(path).expect("a source file");
        text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    };
    // What is compiled for tests alone may look anywhere.
    paths.retain(|path| !path.ends_with("tests.rs") && !path.ends_with("fuzz.rs"));
    paths.into_iter().map(|path| (path.clone(), code(&path))).collect()
}

/// The rooms that a piece of code imports from, also from lists: `use crate::{a, b::C}`.
fn imports(code: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (i, _) in code.match_indices("crate::") {
        let rest = &code[i + "crate::".len()..];
        let name =
            |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        match rest.strip_prefix('{') {
            Some(list) => {
                let list = &list[..list.find(';').unwrap_or(list.len())];
                let mut depth = 0;
                for part in list.split_inclusive([',', '{', '}']) {
                    if depth == 0 {
                        out.push(name(part.trim()));
                    }
                    depth += part.matches('{').count() as i32 - part.matches('}').count() as i32;
                }
            }
            None => out.push(name(rest)),
        }
    }
    out.retain(|name| !name.is_empty());
    out
}

#[test]
fn imports_point_up_the_map() {
    let groups = rooms();
    let all: Vec<&String> = groups.iter().flatten().collect();
    assert!(all.len() >= 10, "the map was not understood: {all:?}");
    let mut wrong = Vec::new();
    for (i, group) in groups.iter().enumerate() {
        let above: Vec<&String> = groups[..i].iter().flatten().collect();
        for room in group {
            for (path, code) in files(room) {
                for import in imports(&code) {
                    if import != *room && all.contains(&&import) && !above.contains(&&import) {
                        wrong.push(format!("{}: `{room}` must not import `{import}`", path.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_import_in_any_form_is_found() {
    assert_eq!(imports("use crate::store::Store;"), ["store"]);
    assert_eq!(imports("use crate::{app::{App, Mounted}, http};"), ["app", "http"]);
}

#[test]
fn what_belongs_to_one_room_stays_there() {
    // What, in which rooms alone.
    let rules: [(&str, &[&str]); 6] = [
        ("rusqlite::", &["store"]),
        ("tokio_postgres::", &["store"]),
        ("StatusCode", &["http", "contract"]),
        ("argon2::", &["password"]),
        ("println!", &[]),
        ("Timestamp::now", &["clock"]),
    ];
    let mut wrong = Vec::new();
    for room in rooms().iter().flatten() {
        for (path, code) in files(room) {
            for (what, allowed) in rules {
                if code.contains(what) && !allowed.contains(&room.as_str()) {
                    wrong.push(format!("{}: `{what}` does not belong in `{room}`", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
