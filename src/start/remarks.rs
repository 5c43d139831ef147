//! What the start-up log says of a configuration that is good, and still worth a look.

use crate::app::Mounted;
use crate::config::{Config, Loaded, Origin};
use std::net::SocketAddr;
use std::sync::Arc;

/// What these settings mean, a sentence for each thing. `bound` is the listener's address.
pub(super) fn notes(config: &Config, contracts: &[Arc<Mounted>], bound: SocketAddr) -> Vec<String> {
    let mut out = concessions(contracts);
    let refuses_common = contracts.iter().any(|mounted| mounted.contract.refuses_common_passwords());
    if config.passwords.breached.is_none() && refuses_common {
        out.push("passwords.breached is not set: of passwords that were in breaches only those that are built in are refused".to_owned());
    }
    if config.closed {
        out.push("sign-up is switched off (closed): every contract answers `closed`".to_owned());
    }
    let reached_from_here = bound.ip().is_loopback() || bound.ip().is_unspecified();
    let by_network = [("rates.network", config.rates.network), ("rates.site", config.rates.site)];
    let by_network: Vec<&str> =
        by_network.iter().filter(|(_, rate)| rate.is_some()).map(|(name, _)| *name).collect();
    if reached_from_here && !by_network.is_empty() && config.trusted_proxies.is_empty() {
        out.push(format!(
            "requests from this machine itself are not limited by network ({}): declare a proxy here in trusted_proxies",
            by_network.join(", ")
        ));
    }
    out
}

/// What the contracts concede to their clients, a sentence for each.
fn concessions(contracts: &[Arc<Mounted>]) -> Vec<String> {
    let mut told: Vec<&str> = Vec::new();
    let mut out = Vec::new();
    for mounted in contracts {
        let conceded = mounted.contract.concessions();
        if !conceded.is_empty() && !told.contains(&mounted.name.as_str()) {
            told.push(&mounted.name);
            out.push(format!("contract {} keeps to its rules: {}", mounted.name, conceded.join("; ")));
        }
    }
    out
}

/// The warning that the database's password can be read by others.
pub(super) fn on_the_command_line(loaded: &Loaded) -> Option<String> {
    let database = &loaded.config.database;
    let has_password = database.to_string() != database.expose();
    let Some(Origin::Flag(flag)) = loaded.origin("database").filter(|_| has_password) else { return None };
    Some(format!(
        "{flag} holds a password, and all users of this machine can read command lines: give it in VESTIBULE_DATABASE, or in a \
         configuration file with mode 0600"
    ))
}

/// The warning that passwords would cross a network in the open.
pub(super) fn in_the_open(config: &Config, encrypted: bool, bound: SocketAddr) -> Option<String> {
    (!encrypted && config.trusted_proxies.is_empty() && !bound.ip().is_loopback()).then(|| {
        format!(
            "{bound} is reachable from other machines without encryption, and no proxy is declared: passwords would cross the \
             network in the open; set `tls.certificate` and `tls.key`, or put a proxy with TLS in front and name it in \
             `trusted_proxies`"
        )
    })
}
