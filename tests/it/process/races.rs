//! One address, many spellings, two processes: one account.

use std::collections::BTreeMap;

use super::{accounts, assert_whole};
use crate::harness::client::{at_once, post};
use crate::harness::database::Database;
use crate::harness::process::Vestibule;

on_both! {
    i7_of_1000_at_once_in_many_spellings_exactly_one_wins
}

/// All of these are one address: precomposed or combining, in either case, the domain as it is read or as DNS has it.
const LOCALS: [&str; 5] =
    ["zoë.müller", "ZOË.MÜLLER", "zoe\u{308}.mu\u{308}ller", "Zoe\u{308}.Müller", "zOË.mÜLLER"];
const DOMAINS: [&str; 5] = [
    "bücher.example",
    "BÜCHER.Example",
    "bu\u{308}cher.example",
    "xn--bcher-kva.example",
    "XN--BCHER-KVA.EXAMPLE",
];

async fn i7_of_1000_at_once_in_many_spellings_exactly_one_wins(database: &Database) {
    // Long enough that whoever waits for a hash is not told to come back later.
    let serve = || {
        Vestibule::serve(database)
            .with(&["--set", "passwords.deadline=600s", "--set", "rates.account=off"])
            .start()
    };
    let (one, other) = (serve(), serve());
    let requests = (0..1000)
        .map(|number: usize| {
            let email = format!("{}@{}", LOCALS[number % 5], DOMAINS[number / 5 % 5]);
            match number % 4 {
                0 | 1 => post(
                    "/express/user/register",
                    &format!(r#"{{"firstname":"Zoe","email":"{email}","password":"secret-{number}"}}"#),
                ),
                _ => post("/knex/users", &format!(r#"{{"email":"{email}","password":"secret-{number}"}}"#)),
            }
        })
        .collect();
    let mut answers: BTreeMap<(u16, String), usize> = BTreeMap::new();
    for reply in at_once(&[one.address, other.address], requests).await {
        let body = if reply.status < 300 { "created".to_owned() } else { reply.body };
        *answers.entry((reply.status, body)).or_default() += 1;
    }
    let count =
        |status: u16, body: &str| answers.get(&(status, body.to_owned())).copied().unwrap_or_default();
    let express =
        count(400, r#"{"errors":[{"msg":"E-mail already in use","param":"email","location":"body"}]}"#);
    let knex = count(409, r#"{"errors":[{"field":"email","message":"email is already in use"}]}"#);
    let created = count(201, "created") + count(200, "created");
    assert_eq!((created, express + knex), (1, 999), "{answers:#?}");
    assert!(express >= 499 && knex >= 499, "{answers:#?}");
    assert_eq!(accounts(database).len(), 1);
    assert_whole(database, 1).await;
    assert_eq!((one.stop().0.code, other.stop().0.code), (Some(0), Some(0)));
}
