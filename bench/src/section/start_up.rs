//! Start to listening, to the first registration, idle memory and size; medians of starts on new databases.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Bench, middle};
use crate::client::Client;
use crate::database::Database;
use crate::request::Kind;
use crate::sample;
use crate::target::Target;

const STARTS: usize = 5;

pub async fn measure(bench: &Bench) -> anyhow::Result<Value> {
    let mut rows = Vec::new();
    for _ in 0..STARTS {
        for database in Database::each(bench.postgres.as_deref()).await? {
            rows.push(start(bench, database).await?);
        }
    }
    let of = |store: &str| -> Vec<Value> { rows.iter().filter(|r| r["store"] == store).cloned().collect() };
    let summary = |store: &str| {
        let rows = of(store);
        (!rows.is_empty()).then(|| {
            json!({ "store": store, "listening_ms": middle(&rows, "/listening_ms"),
                    "answering_ms": middle(&rows, "/answering_ms"),
                    "first_registration_ms": middle(&rows, "/first_registration_ms"),
                    "idle_rss_kib": middle(&rows, "/idle_rss_kib"), "starts": rows })
        })
    };
    let stores: Vec<Value> = ["sqlite", "postgresql"].into_iter().filter_map(summary).collect();
    Ok(json!({ "binary_bytes": std::fs::metadata(&bench.binary)?.len(), "stores": stores }))
}

async fn start(bench: &Bench, database: Database) -> anyhow::Result<Value> {
    let store = database.store();
    let begin = Instant::now();
    let target = Target::vestibule(&bench.binary, database)?;
    let maker = target.maker(Kind::Register);
    let listening = target.server.started_in.as_secs_f64() * 1e3;
    target.ready().await?;
    let answering = begin.elapsed().as_secs_f64() * 1e3;
    let idle = sample::usage(target.server.pid()).rss_kib;
    let answer = Client::connect(target.address()).await?.exchange(&maker.next()).await?;
    anyhow::ensure!(answer.status < 300, "the first registration was answered {}", answer.status);
    let first = begin.elapsed().as_secs_f64() * 1e3;
    Ok(json!({ "store": store, "listening_ms": listening, "answering_ms": answering,
               "first_registration_ms": first, "idle_rss_kib": idle }))
}
