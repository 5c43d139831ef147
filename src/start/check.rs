//! Everything that can be judged before a socket or a database is opened.

use super::error::StartError;
use super::memory::{Ceiling, Need, Verdict};
use crate::acme::Acme;
use crate::app::Mounted;
use crate::breach::Filter;
use crate::config::{Loaded, Mount, Problems};
use crate::contract::{self, Complaint, Contract, Level, SHIPPED, Shipped};
use crate::http::{Collision, Routes, Tls};
use crate::network::Network;
use crate::password::{Params, Peppers, workers};
use crate::proof::Demand;
use crate::store::DatabaseUrl;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A look at everything that can be judged before anything is opened.
pub(super) struct Check<'c> {
    pub(super) loaded: &'c Loaded,
    colour: bool,
    /// Mistakes in contract files, ready to be shown.
    broken: String,
    problems: Problems,
    /// What should be said about the contracts.
    pub(super) warnings: Vec<String>,
}

impl<'c> Check<'c> {
    /// `problems` are those that reading the configuration found.
    pub(super) fn new(loaded: &'c Loaded, problems: Problems, colour: bool) -> Check<'c> {
        Check { loaded, colour, broken: String::new(), problems, warnings: Vec::new() }
    }

    /// Refuses if anything was found wrong, and tells all of it.
    pub(super) fn verdict(&mut self) -> Result<(), StartError> {
        let mut text = std::mem::take(&mut self.broken);
        if !self.problems.is_empty() {
            text.push_str(&self.problems.render(self.colour));
        }
        if text.is_empty() { Ok(()) } else { Err(StartError::Refused(text.trim_end().to_owned())) }
    }

    pub(super) fn refuse(&mut self, key: &str, reason: impl std::fmt::Display, hint: Option<String>) {
        self.problems.push(self.loaded.problem(key, reason).with_hint(hint));
    }

    pub(super) fn contracts(&mut self) -> Vec<Arc<Mounted>> {
        let mounts = self.loaded.config.contracts.clone();
        let alone = mounts.len() == 1;
        let mounts = if mounts.is_empty() { every_shipped() } else { mounts };
        let mut out: Vec<Arc<Mounted>> = Vec::new();
        let mut called: Vec<(String, String)> = Vec::new();
        for mount in mounts {
            let Some((name, contract)) = self.contract(&mount.contract) else { continue };
            match called.iter().find(|(other, _)| *other == name) {
                Some((_, from)) if !is_same_file(from, &mount.contract) => {
                    let reason =
                        format!("names {from} and {}, which would both be called `{name}`", mount.contract);
                    let hint =
                        "logs, metrics and limits tell contracts apart by name: rename one of the files";
                    self.refuse("contracts", reason, Some(hint.to_owned()));
                }
                Some(_) => {}
                None => called.push((name.clone(), mount.contract.clone())),
            }
            let prefix =
                mount.prefix.unwrap_or_else(|| if alone { String::new() } else { format!("/{name}") });
            for secret in contract.secrets() {
                if !self.loaded.config.secrets.contains_key(secret) {
                    let hint = format!("set VESTIBULE_SECRETS_{} or secrets.{secret}", secret.to_uppercase());
                    self.refuse(
                        "contracts",
                        format!("names {name}, which needs the secret `{secret}`"),
                        Some(hint),
                    );
                }
            }
            out.push(Arc::new(Mounted { name, prefix, contract }));
        }
        if let Err(collisions) = Routes::build(&out) {
            for Collision { first, second, path } in collisions {
                let place = if path.starts_with(&format!("/{second}/")) { "v2" } else { second.as_str() };
                let hint = format!("mount one of them elsewhere, such as {second}@/{place}");
                let reason = format!("names `{first}` and `{second}`, which both answer POST {path}");
                self.refuse("contracts", reason, Some(hint));
            }
        }
        out
    }

    /// Proofs that nobody could give, or that became easier under load, would protect nothing.
    pub(super) fn proof(&mut self, contracts: &[Arc<Mounted>]) {
        let proof = self.loaded.config.proof;
        if proof.difficulty_under_load < proof.difficulty {
            let reason = format!(
                "is {}, less than `proof.difficulty`, {}",
                proof.difficulty_under_load, proof.difficulty
            );
            self.refuse("proof.difficulty_under_load", reason, None);
        }
        let taken = contracts.iter().any(|mounted| mounted.contract.takes_proofs());
        if proof.demand != Demand::Never && !contracts.is_empty() && !taken {
            let hint = "add a field with { proof = true } to a contract: docs/proof-of-work.md".to_owned();
            self.refuse("proof.demand", "asks for proofs, but no contract has a field for one", Some(hint));
        }
    }

    /// A shipped contract by name, or a file.
    fn contract(&mut self, name_or_file: &str) -> Option<(String, Contract)> {
        let shipped = SHIPPED.iter().find(|s| s.name == name_or_file);
        let (name, file, text) = match shipped {
            Some(shipped) => {
                (shipped.name.to_owned(), format!("contracts/{}.toml", shipped.name), shipped.text.to_owned())
            }
            None => match fs::read_to_string(name_or_file) {
                Ok(text) => (stem(name_or_file), name_or_file.to_owned(), text),
                Err(error) => {
                    self.missing(name_or_file, &error);
                    return None;
                }
            },
        };
        let loaded = shipped.map_or_else(|| contract::load(&text), Shipped::load);
        let errors: Vec<Complaint> =
            loaded.complaints.iter().filter(|c| c.level == Level::Error).cloned().collect();
        if !errors.is_empty() {
            self.broken.push_str(&contract::render(&file, &text, &errors, self.colour));
        }
        for warning in loaded.complaints.iter().filter(|c| c.level == Level::Warning) {
            self.warnings.push(format!("contract {name}: {}: {}", warning.title, warning.label));
        }
        loaded.contract.map(|contract| (name, contract))
    }

    fn missing(&mut self, name_or_file: &str, error: &io::Error) {
        let names = || SHIPPED.iter().map(|s| s.name);
        let is_file = name_or_file.contains(['/', '.']);
        let reason = match is_file {
            true => format!("names {name_or_file:?}, which cannot be read: {error}"),
            false => format!("names {name_or_file:?}, which is neither a shipped contract nor a file"),
        };
        let hint = match crate::spelling::nearest(name_or_file, names()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("shipped are: {}", names().collect::<Vec<_>>().join(", ")),
        };
        self.refuse("contracts", reason, Some(hint));
    }

    pub(super) fn params(&mut self) -> Params {
        let params = self.loaded.config.passwords.params();
        if let Err(error) = params.check() {
            self.refuse("passwords.memory_kib", format!("does not do: {error}"), None);
        }
        params
    }

    /// The peppers.
    pub(super) fn peppers(&mut self) -> Peppers {
        let Some(path) = self.loaded.config.passwords.pepper_file.clone() else { return Peppers::default() };
        Peppers::read(&path).unwrap_or_else(|error| {
            let hint = "`vestibule pepper new >> FILE` adds a line to it".to_owned();
            let reason = format!("names {}, which {error}", path.display());
            self.refuse("passwords.pepper_file", reason, Some(hint));
            Peppers::default()
        })
    }

    /// The filter of passwords that were in breaches. One that memory cannot hold is not read: that would end the process
    /// before it could say why.
    pub(super) fn breached(&mut self, ceiling: Option<Ceiling>) -> Option<Arc<Filter>> {
        let path = self.loaded.config.passwords.breached.as_ref();
        // What cannot be looked at cannot be read either, which is told below; a pipe has no length, and is read.
        let length = path.and_then(|path| fs::metadata(path).ok()).map_or(0, |file| file.len());
        let holds = self.memory(length, ceiling);
        let path = path.filter(|_| holds)?;
        let refuse = |error| {
            let reason = format!("names {}, which {error}", path.display());
            self.refuse("passwords.breached", reason, Some("`vestibule breach build` makes one".to_owned()));
        };
        Filter::open(path).map_err(refuse).ok().map(Arc::new)
    }

    /// Holds the memory for hashing and for a filter of this length against the ceiling. Whether it could hold the filter
    /// alone.
    fn memory(&mut self, filter: u64, ceiling: Option<Ceiling>) -> bool {
        let Some(ceiling) = ceiling else { return true };
        let passwords = &self.loaded.config.passwords;
        let need = Need { workers: workers(passwords.workers), memory_kib: passwords.memory_kib, filter };
        match need.within(&ceiling) {
            Verdict::Fits => {}
            Verdict::Tight(warning) => self.warnings.push(warning),
            Verdict::TooMuch { key, reason, hint } => {
                self.refuse(key, format!("does not do: {reason}"), Some(hint));
            }
        }
        let alone = Need { workers: 0, ..need };
        filter == 0 || !matches!(alone.within(&ceiling), Verdict::TooMuch { .. })
    }

    pub(super) fn door(&mut self) {
        let config = &self.loaded.config;
        if config.proxy_protocol && config.trusted_proxies.is_empty() {
            let hint = "set `trusted_proxies` to the addresses of your proxies".to_owned();
            self.refuse("proxy_protocol", "lets nobody in, because no proxy is trusted", Some(hint));
        }
        if config.trusted_proxies.iter().any(Network::is_everybody) {
            let told = "trusted_proxies names all addresses: each client can say which address it has, and no limit by network \
                        holds; name your proxies alone, unless nobody else can reach this server";
            self.warnings.push(told.to_owned());
        }
    }

    /// `now` is in seconds of Unix time.
    pub(super) fn tls(&mut self, now: u64, acme: Option<&Acme>) -> Option<Tls> {
        let config = &self.loaded.config;
        if let Some(listen) = config.tls.redirect_listen {
            if config.tls.certificate.is_none() && config.acme.domains.is_empty() {
                let reason = format!(
                    "is {listen}, but without `tls.certificate` or `acme.domains` there is no HTTPS to send anybody to"
                );
                self.refuse("tls.redirect_listen", reason, None);
            } else if !config.base_url.is_https() {
                let hint = "set `base_url` to the address that clients know, such as \"https://accounts.example.com\"";
                let reason = format!("is {listen}, but `base_url` does not say where to send anybody to");
                self.refuse("tls.redirect_listen", reason, Some(hint.to_owned()));
            }
        }
        match (config.tls.certificate.clone(), config.tls.key.clone()) {
            (None, None) => {
                let tls = acme.map(Acme::tls)?;
                self.warnings.extend(tls.warning(now));
                Some(tls)
            }
            (Some(_), None) => {
                let hint = "set `tls.key` to the file of its private key".to_owned();
                self.refuse("tls.certificate", "is of no use without its key", Some(hint));
                None
            }
            (None, Some(_)) => {
                let hint = "set `tls.certificate` to the file of its certificate".to_owned();
                self.refuse("tls.key", "is of no use without its certificate", Some(hint));
                None
            }
            (Some(certificate), Some(key)) => match Tls::load(certificate, key) {
                Ok(tls) => {
                    self.warnings.extend(tls.warning(now));
                    Some(tls)
                }
                Err(error) => {
                    let key = if error.is_about_the_key() { "tls.key" } else { "tls.certificate" };
                    self.refuse(key, &error, error.hint().map(str::to_owned));
                    None
                }
            },
        }
    }

    pub(super) fn database(&mut self) -> Option<DatabaseUrl> {
        let address = self.loaded.config.database.clone();
        DatabaseUrl::parse(address.expose())
            .map_err(|error| self.refuse("database", format!("does not do: {error}"), None))
            .ok()
    }
}

fn every_shipped() -> Vec<Mount> {
    SHIPPED
        .iter()
        .map(|s| Mount { contract: s.name.to_owned(), prefix: Some(format!("/{}", s.name)) })
        .collect()
}

/// Whether two contracts in a configuration are one, which may be mounted at several paths.
fn is_same_file(one: &str, other: &str) -> bool {
    let file = |name: &str| {
        let shipped = SHIPPED.iter().any(|shipped| shipped.name == name);
        fs::canonicalize(name).ok().filter(|_| !shipped)
    };
    one == other || file(one).is_some_and(|one| file(other) == Some(one))
}

fn stem(file: &str) -> String {
    Path::new(file).file_stem().map_or_else(|| file.to_owned(), |stem| stem.to_string_lossy().into_owned())
}
