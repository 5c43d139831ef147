//! No files of a room import each other in a circle: each can be read without those that read it.
//!
//! A `mod.rs` is a file like any other. What it only passes on (`pub use`) stands in another, and counts as an import of
//! that one by whoever asks for it.

use super::{root, sources};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// `contract::rules::run`, segment by segment; the file is `contract/rules/run.rs`.
type Module = Vec<String>;

/// What one file says about others.
struct File {
    /// The names that stand for paths here, by `use`.
    names: BTreeMap<String, Vec<String>>,
    /// The paths that the file uses itself, and does not only pass on.
    paths: Vec<Vec<String>>,
}

struct Crate(BTreeMap<Module, File>);

impl Crate {
    fn read() -> Crate {
        let mut paths = Vec::new();
        sources(&root(), &mut paths);
        let mut files = BTreeMap::new();
        for path in paths {
            let within = path.strip_prefix(root()).expect("a file of src").with_extension("");
            let mut module: Module = within.iter().map(|s| s.to_string_lossy().into_owned()).collect();
            // What is compiled for tests alone may look anywhere.
            if module.iter().any(|s| s == "tests" || s == "fuzz") || module == ["main"] || module == ["lib"] {
                continue;
            }
            module.pop_if(|last| last == "mod");
            files.insert(module, File::read(&fs::read_to_string(&path).expect("a source file")));
        }
        Crate(files)
    }

    /// The module in which what a path leads to is written down; `None` for other crates.
    fn home(&self, from: &[String], path: &[String]) -> Option<Module> {
        let (mut at, mut rest) = match path.first()?.as_str() {
            "crate" => (Vec::new(), &path[1..]),
            "self" => (from.to_vec(), &path[1..]),
            "super" => (from[..from.len() - 1].to_vec(), &path[1..]),
            first if self.0.contains_key(&joined(from, first)) => (from.to_vec(), path),
            first => {
                let meant = self.0.get(from)?.names.get(first).filter(|meant| meant[0] != first)?;
                return self.home(from, &[meant, &path[1..]].concat());
            }
        };
        while let Some((first, behind)) = rest.split_first() {
            let inner = joined(&at, first);
            if first == "super" {
                at.pop();
            } else if self.0.contains_key(&inner) {
                at = inner;
            } else {
                let passed_on = self.0.get(&at).and_then(|file| file.names.get(first));
                return match passed_on.filter(|meant| meant.last() != Some(first) || meant.len() > 1) {
                    Some(meant) => self.home(&at, &[meant, behind].concat()),
                    None => Some(at),
                };
            }
            rest = behind;
        }
        Some(at)
    }

    /// What every file imports from others of its room.
    fn imports(&self) -> BTreeMap<String, BTreeSet<String>> {
        let of = |module: &Module, file: &File| {
            let homes = file.paths.iter().filter_map(|path| self.home(module, path));
            let near = homes.filter(|home| home.first() == module.first() && home != module);
            near.map(|home| home.join("::")).collect()
        };
        self.0.iter().map(|(module, file)| (module.join("::"), of(module, file))).collect()
    }
}

impl File {
    fn read(text: &str) -> File {
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let mut code = lines.collect::<Vec<_>>().join("\n");
        while let Some(start) = code.find("pub(in ") {
            let end = start + code[start..].find(')').expect("a bracket that ends") + 1;
            code.replace_range(start..end, "pub");
        }
        let mut file = File { names: BTreeMap::new(), paths: Vec::new() };
        let (mut rest, mut passed_on) = (String::new(), Vec::new());
        for piece in code.split_inclusive(';') {
            let Some((before, tree)) = imported(piece) else {
                rest.push_str(piece);
                continue;
            };
            rest.push_str(before);
            let mut found = Vec::new();
            leaves(tree, &[], &mut found);
            for (name, path) in found {
                let list = if before.trim_end().ends_with(')') || before.trim_end().ends_with("pub") {
                    &mut passed_on
                } else {
                    &mut file.paths
                };
                list.push(path.clone());
                file.names.insert(name, path);
            }
        }
        let words = rest.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
        let path = |word: &str| word.split("::").filter(|s| !s.is_empty()).map(str::to_owned).collect();
        file.paths.extend(words.filter(|word| word.trim_matches(':').contains("::")).map(path));
        file
    }
}

