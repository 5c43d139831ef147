//! P4: passwords that were in breaches, from the published list to the refusal.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use serde_json::json;
use vestibule::breach::Filter;

use crate::harness::client::post;
use crate::harness::database::Database;
use crate::harness::folder::Folder;
use crate::harness::process::Vestibule;

on_both! {
    p4_what_was_in_a_breach_is_refused_where_the_contract_asks
}

const SEEN: &str = "tree frogs sing at dusk";
const UNSEEN: &str = "tree frogs sing at dawn";

/// The list as it is published: the SHA-1 of each password with a count, ordered by hash.
fn list() -> Vec<String> {
    let passwords = (0..1000).map(|number| format!("password {number}")).chain([SEEN.to_owned()]);
    let line = |password: String| {
        let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
        let hex: String = sha1.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        format!("{hex}:{}\r\n", if password == SEEN { 12 } else { 3 })
    };
    let mut lines: Vec<String> = passwords.map(line).collect();
    lines.sort();
    lines
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A folder with `list.txt` and the filter of it.
fn built() -> Folder {
    let folder = Folder::new();
    std::fs::write(folder.path().join("list.txt"), list().concat()).expect("a list");
    let (from, to) = (text(&folder.path().join("list.txt")), text(&folder.path().join("filter")));
    let made = Vestibule::new(&["breach", "build", &from, "--to", &to]).run();
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert!(made.out.contains(": 1001 passwords, "), "{}", made.out);
    assert_eq!(made.err, "", "a bar is for terminals");
    folder
}

async fn p4_what_was_in_a_breach_is_refused_where_the_contract_asks(database: &Database) {
    let folder = built();
    let set = format!("passwords.breached={}", text(&folder.path().join("filter")));
    let server = Vestibule::serve(database).with(&["--set", &set]).start();
    let mut client = server.connect().await;
    let body = |password: &str| json!({ "email": "jane@example.com", "password": password }).to_string();
    let refused = client.ask(&post("/standard/users", &body(SEEN))).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_eq!(refused.json()["errors"][0]["code"], "breached", "{refused:?}");
    assert_eq!(client.ask(&post("/standard/users", &body(UNSEEN))).await.status, 201);
    let old = body(SEEN).replace("jane", "june");
    assert_eq!(client.ask(&post("/knex/users", &old)).await.status, 200, "this contract does not ask");
}

#[test]
fn p4_a_filter_is_asked_on_the_command_line_too() {
    let folder = built();
    let filter = text(&folder.path().join("filter"));
    for (password, code) in [(SEEN, 1), (UNSEEN, 0), ("password 7", 1), ("", 0)] {
        let asked = Vestibule::new(&["breach", "check", &filter]).input(password.as_bytes()).run();
        assert_eq!(asked.code, Some(code), "{password}: {}", asked.err);
        assert!(!asked.err.contains("frogs") && asked.err.contains("1001"), "{}", asked.err);
    }
    let (from, rare) = (text(&folder.path().join("list.txt")), text(&folder.path().join("rare")));
    let made = Vestibule::new(&["breach", "build", &from, "--least", "12", "--to", &rare]).run();
    assert!(made.out.contains(": 1 passwords, "), "{}", made.out);
    assert!(!made.err.contains("range files"), "a list is whole: {}", made.err);
    // The same list as range files: the first five digits are the file's name.
    let ranges = folder.path().join("ranges");
    std::fs::create_dir(&ranges).expect("a folder");
    for line in list() {
        let (name, rest) = line.split_at(5);
        let path = ranges.join(format!("{name}.txt"));
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(path, before + rest).expect("a range file");
    }
    let same = text(&folder.path().join("same"));
    let made = Vestibule::new(&["breach", "build", &text(&ranges), "--to", &same]).run();
    assert_eq!(made.code, Some(0), "{}", made.err);
    let missing =
        format!("holds {} of 1048576 range files", std::fs::read_dir(&ranges).expect("a folder").count());
    assert!(made.err.contains(&missing), "{}", made.err);
    assert!(std::fs::read(&same).expect("a filter") == std::fs::read(&filter).expect("a filter"));
}

#[test]
fn p4_a_list_that_is_none_leaves_no_file_behind() {
    let folder = Folder::new();
    let (from, to) = (folder.path().join("list.txt"), folder.path().join("filter"));
    let mut lines = list();
    lines.swap(10, 20);
    for (list, told) in
        [(lines.concat(), "smaller"), ("hello\n".to_owned(), "line 1"), (list()[0].replace(':', ""), "SHA-1")]
    {
        std::fs::write(&from, list).expect("a list");
        let refused = Vestibule::new(&["breach", "build", &text(&from), "--to", &text(&to)]).run();
        assert!(refused.code == Some(2) && refused.err.contains(told), "{:?} {}", refused.code, refused.err);
        let left = std::fs::read_dir(folder.path()).expect("the folder").count();
        assert_eq!(left, 1, "only the list is there");
    }
}

#[test]
fn p4_a_damaged_filter_is_refused_at_start_with_everything_else() {
    let folder = built();
    let path = folder.path().join("filter");
    let mut bytes = std::fs::read(&path).expect("a filter");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).expect("a damaged filter");
    for (file, told) in [
        (text(&path), "damaged"),
        (text(&folder.path().join("list.txt")), "not a filter"),
        ("nowhere".to_owned(), "cannot be read"),
    ] {
        let set = format!("passwords.breached={file}");
        let refused = Vestibule::new(&["serve", "--contract", "nobodys", "--set", &set]).run();
        assert_eq!(refused.code, Some(2), "{}", refused.err);
        assert!(refused.err.contains("passwords.breached") && refused.err.contains(told), "{}", refused.err);
        assert!(refused.err.contains("nobodys"), "everything at once: {}", refused.err);
    }
}

