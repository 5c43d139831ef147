//! Refusals beside a bare axum that parses the same JSON, in turn.

use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Bench, median, middle};
use crate::database::Database;
use crate::progress;
use crate::request::{Kind, Maker};
use crate::server::{Server, free_address};
use crate::target::{Target, closed, run};

const CONNECTIONS: usize = 16;

pub async fn measure(bench: &Bench) -> anyhow::Result<Value> {
    let database = Database::sqlite()?;
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["floor", &address.to_string()]);
    let floor = Server::start(command, address, &database.folder.join("floor.log"))?;
    let mut targets = Vec::new();
    for database in Database::each(bench.postgres.as_deref()).await? {
        targets.push(Target::vestibule(&bench.binary, database)?);
    }
    let (mut rows, mut floors) = (Vec::new(), Vec::new());
    for round in 1..=bench.rounds {
        progress!("refusals: round {round} of {}", bench.rounds);
        let maker = Arc::new(Maker::new(Kind::Invalid, address, "/users", &run()));
        let bare = closed(&floor, maker, CONNECTIONS, bench.seconds).await?;
        let bare = bare["refused"]["per_second"].as_f64().unwrap_or_default();
        floors.push(bare);
        for target in &targets {
            for kind in [Kind::Invalid, Kind::Malformed, Kind::Taken] {
                let mut row = target.closed(kind, CONNECTIONS, bench.seconds).await?;
                row["store"] = target.database.store().into();
                let rate = row["refused"]["per_second"].as_f64().unwrap_or_default();
                row["over_bare_axum"] = json!(rate / bare);
                rows.push(row);
            }
        }
    }
    let mut cells = Vec::new();
    for target in &targets {
        for kind in ["invalid", "malformed", "taken"] {
            let store = target.database.store();
            let same = |row: &&Value| row["store"] == store && row["kind"] == kind;
            let rows: Vec<Value> = rows.iter().filter(same).cloned().collect();
            cells.push(json!({
                "store": store, "kind": kind, "per_second": middle(&rows, "/refused/per_second"),
                "p99_ms": middle(&rows, "/refused/p99_ms"), "over_bare_axum": middle(&rows, "/over_bare_axum"),
            }));
        }
    }
    Ok(
        json!({ "bare_axum_per_second": median(floors), "connections": CONNECTIONS, "cells": cells, "rows": rows }),
    )
}
