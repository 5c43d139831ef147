//! One table per section, with what it was measured on.

use std::fmt::Write;

use serde_json::Value;

use super::{Found, Results};

/// Writes a section.
type Table = fn(&Value) -> String;

/// Every section in reading order: its name, its heading, its table.
const SECTIONS: [(&str, &str, Table); 6] = [
    ("rates", "Registrations a second", rates),
    ("overload", "Ten times too much", overload),
    ("refusals", "Refusals a second", refusals),
    ("start_up", "Start and size", start_up),
    ("growth", "From empty to many accounts", growth),
    ("peers", "Beside other servers", peers),
];

/// All tables; `images` gives what is shown below a section's.
pub(super) fn all(results: &Results, images: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    for (name, heading, table) in SECTIONS {
        let _ = write!(text, "### {heading}\n\n");
        match results.section(name) {
            None => text.push_str("Not measured yet.\n\n"),
            Some(Found { section, .. }) if section["failed"].is_string() => {
                let _ = write!(text, "Not measured: {}\n\n", string(section, "/failed"));
            }
            Some(Found { section, result }) => {
                let _ = write!(text, "{}\n{}{}\n\n", table(section), images(name), origin(result));
            }
        }
    }
    text
}

fn origin(result: &Value) -> String {
    format!(
        "*{}, {} x {}, {}, {}, load before {}; {} s each, {} rounds.*",
        string(result, "/date").split('T').next().unwrap_or_default(),
        number(result, "/machine/cores", 0),
        string(result, "/machine/cpu"),
        string(result, "/machine/system"),
        string(result, "/machine/file_system"),
        string(result, "/machine/load_before").split(' ').next().unwrap_or_default(),
        number(result, "/settings/seconds", 0),
        number(result, "/settings/rounds", 0),
    )
}

fn rates(section: &Value) -> String {
    let mut text =
        table(&["store", "clients", "registrations/s", "of the pool", "p50 ms", "p99 ms", "cores"]);
    for cell in rows(section, "/cells") {
        row(
            &mut text,
            &[
                store(cell),
                number(cell, "/connections", 0),
                number(cell, "/per_second", 1),
                percent(cell, "/over_pool"),
                number(cell, "/p50_ms", 1),
                number(cell, "/p99_ms", 1),
                number(cell, "/cores_used", 2),
            ],
        );
    }
    format!("The hash pool alone: **{}** hashes a second.\n\n{text}", number(section, "/pool_per_second", 1))
}

fn overload(section: &Value) -> String {
    let servers = rows(section, "/servers");
    let line = |name: &str, of: &dyn Fn(&Value) -> String| {
        let mut cells = vec![name.to_owned()];
        cells.extend(servers.iter().map(of));
        cells
    };
    let stores: Vec<String> = servers.iter().map(store).collect();
    let mut head = vec![""];
    head.extend(stores.iter().map(String::as_str));
    let mut text = table(&head);
    let plain = |text: &mut String, name: &str, pointer: &'static str, digits| {
        row(text, &line(name, &|s| number(s, pointer, digits)));
    };
    plain(&mut text, "offered, registrations/s", "/offered_per_second", 0);
    plain(&mut text, "peak just before, registrations/s", "/peak_before", 1);
    plain(&mut text, "registered, registrations/s", "/goodput_per_second", 1);
    plain(&mut text, "peak just after, registrations/s", "/peak_after", 1);
    row(&mut text, &line("registered, of the peak", &|s| percent(s, "/goodput_over_peak")));
    row(&mut text, &line("worst second, of the peak", &|s| percent(s, "/worst_second_over_peak")));
    plain(&mut text, "p99 of the registered, ms", "/load/succeeded/p99_ms", 0);
    plain(&mut text, "p50 of those sent away, ms", "/load/shed/p50_ms", 1);
    plain(&mut text, "p99 of those sent away, ms", "/load/shed/p99_ms", 1);
    plain(&mut text, "sent away without Retry-After", "/load/shed_without_retry_after", 0);
    plain(&mut text, "timed out", "/load/timed_out", 0);
    plain(&mut text, "connections broken", "/load/broken", 0);
    plain(&mut text, "not sent by the client", "/load/not_sent", 0);
    plain(&mut text, "p99 of /healthz meanwhile, ms", "/healthz/succeeded/p99_ms", 1);
    plain(&mut text, "p99 of a bad request meanwhile, ms", "/bad/refused/p99_ms", 1);
    row(&mut text, &line("first registration after the end, ms", &recovered));
    row(
        &mut text,
        &line("accounts stored / clients told", &|s| {
            format!("{} / {}", number(s, "/accounts_stored", 0), number(s, "/clients_told", 0))
        }),
    );
    row(&mut text, &line("peak resident memory, MiB", &|s| mebibytes(s, "/peak_rss_kib")));
    row(
        &mut text,
        &line("cores: server / client", &|s| {
            format!("{} / {}", number(s, "/cores_used", 2), number(s, "/client_cores_used", 2))
        }),
    );
    text
}

fn refusals(section: &Value) -> String {
    let mut text = table(&["store", "request", "refusals/s", "of a bare axum", "p99 ms"]);
    for cell in rows(section, "/cells") {
        row(
            &mut text,
            &[
                store(cell),
                string(cell, "/kind"),
                number(cell, "/per_second", 0),
                percent(cell, "/over_bare_axum"),
                number(cell, "/p99_ms", 2),
            ],
        );
    }
    format!("A bare axum: **{}** answers a second.\n\n{text}", number(section, "/bare_axum_per_second", 0))
}