/// 8 TiB that take no room on the disk: it is refused for its length, before anything of it is in memory.
#[test]
fn p4_a_filter_that_memory_cannot_hold_is_refused_before_it_is_read() {
    let folder = built();
    let path = folder.path().join("filter");
    let file = std::fs::File::options().write(true).open(&path).expect("a filter");
    file.set_len(8 << 40).expect("a file with a hole");
    let set = format!("passwords.breached={}", text(&path));
    let refused = Vestibule::new(&["serve", "--contract", "nobodys", "--set", &set]).run();
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    for told in [
        "`passwords.breached` does not do",
        "8388608 MiB for passwords.breached",
        "MiB fit beside",
        "nobodys",
    ] {
        assert!(refused.err.contains(told), "{told}: {}", refused.err);
    }
    assert!(!refused.err.contains("damaged"), "it was read: {}", refused.err);
}

/// A folder with the filter of a long list, and what a build of the same list has left that was killed half-way.
fn killed_half_way() -> (Folder, String) {
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name);
    let lines = (0..20_000).map(|number| {
        let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, format!("password {number}").as_bytes());
        sha1.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<String>() + ":1\n"
    });
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    let list = lines.concat();
    std::fs::write(path("list.txt"), &list).expect("a list");
    let (from, to) = (text(&path("list.txt")), text(&path("whole")));
    assert_eq!(Vestibule::new(&["breach", "build", &from, "--to", &to]).run().code, Some(0));

    let made = Command::new("mkfifo").arg(path("pipe")).status();
    assert!(made.expect("mkfifo runs").success());
    let (from, to) = (text(&path("pipe")), text(&path("filter")));
    let build = Vestibule::new(&["breach", "build", &from, "--to", &to]).watch();
    let mut pipe = std::fs::File::options().write(true).open(path("pipe")).expect("the build reads it");
    // A pipe holds 64 KiB, and the build reads no more before it has worked through what it has: once this is written, all
    // but the last 128 KiB are worked through. The rest never comes.
    pipe.write_all(&list.as_bytes()[..600_000]).expect("the build reads it");
    drop(build);
    assert!(!path("filter").exists() && path("filter.partial").exists());
    (folder, list)
}

