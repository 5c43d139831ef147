//! What a registration costs on an empty database and on full ones: two servers, measured in turn.

use std::time::Instant;

use anyhow::ensure;
use serde_json::{Value, json};

use super::{Bench, median, middle};
use crate::client::Client;
use crate::database::Database;
use crate::fill::{address, fill};
use crate::progress;
use crate::request::Kind;
use crate::target::Target;

const CONNECTIONS: usize = 64;

pub async fn measure(bench: &Bench) -> anyhow::Result<Value> {
    let mut cells = Vec::new();
    for &users in &bench.users {
        for database in Database::each(bench.postgres.as_deref()).await? {
            cells.push(compare(bench, users, database).await?);
        }
    }
    Ok(json!({ "connections": CONNECTIONS, "cells": cells }))
}

async fn compare(bench: &Bench, users: u64, database: Database) -> anyhow::Result<Value> {
    let store = database.store();
    progress!("growth: filling {store} with {users} accounts");
    // A first start makes the schema.
    let first = Target::vestibule(&bench.binary, database)?;
    first.ready().await?;
    let database = first.stop();
    let begin = Instant::now();
    if users > 0 {
        fill(&database, users).await?;
    }
    let fill_seconds = begin.elapsed().as_secs_f64();
    ensure!(database.count("user_keys").await? == users, "the bulk load is incomplete");
    let bytes = database.bytes().await?;
    let full = Target::vestibule(&bench.binary, database)?;
    if users > 0 {
        refuses_a_filled_address(&full, users).await?;
    }
    let empty = match bench.postgres.as_deref().filter(|_| store == "postgresql") {
        Some(admin) => Database::postgres(admin).await?,
        None => Database::sqlite()?,
    };
    let empty = Target::vestibule(&bench.binary, empty)?;
    let mut rounds = Vec::new();
    for round in 1..=bench.rounds {
        progress!("growth: {store}, {users} accounts, round {round} of {}", bench.rounds);
        // Who goes first changes, so that a drift of the machine favours neither.
        let order = if round % 2 == 0 {
            [("full", &full), ("empty", &empty)]
        } else {
            [("empty", &empty), ("full", &full)]
        };
        let mut row = json!({});
        for (name, target) in order {
            let many = target.closed(Kind::Register, CONNECTIONS, bench.seconds).await?;
            let one = target.closed(Kind::Register, 1, bench.seconds).await?;
            let taken = target.closed(Kind::Taken, 16, bench.seconds).await?;
            row[name] = json!({ "many": many, "one": one, "taken": taken });
        }
        rounds.push(row);
    }
    let told = |name: &str| {
        json!({
            "per_second": middle(&rounds, &format!("/{name}/many/succeeded/per_second")),
            "p50_ms": middle(&rounds, &format!("/{name}/one/succeeded/p50_ms")),
            "p99_ms": middle(&rounds, &format!("/{name}/one/succeeded/p99_ms")),
            "taken_per_second": middle(&rounds, &format!("/{name}/taken/refused/per_second")),
        })
    };
    // The cost of one is the time of both cores that it takes when they are busy: the rate's inverse.
    let rate = |round: &Value, name: &str| round[name]["many"]["succeeded"]["per_second"].as_f64();
    let cost = median(rounds.iter().filter_map(|r| Some(rate(r, "empty")? / rate(r, "full")?)));
    Ok(json!({
        "store": store, "users": users, "fill_seconds": fill_seconds, "bytes": bytes, "empty": told("empty"),
        "full": told("full"), "cost_over_empty": cost, "rounds": rounds,
    }))
}

/// The bulk load counts only if the server takes its accounts for its own.
async fn refuses_a_filled_address(target: &Target, users: u64) -> anyhow::Result<()> {
    let body = format!(r#"{{"email":"{}","password":"correct horse 7"}}"#, address(users / 2 + 1));
    let request = format!(
        "POST /users HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = Client::connect(target.address()).await?.exchange(request.as_bytes()).await?;
    ensure!(answer.status == 409, "an address of the bulk load is answered {}, not 409", answer.status);
    Ok(())
}
