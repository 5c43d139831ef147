//! Attacks: what strangers send on purpose, and what must not come of it.

mod canary;
mod claims;
mod corpora;
mod panics;
mod privileges;
mod regressions;
mod texts;
mod types;

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value as Json};
use vestibule::app::App;
use vestibule::clock::Clock;
use vestibule::contract::{self, Contract, SHIPPED, shipped};

use crate::harness::client::{Client, Reply, post_as};
use crate::harness::database::Database;
use crate::harness::server::Server;

/// Reads every format, and keeps a value of its own.
const EVERY_FORMAT: &str = r#"
[register]
path = "/users"
accepts = ["json", "form", "multipart"]
fields = [
  { name = "name" },
  { name = "email", rules = [{ required = true, format = "email" }] },
  { name = "password", rules = [{ required = true }] },
  { name = "note", into = "extra.note" },
]
[register.created]
status = 201
body = '{ "name": "{{ user.name }}" }'
[register.default]
body = '{ "said": "{{ message }}" }'
"#;

/// The shipped contracts, and one that reads every format.
fn contracts() -> Vec<(&'static str, Contract)> {
    let mut all: Vec<_> =
        SHIPPED.iter().map(|one| (one.name, shipped(one.name).expect("it is shipped"))).collect();
    all.push(("every-format", every_format()));
    all
}

fn every_format() -> Contract {
    contract::load(EVERY_FORMAT).contract.expect("a contract")
}

/// A sign-up that this contract takes, by somebody who is told from others by `number`.
fn good(contract: &str, number: usize) -> Map<String, Json> {
    let pairs: &[(&str, &str)] = match contract {
        "flask" => &[("username", ""), ("password", "Correct-1 horse")],
        "express" => {
            &[("firstname", "Jane"), ("lastname", "Does"), ("email", ""), ("password", "Correct-1 horse")]
        }
        "knex" => {
            &[("first_name", "Jane"), ("last_name", "Doe"), ("email", ""), ("password", "Correct-1 horse")]
        }
        "every-format" => {
            &[("name", "Jane"), ("email", ""), ("password", "Correct-1 horse"), ("note", "none")]
        }
        _ => &[("name", "Jane"), ("email", ""), ("password", "Correct-1 horse")],
    };
    let value = |(name, value): &(&str, &str)| {
        let value = match *name {
            "email" => format!("somebody.{number}@example.com"),
            "username" => format!("somebody{number}"),
            _ => (*value).to_owned(),
        };
        ((*name).to_owned(), Json::from(value))
    };
    pairs.iter().map(value).collect()
}

/// A server for one contract in this process, a client that keeps its connection, and its path.
struct Target {
    server: Server,
    client: Client,
    path: String,
}

impl Target {
    async fn of(name: &str, contract: Contract, database: &Database, body_limit: usize) -> Target {
        let path = contract.register.path.clone();
        // Dice of its own: servers that share a database must not draw the same ids.
        static DICE: AtomicU64 = AtomicU64::new(100);
        let dice = DICE.fetch_add(1, Ordering::Relaxed);
        let change = |app: &mut App| {
            app.body_limit = body_limit;
            app.clock = Clock::fixed("2024-06-10T12:34:56.789Z".parse().expect("a time"), dice);
        };
        let server = Server::with(name, contract, database.open().await, change).await;
        let client = Client::connect(server.address).await;
        Target { server, client, path }
    }

    /// Sends a body and holds the answer against what is true of every answer: no fault of the server's, JSON, and the
    /// connection goes on unless it was said to end.
    async fn send(&mut self, media: &str, body: &[u8]) -> Reply {
        let mut request = post_as(media, &self.path, "");
        let head = String::from_utf8(request).expect("text");
        request = head.replace("content-length: 0", &format!("content-length: {}", body.len())).into_bytes();
        request.extend_from_slice(body);
        let reply = self.client.ask(&request).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
        assert!(reply.status < 500, "{} for {shown}", reply.status);
        assert!(reply.header("content-type").ends_with("json"), "{reply:?} for {shown}");
        reply.json();
        if reply.header("connection") == "close" {
            assert_eq!(reply.status, 413, "{reply:?} for {shown}");
            self.client = Client::connect(self.server.address).await;
        }
        reply
    }

    async fn send_json(&mut self, body: &Map<String, Json>) -> Reply {
        self.send("application/json", Json::Object(body.clone()).to_string().as_bytes()).await
    }

    async fn users(&self) -> Vec<vestibule::user::User> {
        self.server.app.store.list(0, 100_000).await.expect("the store answers")
    }
}

/// The three formats in which the same fields can be sent: media type and body.
fn in_every_format(fields: &[(String, String)]) -> Vec<(&'static str, Vec<u8>)> {
    let json: Map<String, Json> = fields.iter().map(|(k, v)| (k.clone(), Json::from(v.as_str()))).collect();
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut parts = String::new();
    for (name, value) in fields {
        parts.push_str(&format!(
            "--edge\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        ));
    }
    parts.push_str("--edge--\r\n");
    vec![
        ("application/json", Json::Object(json).to_string().into_bytes()),
        ("application/x-www-form-urlencoded", form.into_bytes()),
        ("multipart/form-data; boundary=edge", parts.into_bytes()),
    ]
}
