//! Every test that docs/security.md names exists.

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

#[test]
fn every_test_that_is_named_exists() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md");
    let text = fs::read_to_string(file).expect("the document is there");
    let named = named(&text);
    assert!(named.len() > 80, "{named:#?}");
    let missing: Vec<&&str> = named.iter().filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "docs/security.md names what is not there: {missing:#?}");
    // The control.
    assert!(!exists("attack::claims::a_test_that_nobody_wrote"));
    assert!(exists("attack::claims::every_test_that_is_named_exists"));
}