#[test]
fn p4_a_build_that_was_killed_goes_on_and_makes_the_same_filter() {
    let (folder, _) = killed_half_way();
    let path = |name: &str| folder.path().join(name);
    // Half a shard that was being written when the kill came.
    let mut partial =
        std::fs::File::options().append(true).open(path("filter.partial")).expect("it is there");
    partial.write_all(b"half a shard").expect("it can be written");
    let (from, to) = (text(&path("list.txt")), text(&path("filter")));
    let other = Vestibule::new(&["breach", "build", &from, "--to", &to, "--least", "2"]).run();
    assert!(other.code == Some(2) && other.err.contains("another --least"), "{}", other.err);
    let resumed = Vestibule::new(&["breach", "build", &from, "--to", &to]).run();
    assert_eq!(resumed.code, Some(0), "{}", resumed.err);
    let percent =
        resumed.err.split("of which ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u8>().ok());
    assert!(percent.is_some_and(|percent| (50..70).contains(&percent)), "{}", resumed.err);
    let read = |name| std::fs::read(path(name)).expect("a filter");
    assert!(read("filter") == read("whole"), "not a byte differs");
    assert!(!path("filter.partial").exists() && !path("filter.partial.state").exists());
}

#[test]
fn p4_of_two_builds_of_one_filter_at_once_the_second_is_refused() {
    let folder = built();
    let path = |name: &str| folder.path().join(name);
    let before = std::fs::read(path("filter")).expect("a filter");
    assert!(Command::new("mkfifo").arg(path("pipe")).status().expect("mkfifo runs").success());
    let (slow, other, to) = (text(&path("pipe")), text(&path("other.txt")), text(&path("filter")));
    std::fs::write(&other, &list()[0]).expect("a list");
    let first = Vestibule::new(&["breach", "build", &slow, "--to", &to]).watch();
    // It has begun when it reads the list.
    let mut pipe = std::fs::File::options().write(true).open(&slow).expect("the build reads it");
    let second = Vestibule::new(&["breach", "build", &other, "--to", &to]).run();
    assert!(
        second.code == Some(3) && second.err.contains("another build"),
        "{:?} {}",
        second.code,
        second.err
    );
    assert!(std::fs::read(&to).expect("a filter") == before, "the old filter is as it was");
    pipe.write_all(list().concat().as_bytes()).expect("the build reads it");
    drop(pipe);
    first.wait_for(": 1001 passwords, ");
    assert!(std::fs::read(&to).expect("a filter") == before, "of the same list");
    assert!(!path("filter.partial").exists());
    let third = Vestibule::new(&["breach", "build", &other, "--to", &to]).run();
    assert!(third.code == Some(0) && third.out.contains(": 1 passwords, "), "{}", third.err);
}

/// What is beside a filter is believed only as far as it can be: nothing that claims more than there can be.
#[test]
fn p4_what_a_build_left_cannot_claim_more_than_there_is() {
    let folder = built();
    let path = |name: &str| folder.path().join(name);
    let before = std::fs::read(path("filter")).expect("a filter");
    std::fs::write(path("filter.partial"), "vtbreach").expect("it can be written");
    let sum = |bytes: &[u8]| digest::digest(&digest::SHA256, bytes).as_ref().to_vec();
    let state =
        json!({ "least": 1, "shards": 257, "bytes": 8, "output": sum(b"vtbreach"), "keys": sum(b"") });
    std::fs::write(path("filter.partial.state"), state.to_string()).expect("it can be written");
    let (from, to) = (text(&path("list.txt")), text(&path("filter")));
    let refused = Vestibule::new(&["breach", "build", &from, "--to", &to]).run();
    assert!(refused.code == Some(2) && refused.err.contains("filter.partial is damaged"), "{}", refused.err);
    assert!(std::fs::read(&to).expect("a filter") == before, "the old filter is as it was");
}

#[test]
fn p4_what_a_build_left_is_not_continued_when_it_is_damaged_or_the_list_is_another() {
    let (folder, list) = killed_half_way();
    let path = |name: &str| folder.path().join(name);
    let to = text(&path("filter"));
    // One password less in the part that is finished.
    std::fs::write(path("other.txt"), list.split_once('\n').expect("lines").1).expect("a list");
    let other = Vestibule::new(&["breach", "build", &text(&path("other.txt")), "--to", &to]).run();
    assert!(other.code == Some(2) && other.err.contains("not those that were begun with"), "{}", other.err);
    let mut bytes = std::fs::read(path("filter.partial")).expect("it is there");
    bytes[1000] ^= 1;
    std::fs::write(path("filter.partial"), bytes).expect("it can be written");
    let damaged = Vestibule::new(&["breach", "build", &text(&path("list.txt")), "--to", &to]).run();
    assert!(damaged.code == Some(2) && damaged.err.contains("filter.partial is damaged"), "{}", damaged.err);
    assert!(!path("filter").exists());
}

/// `VESTIBULE_TEST_FILTER` names a filter that was built of a list without anybody called "stranger".
#[test]
#[ignore = "a measurement"]
#[expect(clippy::print_stdout, reason = "a measurement says what it found")]
fn p4_what_opening_and_asking_a_filter_takes() {
    let path = std::env::var_os("VESTIBULE_TEST_FILTER").expect("a filter's path");
    let open = || Filter::open(path.as_ref()).expect("it is whole");
    let opened = [(); 5].map(|()| {
        let begun = Instant::now();
        drop(open());
        begun.elapsed()
    });
    let filter = open();
    let (mut asked, mut found) = (Duration::ZERO, 0);
    for thousand in 0..10_000 {
        let strangers: Vec<String> = (0..1000).map(|n| format!("stranger {thousand} {n}")).collect();
        let begun = Instant::now();
        found += strangers.iter().filter(|stranger| filter.contains(stranger.as_bytes())).count();
        asked += begun.elapsed();
    }
    let each = asked / 10_000_000;
    println!(
        "{filter:?}: opened in {opened:.1?}; {each:?} a question; {found} of 10,000,000 strangers are found"
    );
}
