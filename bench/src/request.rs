//! Requests with bodies that no other request has.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::ValueEnum;
use serde::Serialize;

/// What a request is meant to end in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A new account, a hash and a commit.
    Register,
    /// Refused by a rule.
    Invalid,
    /// Not JSON.
    Malformed,
    /// An address that is registered already (by the first request of the run).
    Taken,
    /// `GET`, for probes.
    Get,
}

/// Makes requests of one kind.
#[derive(Debug)]
pub struct Maker {
    pub kind: Kind,
    host: String,
    path: String,
    /// Distinguishes this run's addresses from every other run's.
    run: String,
    next: AtomicU64,
}

impl Maker {
    pub fn new(kind: Kind, address: SocketAddr, path: &str, run: &str) -> Maker {
        let next = AtomicU64::new(0);
        Maker { kind, host: address.to_string(), path: path.to_owned(), run: run.to_owned(), next }
    }

    /// The next request, whole.
    pub fn next(&self) -> Vec<u8> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let (path, host) = (&self.path, &self.host);
        let body = match self.kind {
            Kind::Get => return format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes(),
            Kind::Register => self.body(&n.to_string()),
            Kind::Taken => self.body("taken"),
            Kind::Invalid => r#"{"email":"nobody","password":"x","name":"","username":""}"#.to_owned(),
            Kind::Malformed => r#"{"email":"#.to_owned(),
        };
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        (head + &body).into_bytes()
    }

    /// Fields of every dialect that is measured; each server takes those it knows.
    fn body(&self, who: &str) -> String {
        let run = &self.run;
        format!(
            r#"{{"email":"u{who}.{run}@example.com","username":"u{who}.{run}","name":"Jane Doe","firstname":"Jane","lastname":"Doe","first_name":"Jane","last_name":"Doe","password":"correct horse 7"}}"#
        )
    }
}
