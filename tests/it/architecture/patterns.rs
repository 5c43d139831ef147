//! I8: no crate that matches patterns by going back is in what is built, but for one that a test's library brings along.

use std::fs;
use std::path::Path;

use toml::{Table, Value};

/// Crates whose patterns can take exponential time, and bindings to such libraries.
const GO_BACK: [&str; 8] =
    ["fancy-regex", "pcre2", "pcre2-sys", "pcre", "libpcre-sys", "onig", "onig_sys", "regress"];

fn read(file: &str) -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(path).expect("a file of the repository").parse().expect("TOML")
}

/// Every package of a lock file, with those that it depends on.
fn packages(lock: &Table) -> Vec<(&str, Vec<&str>)> {
    lock["package"].as_array().expect("packages").iter().map(package).collect()
}

fn package(package: &Value) -> (&str, Vec<&str>) {
    let needs = package.get("dependencies").and_then(Value::as_array).into_iter().flatten();
    // A version stands behind the name where there are several.
    let needs = needs.map(|need| text(need).split(' ').next().expect("a name"));
    (text(&package["name"]), needs.collect())
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// Those that go back, each with whoever depends on it.
fn going_back<'l>(packages: &[(&'l str, Vec<&'l str>)]) -> Vec<(&'l str, Vec<&'l str>)> {
    let found = packages.iter().map(|(name, _)| *name).filter(|name| GO_BACK.contains(name));
    found.map(|name| (name, users(packages, name))).collect()
}

fn users<'l>(packages: &[(&'l str, Vec<&'l str>)], name: &str) -> Vec<&'l str> {
    packages.iter().filter(|(_, needs)| needs.contains(&name)).map(|(user, _)| *user).collect()
}

#[test]
fn i8_no_pattern_can_go_back_but_those_of_a_test() {
    let lock = read("Cargo.lock");
    let packages = packages(&lock);
    assert!(packages.len() > 100, "the lock file was not understood: {}", packages.len());
    assert_eq!(going_back(&packages), [("fancy-regex", vec!["jsonschema"])]);
    assert_eq!(users(&packages, "jsonschema"), ["vestibule"]);
    let manifest = read("Cargo.toml");
    let has = |table: &str| manifest.get(table).and_then(|t| t.get("jsonschema")).is_some();
    assert!(has("dev-dependencies") && !has("dependencies") && !has("build-dependencies"));
    assert!(
        !manifest.contains_key("target"),
        "what is only for some systems would have to be looked at, too"
    );
    assert!(!users(&packages, "regex").is_empty(), "a user of a crate is found");
}

#[test]
fn a_crate_that_goes_back_is_found_with_its_users() {
    let lock = "[[package]]\nname = \"a\"\ndependencies = [\"b\", \"onig_sys 1.2.3\"]\n[[package]]\nname = \"onig_sys\"\n";
    let lock: Table = lock.parse().expect("TOML");
    assert_eq!(going_back(&packages(&lock)), [("onig_sys", vec!["a"])]);
}
