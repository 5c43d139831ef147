//! The corpora of `tests/corpora` through every field: no fault of the server's, a connection that goes on, and what is
//! accepted reads back as it was sent.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;
use vestibule::user::{Password, User};

use super::{Target, contracts, every_format, good, in_every_format};
use crate::harness::database::Database;
use crate::harness::process::Vestibule;

on_both! {
    i6_naughty_strings_read_back_as_they_were_sent
    i6_naughty_strings_get_one_verdict_in_every_format
    i1_domains_are_kept_as_their_a_labels
    i5_json_texts_are_read_or_refused
}

const LIMIT: usize = 64 * 1024;

fn corpus(name: &str) -> Vec<Json> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpora").join(name);
    let text = fs::read_to_string(file).expect("the corpus is there");
    serde_json::from_str(&text).expect("the corpus is JSON")
}

fn strings() -> Vec<String> {
    let list = corpus("naughty-strings.json");
    list.iter().map(|text| text.as_str().expect("a string").to_owned()).collect()
}

/// What was stored for a field.
fn stored<'u>(user: &'u User, field: &str) -> Option<&'u str> {
    match field {
        "email" => user.email.as_deref(),
        "username" => user.username.as_deref(),
        "name" => Some(&user.name),
        "first_name" | "firstname" => Some(&user.first_name),
        "last_name" | "lastname" => Some(&user.last_name),
        "note" => user.extra.get("note").and_then(Json::as_str),
        _ => None,
    }
}

/// User names are kept in NFC, as RFC 8265 wants it; everything else byte for byte.
fn as_kept(field: &str, text: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    if field == "username" { text.nfc().collect() } else { text.to_owned() }
}

async fn i6_naughty_strings_read_back_as_they_were_sent(database: &Database) {
    let strings = strings();
    let mut number = 0;
    let mut last = 0;
    for (name, contract) in contracts() {
        let mut target = Target::of(name, contract, database, LIMIT).await;
        for field in good(name, 0).keys() {
            let mut accepted = Vec::new();
            for text in &strings {
                number += 1;
                let mut body = good(name, number);
                body.insert(field.clone(), text.as_str().into());
                let reply = target.send_json(&body).await;
                if reply.status < 300 {
                    accepted.push(text);
                }
            }
            let all = target.server.app.store.list(last, 100_000).await.expect("the store answers");
            last = all.last().map_or(last, |user| user.id);
            assert_eq!(all.len(), accepted.len(), "{name} {field}");
            for (user, text) in all.iter().zip(accepted) {
                if field == "password" {
                    let hash = target.server.app.store.password_of(user.id).await.expect("an answer");
                    let password = Password::parse(text).expect("it was accepted");
                    let opens =
                        target.server.app.passwords.verify(password.into(), &hash.expect("a hash")).await;
                    assert!(opens.expect("it is compared"), "{name}: {text:?} does not open its account");
                } else {
                    assert_eq!(stored(user, field), Some(as_kept(field, text).as_str()), "{name} {field}");
                }
            }
        }
    }
    assert_harmless_on_a_terminal(database);
}

/// People look at strangers' names on a terminal: one line each, and no character that the terminal obeys.
fn assert_harmless_on_a_terminal(database: &Database) {
    let run = |arguments: &[&str]| Vestibule::new(arguments).on(database).run().out;
    let list = run(&["user", "list", "--limit", "2000"]);
    assert_eq!(list.lines().count(), 2001, "one line each, and the head");
    let events = run(&["events", "tail", "--lines", "2000"]);
    assert_eq!(events.lines().count(), 2000);
    for shown in [list, events] {
        let order = |c: char| {
            c.is_control() && c != '\n'
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!shown.contains(order), "{:?}", shown.lines().find(|line| line.contains(order)));
    }
}

async fn i6_naughty_strings_get_one_verdict_in_every_format(database: &Database) {
    let mut target = Target::of("every-format", every_format(), database, LIMIT).await;
    let mut number = 0;
    let mut accepted = 0;
    for text in strings() {
        let mut told = Vec::new();
        for format in 0..3 {
            number += 1;
            let value = |(name, value): (String, Json)| match name.as_str() {
                "email" => (name, value.as_str().expect("a text").to_owned()),
                _ => (name, text.clone()),
            };
            let fields: Vec<(String, String)> = good("every-format", number).into_iter().map(value).collect();
            let (media, body) = in_every_format(&fields).swap_remove(format);
            let reply = target.send(media, &body).await;
            told.push((reply.status, reply.body));
        }
        assert!(told.iter().all(|one| *one == told[0]), "{text:?}: {told:?}");
        accepted += usize::from(told[0].0 < 300);
    }
    assert!(accepted > 400, "most are texts like any other: {accepted}");
    let users = target.users().await;
    assert_eq!(users.len(), accepted * 3);
    for three in users.chunks(3) {
        let values = |user: &User| (user.name.clone(), user.extra.clone());
        assert!(three.iter().all(|user| values(user) == values(&three[0])), "{three:?}");
    }
}

async fn i1_domains_are_kept_as_their_a_labels(database: &Database) {
    let mut target = Target::of("every-format", every_format(), database, LIMIT).await;
    let (mut kept, mut refused) = (0, 0);
    for (number, case) in corpus("idna-labels.json").iter().enumerate() {
        let text = |at: usize| case[at].as_str().expect("a string");
        let (domain, labels) = (text(0), text(1));
        let mut body = good("every-format", number);
        body.insert("email".into(), format!("u{number}@{domain}").into());
        let reply = target.send_json(&body).await;
        if reply.status >= 300 {
            refused += 1;
            continue;
        }
        kept += 1;
        // Hyphens in the third and fourth place: real domains have them, and browsers and we take them.
        if text(2) == "[V2]" {
            continue;
        }
        assert!(!labels.is_empty(), "{domain:?} is accepted, although {}", text(2));
        let key = target.users().await.pop().expect("it was made").keys.pop().expect("its claim");
        assert_eq!(key.value, format!("u{number}@{labels}"), "{domain:?}");
    }
    // Most cases have a single label, or a last one that begins with a digit: no domains for mail.
    assert!(kept >= 15 && refused > 300, "{kept} were accepted and {refused} refused");
}

async fn i5_json_texts_are_read_or_refused(database: &Database) {
    let mut target = Target::of("every-format", every_format(), database, LIMIT).await;
    let mut made = 0;
    for (number, case) in corpus("json-texts.json").iter().enumerate() {
        let (name, text) = (case[0].as_str().expect("a name"), case[1].as_str().expect("a text"));
        // Alone: hardly one is an object that signs anybody up.
        assert!(
            (400..500).contains(&target.send("application/json", text.as_bytes()).await.status),
            "{name}"
        );
        // And in a member that nobody asked for, where only its form counts.
        let person = Json::Object(good("every-format", number)).to_string();
        let body = format!("{},\"else\":{text}}}", person.trim_end_matches('}'));
        let status = target.send("application/json", body.as_bytes()).await.status;
        match name.as_bytes()[0] {
            b'y' => {
                // What stands twice is refused, although the grammar allows it.
                let twice = name.contains("duplicated_key");
                assert_eq!(status, if twice { 400 } else { 201 }, "{name}: {text}");
                made += 1;
            }
            b'n' => assert!(status == 400 || text.trim().is_empty(), "{name}: {text} was read"),
            _ => assert!(status == 400 || status == 201, "{name}"),
        }
    }
    assert!(made > 80, "{made}");
}