fn start_up(section: &Value) -> String {
    let mut text = table(&[
        "store",
        "listening after, ms",
        "/healthz answers after, ms",
        "first registration after, ms",
        "idle memory, MiB",
    ]);
    for cell in rows(section, "/stores") {
        row(
            &mut text,
            &[
                store(cell),
                number(cell, "/listening_ms", 1),
                number(cell, "/answering_ms", 1),
                number(cell, "/first_registration_ms", 1),
                mebibytes(cell, "/idle_rss_kib"),
            ],
        );
    }
    let size = section["binary_bytes"].as_f64().unwrap_or_default() / 1_048_576.0;
    format!("{text}\nThe program: {size:.1} MiB.\n")
}

fn growth(section: &Value) -> String {
    let mut text = table(&[
        "store",
        "accounts",
        "registrations/s",
        "beside, empty",
        "cost, full/empty",
        "p99 of one, ms",
        "beside, empty",
        "taken/s",
        "beside, empty",
        "bytes per account",
        "bulk load, s",
    ]);
    for cell in rows(section, "/cells") {
        let users = cell["users"].as_f64().unwrap_or_default();
        let each = cell["bytes"].as_f64().filter(|_| users > 0.0).map(|bytes| bytes / users);
        row(
            &mut text,
            &[
                store(cell),
                format!("{users}"),
                number(cell, "/full/per_second", 1),
                number(cell, "/empty/per_second", 1),
                number(cell, "/cost_over_empty", 3),
                number(cell, "/full/p99_ms", 1),
                number(cell, "/empty/p99_ms", 1),
                number(cell, "/full/taken_per_second", 0),
                number(cell, "/empty/taken_per_second", 0),
                each.map_or_else(none, |bytes| format!("{bytes:.0}")),
                number(cell, "/fill_seconds", 0),
            ],
        );
    }
    text
}

fn peers(section: &Value) -> String {
    let servers = rows(section, "/servers");
    let mut text = table(&[
        "server",
        "store",
        "registrations/s at 1 / 4 / 16 / 64",
        "p99 ms at 16",
        "refusals/s",
        "idle MiB",
        "start ms",
    ]);
    for server in servers {
        let rates: Vec<String> =
            rows(server, "/rates").iter().map(|rate| number(rate, "/per_second", 0)).collect();
        row(
            &mut text,
            &[
                string(server, "/name"),
                store(server),
                rates.join(" / "),
                number(server, "/rates/2/p99_ms", 0),
                number(server, "/invalid_per_second", 0),
                mebibytes(server, "/idle_rss_kib"),
                number(server, "/started_ms", 0),
            ],
        );
    }
    text.push_str("\nTen times the peak of each:\n\n");
    text += &table(&[
        "server",
        "registered, of its peak",
        "p99 s",
        "sent away",
        "timed out",
        "/healthz p99 ms",
        "first registration after, ms",
        "stored, but not told",
        "peak MiB",
    ]);
    for server in servers {
        let over = &server["overload"];
        row(
            &mut text,
            &[
                string(server, "/name"),
                percent(over, "/goodput_over_peak"),
                seconds(over, "/load/succeeded/p99_ms"),
                number(over, "/load/shed/count", 0),
                number(over, "/load/timed_out", 0),
                number(over, "/healthz/succeeded/p99_ms", 0),
                recovered(over),
                number(over, "/stored_but_untold", 0),
                mebibytes(over, "/peak_rss_kib"),
            ],
        );
    }
    for server in rows(section, "/failed") {
        let _ = write!(text, "\nNot measured: {}: {}\n", string(server, "/name"), string(server, "/failed"));
    }
    for server in servers.iter().filter(|server| server["overload_failed"].is_string()) {
        let _ = write!(
            text,
            "\nOverload of {}: {}\n",
            string(server, "/name"),
            string(server, "/overload_failed")
        );
    }
    text
}

fn recovered(overload: &Value) -> String {
    match overload["first_registration_after_ms"].as_f64() {
        Some(time) => format!("{time:.0}"),
        None if overload.is_null() => none(),
        None => "none in 30 s".to_owned(),
    }
}

fn table(head: &[&str]) -> String {
    let rule: String = head.iter().map(|_| "---|").collect();
    format!("| {} |\n|{rule}\n", head.join(" | "))
}

fn row(text: &mut String, cells: &[String]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

pub(super) fn rows<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(super) fn store(value: &Value) -> String {
    if value["store"] == "postgresql" { "PostgreSQL".to_owned() } else { "SQLite".to_owned() }
}

pub(super) fn string(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().replace('|', "\\|").replace('\n', " ")
}

fn none() -> String {
    "-".to_owned()
}

fn scaled(value: &Value, pointer: &str, factor: f64, digits: usize, unit: &str) -> String {
    let number = value.pointer(pointer).and_then(Value::as_f64);
    number.map_or_else(none, |number| format!("{:.digits$}{unit}", number * factor))
}

fn number(value: &Value, pointer: &str, digits: usize) -> String {
    scaled(value, pointer, 1.0, digits, "")
}

fn percent(value: &Value, pointer: &str) -> String {
    scaled(value, pointer, 100.0, 0, " %")
}

fn seconds(value: &Value, pointer: &str) -> String {
    scaled(value, pointer, 1e-3, 1, "")
}

fn mebibytes(value: &Value, pointer: &str) -> String {
    scaled(value, pointer, 1.0 / 1024.0, 1, "")
}
