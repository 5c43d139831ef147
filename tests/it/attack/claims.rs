//! Every test that docs/security.md names exists, and every line of it has one that is named after it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The names between backticks that have the form of a test's.
fn named(text: &str) -> Vec<&str> {
    let is_name =
        |part: &str| !part.is_empty() && part.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    let inside = text.split('`').skip(1).step_by(2);
    inside.filter(|name| name.contains("::") && name.split("::").all(is_name)).collect()
}

/// Whether a file of this module, in the program or in its tests, has this function.
fn exists(name: &str) -> bool {
    let Some((module, function)) = name.rsplit_once("::") else { return false };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = module.replace("::", "/");
    let beside = |base: &str| -> Vec<PathBuf> {
        let base = root.join(base).join(&path);
        let mut files = vec![base.with_extension("rs"), base.join("mod.rs"), base.join("tests.rs")];
        let inside = fs::read_dir(base.join("tests")).into_iter().flatten().flatten();
        files.extend(inside.map(|entry| entry.path()));
        files
    };
    let mut texts =
        ["tests/it", "src"].into_iter().flat_map(beside).filter_map(|file| fs::read_to_string(file).ok());
    texts.any(|text| text.contains(&format!("fn {function}(")))
}

fn document() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md");
    fs::read_to_string(file).expect("the document is there")
}

/// The lines of the tables, by their label (`P1`, `H6`), with the tests that each names in all its rows.
fn lines(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut out: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in text.lines() {
        let Some((label, rest)) = row.strip_prefix("| ").and_then(|row| row.split_once(" | ")) else {
            continue;
        };
        let (letter, number) = label.split_at(label.chars().next().map_or(0, char::len_utf8));
        if ["P", "I", "H", "K", "O", "F", "L"].contains(&letter) && number.parse::<u8>().is_ok() {
            out.entry(label).or_default().extend(named(rest));
        }
    }
    out
}

/// Those lines whose tests all go by other names.
fn nameless<'t>(lines: &BTreeMap<&'t str, Vec<&str>>) -> Vec<&'t str> {
    let bears = |label: &str, test: &&str| {
        test.rsplit("::").next().is_some_and(|name| name.starts_with(&format!("{}_", label.to_lowercase())))
    };
    lines
        .iter()
        .filter(|(label, tests)| !tests.iter().any(|test| bears(label, test)))
        .map(|(label, _)| *label)
        .collect()
}

#[test]
fn every_line_has_a_test_that_is_named_after_it() {
    let text = document();
    let lines = lines(&text);
    assert_eq!(lines.len(), 6 + 8 + 6 + 2 + 2 + 12 + 2, "{:?}", lines.keys());
    assert_eq!(nameless(&lines), [""; 0]);
    // The control.
    let unnamed =
        "| P1 | fifteen | `gate::p11_other`, `gate::p10::p2_other` |\n| P2 | long | `gate::p2_long` |";
    assert_eq!(nameless(&self::lines(unnamed)), ["P1"]);
}

#[test]
fn every_test_that_is_named_exists() {
    let text = document();
    let named = named(&text);
    assert!(named.len() > 80, "{named:#?}");
    let missing: Vec<&&str> = named.iter().filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "docs/security.md names what is not there: {missing:#?}");
    // The control.
    assert!(!exists("attack::claims::a_test_that_nobody_wrote"));
    assert!(exists("attack::claims::every_test_that_is_named_exists"));
}
