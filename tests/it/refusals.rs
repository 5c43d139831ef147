//! Every complaint that the loader can make: `contracts/broken/<name>.toml`, and as `<name>.stderr` what is said
//! about it, excerpts and carets included. `VESTIBULE_BLESS=1 cargo test --test it refusals` writes what is said now.

use std::fs;
use std::path::{Path, PathBuf};

use vestibule::contract::{Level, load, render};

#[test]
fn broken_contracts_are_refused_in_these_words() {
    let mut differences = Vec::new();
    for path in with_extension("toml") {
        let file = fs::read_to_string(&path).expect("a broken contract");
        let said = said(&path, &file);
        let golden = path.with_extension("stderr");
        if std::env::var_os("VESTIBULE_BLESS").is_some() {
            fs::write(&golden, &said).expect("the words can be written");
            continue;
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if said != expected {
            differences.push(format!("{}:\n{said}", golden.display()));
        }
    }
    assert!(differences.is_empty(), "other words than before:\n{}", differences.join("\n"));
}

#[test]
fn no_words_are_stale() {
    for path in with_extension("stderr") {
        assert!(path.with_extension("toml").exists(), "{} belongs to no contract", path.display());
    }
}

/// Line ends are the writer's; what stands where is the same.
#[test]
fn carriage_returns_move_no_caret() {
    for path in with_extension("toml") {
        let file = fs::read_to_string(&path).expect("a broken contract");
        let crlf = file.replace('\n', "\r\n");
        let places = |text: &str| -> Vec<((usize, usize), String)> {
            let place = |c: vestibule::contract::Complaint| (c.position(text), c.title);
            load(text).complaints.into_iter().map(place).collect()
        };
        // A line break inside a string is another text.
        if path.file_stem().is_none_or(|name| name != "not-toml") {
            assert_eq!(places(&crlf), places(&file), "{}", path.display());
        }
    }
}

fn said(path: &Path, file: &str) -> String {
    let loaded = load(file);
    let name = path.file_name().expect("a name").to_string_lossy();
    assert!(loaded.contract.is_none(), "{name} is not refused");
    assert!(loaded.complaints.iter().any(|c| c.level == Level::Error), "{name} is refused without a reason");
    render(&name, file, &loaded.complaints, false)
}

fn with_extension(extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts/broken");
    let entries =
        fs::read_dir(folder).expect("contracts/broken").map(|entry| entry.expect("an entry").path());
    let mut out: Vec<PathBuf> = entries.filter(|p| p.extension().is_some_and(|e| e == extension)).collect();
    out.sort();
    out
}
