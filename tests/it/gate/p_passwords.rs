//! P1 to P4: which passwords the server's own contract takes, and that it takes them as they are written.

use serde_json::{Value, json};
use vestibule::contract;

use crate::harness::client::{Client, Reply, post};
use crate::harness::database::Database;
use crate::harness::process::Vestibule;
use crate::harness::server::Server;
use crate::process::opens;

on_both! {
    p1_fifteen_code_points_and_not_fourteen
    p3_every_byte_counts_and_nothing_is_changed
    p4_what_attackers_try_first_is_refused_with_a_code
}

fn sign_up(email: &str, password: &str) -> Vec<u8> {
    post("/users", &json!({ "email": email, "password": password, "name": "Jane Doe" }).to_string())
}

fn serve(database: &Database) -> Vestibule {
    let open = ["--contract", "standard", "--set", "rates.account=off", "--set", "passwords.deadline=100s"];
    Vestibule::serve(database).with(&open).with(&["--set", "base_url=https://accounts.shop.example"])
}

/// The codes of a refusal, by field.
fn codes(reply: &Reply) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let errors = reply.json()["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|error| (text(&error["field"]), text(&error["code"]))).collect()
}

/// `count` different pictures, each one code point of four bytes.
fn pictures(count: u32) -> String {
    (0..count).filter_map(|number| char::from_u32(0x1F400 + number * 7 % 50)).collect()
}

/// Where an old contract wins over the bar, the log says so once.
#[test]
fn p1_what_old_contracts_let_through_is_said_once_at_start() {
    let contracts = "knex,flask,express,mongoose,envelope,standard,knex@/again";
    let server = Vestibule::serve(&Database::sqlite()).with(&["--contract", contracts]).start();
    let log = server.stop().0.err;
    for (name, short) in [
        ("knex", "passwords of 8 characters are taken"),
        ("flask", "no shortest password is asked for"),
        ("express", "passwords of 6 characters are taken"),
        ("mongoose", "no shortest password is asked for"),
        ("envelope", "passwords of 8 characters are taken"),
    ] {
        let told = format!(
            "contract {name} keeps to its rules: {short}; common passwords are taken; whoever asks is told who has an account"
        );
        assert_eq!(log.matches(&told).count(), 1, "{told}\n{log}");
    }
    let standard = "contract standard keeps to its rules: whoever asks is told who has an account";
    assert_eq!(log.matches(standard).count(), 1, "{log}");
    assert!(log.contains("passwords.breached is not set"), "{log}");
}

async fn p1_fifteen_code_points_and_not_fourteen(database: &Database) {
    let server = serve(database).start();
    let mut client = server.connect().await;
    // The third is eighteen code points as it is sent, and fourteen after normalisation.
    for short in ["fourteen chars", &pictures(14), "e\u{301}e\u{300}e\u{302}e\u{308}rtzuiopghj", ""] {
        let refused = client.ask(&sign_up("jane@example.com", short)).await;
        let code = if short.is_empty() { "required" } else { "too_short" };
        assert_eq!((refused.status, codes(&refused)), (422, vec![("password".to_owned(), code.to_owned())]));
    }
    assert_eq!(client.ask(&sign_up("jane@example.com", &pictures(15))).await.status, 201);
    assert!(opens(database, "jane@example.com", &pictures(15)));
    assert!(!opens(database, "jane@example.com", &pictures(14)));
}

async fn p3_every_byte_counts_and_nothing_is_changed(database: &Database) {
    let server = serve(database).start();
    let mut client = server.connect().await;
    let long = |at: usize, other: char| -> String {
        let text: String = "a walk along the river, and then home again. ".repeat(4);
        text.char_indices().map(|(i, c)| if i == at { other } else { c }).collect()
    };
    for (number, (password, twins)) in [
        (long(999, '-'), vec![long(72, '#'), long(128, '#'), long(999, '-').trim_end().to_owned()]),
        (
            "  Pass the Salt, Mr. Bell  ".to_owned(),
            vec!["Pass the Salt, Mr. Bell".to_owned(), "  pass the salt, mr. bell  ".to_owned()],
        ),
        ("ein Caf\u{e9} am Rand der Stadt".to_owned(), vec!["ein Cafe am Rand der Stadt".to_owned()]),
        ("nul\0 in the middle of it".to_owned(), vec!["nul".to_owned(), "nul\0 in the middle of".to_owned()]),
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("p{number}@example.com");
        let reply = client.ask(&sign_up(&email, &password)).await;
        assert_eq!(reply.status, 201, "{password:?}: {reply:?}");
        assert!(opens(database, &email, &password), "{password:?}");
        for twin in twins {
            assert!(!opens(database, &email, &twin), "{twin:?} opens what {password:?} closed");
        }
    }
    assert!(opens(database, "p2@example.com", "ein Cafe\u{301} am Rand der Stadt"), "NFC");
}

async fn p4_what_attackers_try_first_is_refused_with_a_code(database: &Database) {
    let server = serve(database).start();
    let mut client = server.connect().await;
    for (password, code) in [
        ("PasswordPassword", "common"),
        ("iloveyou12345678", "common"),
        ("1qaz2wsx3edc4rfv", "pattern"),
        ("123456789012345", "pattern"),
        ("abc abc abc abc abc", "pattern"),
        ("Jane.Doe@Example.com", "personal"),
        ("jane.doe.jane.doe", "personal"),
        ("accounts.shop.example", "personal"),
        ("shop shop shop shop", "pattern"),
    ] {
        let refused = client.ask(&sign_up("jane.doe@example.com", password)).await;
        assert_eq!(refused.status, 422, "{password}: {refused:?}");
        assert_eq!(codes(&refused), [("password".to_owned(), code.to_owned())], "{password}");
        assert!(!refused.body.contains(password), "{refused:?}");
    }
    // Longer than what is known, and so another password.
    let reply = client.ask(&sign_up("jane.doe@example.com", "my password is not password")).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    // A contract that does not ask takes what it always took.
    let old = Vestibule::serve(database).with(&["--contract", "knex"]).start();
    let reply = old.connect().await.ask(&sign_up("john@example.com", "PasswordPassword")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test]
async fn p2_long_ones_are_welcome_and_too_long_ones_cost_no_hash() {
    let database = Database::sqlite();
    let contract = contract::shipped("standard").expect("it is shipped");
    let grow = |app: &mut vestibule::app::App| app.body_limit = 4 << 20;
    let server = Server::with("standard", contract, database.open().await, grow).await;
    let mut client = Client::connect(server.address).await;
    let words = |bytes: usize| -> String { "eat more fish, Ned; ".chars().cycle().take(bytes).collect() };
    for (number, bytes) in [64, 256, 1024].into_iter().enumerate() {
        let password = format!("{number}{}", &words(bytes)[1..]).replacen("eat", "ate", 1);
        let reply = client.ask(&sign_up(&format!("p{number}@example.com"), &password)).await;
        assert_eq!(reply.status, 201, "{bytes}: {reply:?}");
    }
    // From here on whoever asks for a hash fails.
    server.app.passwords.close();
    for (password, expected) in [
        ("one more that is well made".to_owned(), 500),
        (words(1025), 422),
        ("\u{6d77} and a half ".repeat(80), 422),
        (words(1 << 20), 422),
        ("\u{6d77}".repeat(1 << 20), 422),
    ] {
        let reply = client.ask(&sign_up("long@example.com", &password)).await;
        assert_eq!(reply.status, expected, "{} bytes", password.len());
        assert!(reply.body.len() < 1000, "{} bytes", password.len());
    }
}
