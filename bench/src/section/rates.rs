//! The pool's raw rate and registrations in a closed loop, in turn.

use serde_json::{Value, json};

use super::{Bench, median, middle};
use crate::database::Database;
use crate::pool::pool;
use crate::progress;
use crate::request::Kind;
use crate::target::Target;

pub const CONNECTIONS: [usize; 4] = [1, 4, 16, 64];

pub async fn measure(bench: &Bench) -> anyhow::Result<Value> {
    let mut targets = Vec::new();
    for database in Database::each(bench.postgres.as_deref()).await? {
        targets.push(Target::vestibule(&bench.binary, database)?);
    }
    let (mut rows, mut pools) = (Vec::new(), Vec::new());
    for round in 1..=bench.rounds {
        for connections in CONNECTIONS {
            progress!("rates: round {round} of {}, {connections} clients", bench.rounds);
            let raw = pool(bench.seconds).await?;
            let of_raw = raw["hashes_per_second"].as_f64().unwrap_or_default();
            pools.push(raw);
            for target in &targets {
                let mut row = target.closed(Kind::Register, connections, bench.seconds).await?;
                row["store"] = target.database.store().into();
                let rate = row["succeeded"]["per_second"].as_f64().unwrap_or_default();
                row["over_pool"] = json!(rate / of_raw);
                rows.push(row);
            }
        }
    }
    let mut cells = Vec::new();
    for target in &targets {
        for connections in CONNECTIONS {
            let store = target.database.store();
            let same = |row: &&Value| row["store"] == store && row["connections"] == connections;
            let rows: Vec<Value> = rows.iter().filter(same).cloned().collect();
            cells.push(json!({
                "store": store, "connections": connections, "per_second": middle(&rows, "/succeeded/per_second"),
                "over_pool": middle(&rows, "/over_pool"), "p50_ms": middle(&rows, "/succeeded/p50_ms"),
                "p99_ms": middle(&rows, "/succeeded/p99_ms"), "cores_used": middle(&rows, "/cores_used"),
            }));
        }
    }
    let raw = median(pools.iter().filter_map(|pool| pool["hashes_per_second"].as_f64()));
    Ok(json!({ "pool_per_second": raw, "cells": cells, "pools": pools, "rows": rows }))
}
