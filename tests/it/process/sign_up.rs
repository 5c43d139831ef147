//! The five contracts through one process: each documented example, its refusal when it comes again, and the lines
//! that `serve` prints for pasting.

use std::process::Command;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use regex::Regex;
use serde_json::{Value, json};

use super::{accounts, assert_whole, opens};
use crate::harness::client::{Reply, post};
use crate::harness::database::Database;
use crate::harness::process::Vestibule;

on_both! {
    every_documented_example_succeeds_once
    the_lines_to_paste_work
}

/// A documented request and its answers, with whatever is made anew each time masked by its kind.
struct Example {
    path: &'static str,
    request: &'static str,
    created: (u16, &'static str),
    taken: (u16, &'static str),
}

const EXAMPLES: [Example; 5] = [
    Example {
        path: "/knex/users",
        request: r#"{ "first_name": "Jim", "last_name": "Carrey", "email": "jim.carrey@themask.com", "password": "to_be_hashed" }"#,
        created: (
            200,
            r#"{"id":1,"first_name":"Jim","last_name":"Carrey","email":"jim.carrey@themask.com","created_at":"TIME","updated_at":"TIME"}"#,
        ),
        taken: (409, r#"{"errors":[{"field":"email","message":"email is already in use"}]}"#),
    },
    Example {
        path: "/flask/users",
        request: r#"{"username":"Lorenzo","password":"Udacity"}"#,
        created: (201, r#"{"username":"Lorenzo"}"#),
        taken: (400, r#"{"error":"existing user"}"#),
    },
    Example {
        path: "/express/user/register",
        request: r#"{"firstname":"Jane","lastname":"Doe","email":"jane.doe@example.com","password":"supersecret"}"#,
        created: (
            201,
            r#"{"token":"JWT","user":{"id":"OBJECTID","firstname":"Jane","lastname":"Doe","email":"jane.doe@example.com","createdAt":"TIME","updatedAt":"TIME"}}"#,
        ),
        taken: (400, r#"{"errors":[{"msg":"E-mail already in use","param":"email","location":"body"}]}"#),
    },
    Example {
        path: "/mongoose/users/",
        request: r#"{ "name": "Dustin Neighly", "email": "dustin.neighly@example.com", "password": "hunter21" }"#,
        created: (
            200,
            r#"{"token":"JWT","user":{"_id":"OBJECTID","name":"Dustin Neighly","email":"dustin.neighly@example.com","createdAt":"TIME","updatedAt":"TIME","__v":1}}"#,
        ),
        taken: (
            400,
            r#"{"driver":true,"name":"MongoError","index":0,"code":11000,"errmsg":"E11000 duplicate key error collection: task-app.users index: email_1 dup key: { : \"dustin.neighly@example.com\" }"}"#,
        ),
    },
    Example {
        path: "/envelope/users",
        request: r#"{"name":"Sunny","email":"kimsun@goblinchiken.com","password":"P@ssw0rd"}"#,
        created: (
            201,
            r#"{"status":"Created","data":{"_id":"UUID","name":"Sunny","email":"kimsun@goblinchiken.com","password":"b03ddf3ca2e714a6548e7495e2a03f5e824eaac9837cd7f159c67b90fb4b7342","cards":[],"createdAt":MILLIS,"updatedAt":MILLIS,"__v":0}}"#,
        ),
        taken: (
            422,
            r#"{"status":"Unprocessable Entity","data":{"error":"User with email 'kimsun@goblinchiken.com' already exists."}}"#,
        ),
    },
];

async fn every_documented_example_succeeds_once(database: &Database) {
    let server = Vestibule::serve(database).start();
    let mut client = server.connect().await;
    for example in &EXAMPLES {
        let request = post(example.path, example.request);
        let created = client.ask(&request).await;
        assert_eq!((created.status, masked(&created.body).as_str()), example.created, "{}", example.path);
        assert_eq!(created.header("content-type"), "application/json");
        assert_eq!(created.header("cache-control"), "no-store");
        consistent(&server.secret(database), example, &created);
        let taken = client.ask(&request).await;
        assert_eq!((taken.status, taken.body.as_str()), example.taken, "{}", example.path);
    }
    drop(client);
    assert_whole(database, 5).await;
    for account in accounts(database) {
        let (id, email) = (&account["id"], &account["email"]);
        let who = email.as_str().or(account["username"].as_str()).expect("everybody has one of them");
        let (_, password) =
            EXAMPLES.iter().map(secret).find(|(name, _)| *name == who).expect("an example's user");
        assert!(opens(database, &id.to_string(), &password), "{account}");
    }
    assert_eq!(server.stop().0.code, Some(0));
}

/// Ids and times agree with each other, and tokens with what another library reads out of them.
fn consistent(secret: &str, example: &Example, created: &Reply) {
    let body = created.json();
    let (claim, lifetime) = match example.path {
        "/express/user/register" => ("id", 3600),
        "/mongoose/users/" => ("_id", 14 * 24 * 3600),
        _ => return,
    };
    let claims = decoded(secret, body["token"].as_str().expect("a token"));
    assert_eq!(claims[claim], body["user"][claim]);
    let issued = claims["iat"].as_i64().expect("a time");
    assert_eq!(claims, json!({ claim: body["user"][claim], "iat": issued, "exp": issued + lifetime }));
    let created_at: jiff::Timestamp =
        body["user"]["createdAt"].as_str().expect("a time").parse().expect("ISO 8601");
    assert_eq!(created_at.as_second(), issued);
    assert_eq!(body["user"]["createdAt"], body["user"]["updatedAt"]);
}

/// What another library reads from a token.
fn decoded(secret: &str, token: &str) -> Value {
    let mut rules = Validation::new(Algorithm::HS256);
    rules.leeway = 0;
    jsonwebtoken::decode(token, &DecodingKey::from_secret(secret.as_bytes()), &rules)
        .expect("the token is valid")
        .claims
}

/// The name and the password of an example.
fn secret(example: &Example) -> (String, String) {
    let request: Value = serde_json::from_str(example.request).expect("JSON");
    let text = |name: &str| request[name].as_str().map(str::to_owned);
    (text("email").or(text("username")).expect("a name"), text("password").expect("a password"))
}

fn masked(body: &str) -> String {
    let kinds = [
        (r#""\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z""#, r#""TIME""#),
        (r#""[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}""#, r#""JWT""#),
        (r#""[0-9a-f]{24}""#, r#""OBJECTID""#),
        (r#""[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}""#, r#""UUID""#),
        (r":1[0-9]{12}([,}])", ":MILLIS$1"),
    ];
    kinds.iter().fold(body.to_owned(), |text, (kind, mask)| {
        Regex::new(kind).expect("a pattern").replace_all(&text, *mask).into_owned()
    })
}

async fn the_lines_to_paste_work(database: &Database) {
    let server = Vestibule::serve(database).start();
    let text = server.announcement();
    let (table, examples) = text.split_once("Try it:\n").expect("examples");
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().take(3).collect()).collect();
    for (path, name) in [
        ("/standard/users", "standard"),
        ("/knex/users", "knex"),
        ("/flask/users", "flask"),
        ("/express/user/register", "express"),
        ("/mongoose/users/", "mongoose"),
        ("/envelope/users", "envelope"),
    ] {
        assert!(rows.contains(&vec!["POST", path, name]), "{path} is not in:\n{table}");
    }
    let commands = commands(examples);
    assert_eq!(commands.len(), 6, "{examples}");
    for command in &commands {
        assert!(command.contains(&format!("http://{}/", server.address)), "{command}");
        let told = command.replacen("curl ", "curl -s -o /dev/null -w '%{http_code}' ", 1);
        let output = Command::new("sh").args(["-c", &told]).output().expect("sh runs");
        let status = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(status.starts_with('2') && status.len() == 3, "{status} from {command}");
    }
}

/// The commands of a text, each of which may go on behind a backslash at the end of a line.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    joined.lines().map(|line| line.trim().to_owned()).filter(|line| line.starts_with("curl ")).collect()
}
