//! I3: only what a contract names can be set, in whatever format somebody asks for more.

use serde_json::{Value as Json, json};

use super::{Target, contracts, good, in_every_format};
use crate::harness::client::post_as;
use crate::harness::database::Database;

on_both! {
    i3_nothing_can_be_set_that_no_contract_names
}

/// What other systems have let strangers set.
const PRIVILEGES: [(&str, &str); 30] = [
    ("role", "admin"),
    ("roles", "admin"),
    ("is_admin", "true"),
    ("isAdmin", "true"),
    ("admin", "1"),
    ("is_staff", "true"),
    ("is_superuser", "true"),
    ("permissions", "*"),
    ("verified", "true"),
    ("email_verified", "true"),
    ("emailVerified", "true"),
    ("confirmed_at", "2001-01-01T00:00:00Z"),
    ("id", "1000000"),
    ("_id", "aaaaaaaaaaaaaaaaaaaaaaaa"),
    ("user_id", "1000000"),
    ("public_id", "00000000-0000-0000-0000-000000000000"),
    ("created_at", "2001-01-01T00:00:00Z"),
    ("createdAt", "2001-01-01T00:00:00Z"),
    ("updated_at", "2001-01-01T00:00:00Z"),
    ("status", "owner"),
    ("version", "99"),
    ("extra", "admin"),
    ("tenant", "1"),
    ("tenant_id", "1"),
    ("organization", "1"),
    ("balance", "1000000"),
    ("password_hash", "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAA"),
    ("hash", "x"),
    ("__proto__", "admin"),
    ("constructor", "admin"),
];

async fn i3_nothing_can_be_set_that_no_contract_names(database: &Database) {
    let mut number = 0;
    for (name, contract) in contracts() {
        let mut target = Target::of(name, contract, database, 64 * 1024).await;
        let mut next = || {
            number += 1;
            good(name, number)
        };
        // As texts, in every format that the contract reads; in brackets, too.
        let fields =
            |person: serde_json::Map<String, Json>, wrap: &dyn Fn(&str) -> String| -> Vec<(String, String)> {
                let own = person.into_iter().map(|(k, v)| (k, v.as_str().expect("a text").to_owned()));
                own.chain(PRIVILEGES.iter().map(|(k, v)| (wrap(k), (*v).to_owned()))).collect()
            };
        let formats = if name == "every-format" { 3 } else { 1 };
        for wrap in [&(|key: &str| key.to_owned()) as &dyn Fn(&str) -> String, &|key| format!("user[{key}]")]
        {
            for format in 0..formats {
                let (media, body) = in_every_format(&fields(next(), wrap)).swap_remove(format);
                let reply = target.send(media, &body).await;
                assert!(reply.status < 300, "{name}: {reply:?}");
            }
        }
        // With types, and nested.
        let mut person = next();
        for (key, value) in PRIVILEGES {
            person.insert(key.to_owned(), json!({ "set": [value, true, 1], "$set": value }));
        }
        person.insert("user".into(), json!({ "role": "admin", "id": 7 }));
        assert!(target.send_json(&person).await.status < 300, "{name}");
        // In the query, in headers and in a cookie.
        let query: Vec<String> = PRIVILEGES
            .iter()
            .map(|(key, value)| format!("{key}={}", value.replace(['$', '*'], "")))
            .collect();
        let path = format!("{}?{}", target.path, query.join("&"));
        let body = Json::Object(next()).to_string();
        let request = String::from_utf8(post_as("application/json", &path, &body)).expect("text");
        let headers =
            "\r\nx-role: admin\r\nx-user-id: 1000000\r\nrole: admin\r\ncookie: role=admin; id=1000000\r\n";
        let reply = target.client.ask(request.replacen("\r\n", headers, 1).as_bytes()).await;
        assert!(reply.status < 300, "{name}: {reply:?}");
    }
    // The clock of these servers stands still.
    let honest = match database {
        Database::Sqlite(_) => {
            "created_at = '2024-06-10T12:34:56.789Z' AND updated_at = created_at AND length(password) > 60"
        }
        Database::Postgres(_) => {
            "created_at = '2024-06-10T12:34:56.789Z'::timestamptz AND updated_at = created_at AND length(password) > 60"
        }
    };
    let all = database.number("SELECT count(*) FROM users").await;
    assert_eq!(all, number as i64);
    let plain = format!(
        "SELECT count(*) FROM users WHERE status = 'active' AND version = 1 AND id < 1000000 AND {honest}"
    );
    assert_eq!(database.number(&plain).await, all);
    let extras = "SELECT count(*) FROM users WHERE CAST(extra AS text) NOT IN ('{}', '{\"note\":\"none\"}')";
    assert_eq!(database.number(extras).await, 0);
    let claims = "SELECT count(*) FROM user_keys WHERE kind NOT IN ('email', 'username', 'id') OR value IN \
                  ('1000000', 'aaaaaaaaaaaaaaaaaaaaaaaa', '00000000-0000-0000-0000-000000000000')";
    assert_eq!(database.number(claims).await, 0);
    // The control: the same question finds a row that somebody has changed.
    database.execute("UPDATE users SET status = 'owner' WHERE id = (SELECT min(id) FROM users)").await;
    assert_eq!(database.number(&plain).await, all - 1);
}
