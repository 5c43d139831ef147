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
            let mut before = pool(bench.seconds).await?;
            for target in &targets {
                let mut row = target.closed(Kind::Register, connections, bench.seconds).await?;
                // A machine becomes slower and faster; so the pool is asked on both sides.
                let after = pool(bench.seconds).await?;
                row["store"] = target.database.store().into();
                let rate = row["succeeded"]["per_second"].as_f64().unwrap_or_default();
                row["over_pool"] = json!(2.0 * rate / (hashes(&before) + hashes(&after)));
                rows.push(row);
                pools.push(std::mem::replace(&mut before, after));
            }
            pools.push(before);
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
    let raw = median(pools.iter().map(hashes));
    Ok(json!({ "pool_per_second": raw, "cells": cells, "pools": pools, "rows": rows }))
}

fn hashes(pool: &Value) -> f64 {
    pool["hashes_per_second"].as_f64().unwrap_or_default()
}