fn joined(module: &[String], name: &str) -> Module {
    [module, &[name.to_owned()]].concat()
}

/// What stands before `use` and behind it, if a statement is one.
fn imported(statement: &str) -> Option<(&str, &str)> {
    let at = statement.rfind("use ")?;
    let (before, tree) = (&statement[..at], &statement[at + "use ".len()..]);
    let begins = before.is_empty() || before.ends_with([' ', '\n']);
    (begins && !tree.contains(['(', '='])).then(|| (before, tree.trim_end_matches(';')))
}

/// The names of a tree of imports: `a::{b, c as d}` is `b` for `a::b` and `d` for `a::c`.
fn leaves(tree: &str, before: &[String], out: &mut Vec<(String, Vec<String>)>) {
    let tree = tree.trim();
    if let Some(list) = tree.strip_prefix('{') {
        let list = list.strip_suffix('}').expect("a list that ends");
        let (mut depth, mut start) = (0, 0);
        for (i, c) in list.char_indices().chain([(list.len(), ',')]) {
            depth += i32::from(c == '{') - i32::from(c == '}');
            if c == ',' && depth == 0 {
                leaves(&list[start..i], before, out);
                start = (i + 1).min(list.len());
            }
        }
    } else if let Some((first, rest)) = tree.split_once("::") {
        leaves(rest, &joined(before, first), out);
    } else if !tree.is_empty() {
        let (item, name) = tree.split_once(" as ").unwrap_or((tree, tree));
        let path = if item == "self" { before.to_vec() } else { joined(before, item) };
        let name = if name == "self" { path.last().expect("a path").as_str() } else { name };
        out.push((name.to_owned(), path));
    }
}

/// What is left of these imports without those that lead out of every circle, or into one.
fn circles(mut imports: BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    loop {
        let before: usize = imports.values().map(BTreeSet::len).sum();
        imports.retain(|_, of| !of.is_empty());
        let importing: BTreeSet<String> = imports.keys().cloned().collect();
        let imported: BTreeSet<String> = imports.values().flatten().cloned().collect();
        imports.retain(|file, _| imported.contains(file));
        imports.values_mut().for_each(|of| of.retain(|file| importing.contains(file)));
        if imports.values().map(BTreeSet::len).sum::<usize>() == before {
            return imports;
        }
    }
}

#[test]
fn no_files_of_a_room_import_each_other_in_a_circle() {
    let imports = Crate::read().imports();
    assert!(imports.len() > 100, "the sources were not understood: {}", imports.len());
    assert!(imports["contract::rules::run"].contains("contract::refusal"), "{imports:?}");
    let left = circles(imports);
    let tell = |(file, of): (&String, &BTreeSet<String>)| format!("{file} -> {of:?}");
    assert!(left.is_empty(), "circles:\n{}", left.iter().map(tell).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_circle_is_found_also_behind_what_is_passed_on() {
    let module = |path: &str| path.split("::").map(str::to_owned).collect::<Module>();
    let files = [
        ("room", "mod a;\nmod b;\npub use a::{One, Two as Three};\nmod deep;"),
        ("room::a", "use super::b::{\n    self, Other,\n};\nfn f() {}"),
        ("room::b", "use std::fmt;\nfn f(x: fmt::Result) -> super::Three { crate::room::deep::g() }"),
        ("room::deep", "use crate::room::*;\n// use super::b;\npub(in crate::room) fn g() {}"),
    ];
    let files = files.map(|(path, text)| (module(path), File::read(text)));
    let left = circles(Crate(files.into_iter().collect()).imports());
    let expected = [("room::a", ["room::b"]), ("room::b", ["room::a"])];
    let owned = expected.map(|(file, of)| (file.to_owned(), of.map(str::to_owned).into()));
    assert_eq!(left, BTreeMap::from(owned));
}
