//! Clients that send a whole request and hang up at once.

use super::{accounts, assert_whole, opens};
use crate::harness::client::post;
use crate::harness::database::Database;
use crate::harness::process::Vestibule;

on_both! {
    f12_whoever_leaves_has_a_whole_account_or_none
}

async fn f12_whoever_leaves_has_a_whole_account_or_none(database: &Database) {
    // So many that a queue remains when they leave, on a fast machine too.
    const CLIENTS: usize = 210;
    const LATER: usize = 200;
    let serve =
        || Vestibule::serve(database).with(&["--contract", "knex", "--set", "passwords.deadline=100s"]);
    let slow = ["--set", "shutdown_grace=100s", "--set", "passwords.workers=1"];
    let server = serve().with(&slow).start();
    let sign_up = |number: usize| {
        post("/users", &format!(r#"{{"email":"user{number}@example.com","password":"a password {number}"}}"#))
    };
    // Some leave so early that nobody may have looked at their request.
    for number in LATER..CLIENTS {
        let mut client = server.connect().await;
        client.send(&sign_up(number)).await;
    }
    // The others leave while they wait: the first answer comes when most have not been hashed.
    let mut waiting = Vec::new();
    for number in (0..LATER).chain([CLIENTS]) {
        let mut client = server.connect().await;
        client.send(&sign_up(number)).await;
        waiting.push(client);
    }
    assert_eq!(waiting[0].reply().await.status, 200);
    let mut last = waiting.pop().expect("the one who stays");
    // Held meanwhile, so that they leave at one moment.
    server.signal("STOP");
    drop(waiting);
    server.signal("CONT");
    assert_eq!(last.reply().await.status, 200);
    // The end of the process is the moment after which nothing can change any more.
    let (ended, folder) = server.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let accounts = accounts(database);
    assert_whole(database, accounts.len() as i64).await;
    let emails: Vec<&str> =
        accounts.iter().map(|account| account["email"].as_str().expect("an address")).collect();
    for number in [0, CLIENTS] {
        let email = format!("user{number}@example.com");
        assert!(emails.contains(&email.as_str()), "{number} stayed: {emails:?}");
    }

    // Every account that was made left its line in the log, although nobody read the answer.
    let made = ended.err.lines().filter(|line| line.contains(r#""outcome":"created""#)).count();
    assert_eq!(made, accounts.len(), "{}", ended.err);
    // Those whose turn had not come were not hashed for.
    let abandoned =
        |line: &&str| line.contains(r#""outcome":"abandoned""#) && line.contains(r#""client_left":true"#);
    assert!(ended.err.lines().filter(abandoned).count() > 0, "{}", ended.err);

    // An account that is there opens; one that is not can be made.
    let server = serve().inside(folder).start();
    for number in [0, LATER - 1, CLIENTS - 1] {
        let email = format!("user{number}@example.com");
        let there = emails.contains(&email.as_str());
        let again = server.connect().await.ask(&sign_up(number)).await.status;
        assert_eq!(again, if there { 409 } else { 200 }, "{email}");
        assert!(opens(database, &email, &format!("a password {number}")), "{email}");
    }
}
