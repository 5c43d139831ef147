//! The charts of every section that was measured; their names begin with the section's.

use serde_json::Value;

use super::Results;
use super::tables::{rows, store, string};
use crate::chart::{Bar, Line, bars, lines};

/// The colour of the ceiling that something is held against.
const CEILING: usize = 4;

/// Draws a section.
type Picture = fn(&Value) -> String;

/// Names without `.svg`, and pictures.
pub(super) fn all(results: &Results) -> Vec<(String, String)> {
    let makers: [(&str, &str, Picture); 8] = [
        ("rates", "rates", rates),
        ("overload", "overload", overload),
        ("refusals", "refusals", refusals),
        ("growth", "growth", growth),
        ("peers", "peers-rate", peer_rates),
        ("peers", "peers-overload", peer_overload),
        ("peers", "peers-memory-idle", peer_memory_idle),
        ("peers", "peers-memory-overload", peer_memory_overload),
    ];
    let measured = makers.into_iter().filter_map(|(section, name, draw)| {
        let section = results.section(section)?.section;
        section["failed"].is_null().then(|| (name.to_owned(), draw(section)))
    });
    measured.collect()
}

fn rates(section: &Value) -> String {
    let mut all = vec![Bar {
        label: "the hash pool alone".into(),
        value: of(section, "/pool_per_second"),
        colour: CEILING,
    }];
    all.extend(rows(section, "/cells").iter().map(|cell| Bar {
        label: format!("{}, {} clients", store(cell), cell["connections"]),
        value: of(cell, "/per_second"),
        colour: colour(cell),
    }));
    bars(
        "Registrations a second",
        "closed loop; Argon2id, 19 MiB, two passes; every commit synced to disk",
        &all,
    )
}

fn overload(section: &Value) -> String {
    let mut all = Vec::new();
    for server in rows(section, "/servers") {
        let values = by_second(server, 1.0);
        let peak = f64::midpoint(of(server, "/peak_before"), of(server, "/peak_after"));
        let (name, colour) = (store(server), colour(server));
        all.push(Line {
            label: format!("{name}: its peak"),
            values: vec![peak; values.len()],
            colour,
            dashed: true,
        });
        all.push(Line { label: format!("{name}: registered"), values, colour, dashed: false });
    }
    lines(
        "Ten times too much",
        "registrations by second while ten times the peak is offered, open loop",
        &all,
    )
}

fn refusals(section: &Value) -> String {
    let bare = of(section, "/bare_axum_per_second");
    let mut all = vec![Bar { label: "a bare axum".into(), value: bare, colour: CEILING }];
    all.extend(rows(section, "/cells").iter().map(|cell| Bar {
        label: format!("{}, {}", store(cell), string(cell, "/kind")),
        value: of(cell, "/per_second"),
        colour: colour(cell),
    }));
    bars("Refusals a second", "closed loop, 16 clients", &all)
}

fn growth(section: &Value) -> String {
    let cells = rows(section, "/cells").iter();
    let all: Vec<Bar> = cells
        .map(|cell| Bar {
            label: format!("{}, {} accounts", store(cell), cell["users"]),
            value: of(cell, "/cost_over_empty"),
            colour: colour(cell),
        })
        .collect();
    bars(
        "What a registration costs as the database grows",
        "time on a full database over time on an empty one",
        &all,
    )
}

fn peer_rates(section: &Value) -> String {
    peer_bars(section, "/rates/3/per_second", 1.0, "Registrations a second", "closed loop, 64 clients")
}

fn peer_memory_idle(section: &Value) -> String {
    peer_bars(
        section,
        "/idle_rss_kib",
        1.0 / 1024.0,
        "Memory, idle",
        "MiB resident, all processes of a server",
    )
}

fn peer_memory_overload(section: &Value) -> String {
    let title = "Memory at ten times the peak";
    peer_bars(
        section,
        "/overload/peak_rss_kib",
        1.0 / 1024.0,
        title,
        "most MiB resident, all processes of a server",
    )
}

fn peer_bars(section: &Value, pointer: &str, factor: f64, title: &str, unit: &str) -> String {
    let servers = rows(section, "/servers").iter();
    let all: Vec<Bar> = servers
        .map(|server| Bar {
            label: string(server, "/name"),
            value: of(server, pointer) * factor,
            colour: peer_colour(server),
        })
        .collect();
    bars(title, unit, &all)
}

fn peer_overload(section: &Value) -> String {
    let servers = rows(section, "/servers").iter().filter(|server| server["overload"].is_object());
    let all: Vec<Line> = servers
        .enumerate()
        .map(|(n, server)| {
            let over = &server["overload"];
            let peak =
                f64::midpoint(of(over, "/peak_before"), of(over, "/peak_after")).max(f64::MIN_POSITIVE);
            Line {
                label: string(server, "/name"),
                values: by_second(over, 100.0 / peak),
                colour: n,
                dashed: n >= 5,
            }
        })
        .collect();
    lines("Ten times too much", "registrations by second, per cent of each server's own peak", &all)
}

/// Successes by second, to the end of the load.
fn by_second(overload: &Value, factor: f64) -> Vec<f64> {
    let length = overload["seconds"].as_u64().or(overload["seconds"].as_f64().map(|s| s as u64)).unwrap_or(0);
    let seconds = rows(overload, "/load/successes_by_second");
    (0..length as usize).map(|n| seconds.get(n).and_then(Value::as_f64).unwrap_or(0.0) * factor).collect()
}

fn of(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or_default()
}

fn colour(value: &Value) -> usize {
    usize::from(value["store"] == "postgresql")
}

fn peer_colour(server: &Value) -> usize {
    if string(server, "/name").starts_with("Vestibule") { 0 } else { CEILING }
}
