//! From a configuration to a running [`App`], or every reason why not.

pub(crate) mod memory;

use crate::app::{App, Mounted, counted};
use crate::clock::Clock;
use crate::config::{self, Config, Loaded, Mount};
use crate::contract::{self, Complaint, Contract, Level, SHIPPED, Secrets};
use crate::http::{Collision, Routes};
use crate::metrics::Metrics;
use crate::password::{self, Engine, Params, Pool, PoolSettings};
use crate::store::{DatabaseUrl, OpenError, Opening, Store};
use crate::token::Signer;
use memory::{Need, Verdict};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::task::TaskTracker;

/// Why the server does not start. Everything that is wrong with the configuration is told at once.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Mistakes in the configuration and in the contracts that it names, ready to be shown.
    #[error("{0}")]
    Refused(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The hash pool.
    #[error(transparent)]
    Pool(#[from] password::StartError),
    /// The generated token secret.
    #[error("{}: the token secret cannot be kept: {source}; set VESTIBULE_TOKEN_SECRET_FILE", path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What was started, and what should be said about it.
#[derive(Debug)]
pub struct Started {
    /// The server's parts.
    pub app: Arc<App>,
    /// Sentences for the start-up log.
    pub warnings: Vec<String>,
}

/// Starts everything but the listener. `bound` is the address that it has.
///
/// # Errors
/// See [`StartError`].
pub async fn start(
    loaded: &Loaded,
    bound: std::net::SocketAddr,
    colour: bool,
) -> Result<Started, StartError> {
    let config = &loaded.config;
    let mut check = Check { loaded, colour, refused: Vec::new(), warnings: Vec::new() };
    let contracts = check.contracts();
    let params = check.params();
    check.memory(memory::Ceiling::of_process());
    let url = check.database();
    let (Some(url), true) = (url, check.refused.is_empty()) else {
        return Err(StartError::Refused(check.refused.join("\n")));
    };
    let mut warnings = check.warnings;
    let passwords = Pool::start(PoolSettings {
        engine: match config.passwords.engine {
            config::Engine::Fast => Engine::Fast,
            config::Engine::Portable => Engine::Portable,
        },
        params,
        workers: workers(config.passwords.workers),
        deadline: config.passwords.deadline,
    })?;
    let store = Store::open(&url, Opening::Serve).await?;
    if store.created() {
        warnings.push(format!("{} is new: its tables were created", config.database));
    }
    let clock = Clock::system();
    let secret = token_secret(config, &url, &clock, &mut warnings)?;
    let metrics = Metrics::new(counted(&contracts), &passwords, clock.now());
    let app = App {
        clock,
        passwords,
        signer: Arc::new(Signer::new(&secret)),
        store,
        contracts,
        secrets: Arc::new(secrets(config)),
        base_url: config.base_url.or_bound(bound).into(),
        body_limit: usize::try_from(config.limits.body.bytes()).unwrap_or(usize::MAX),
        docs: config.docs,
        tasks: TaskTracker::new(),
        metrics,
    };
    Ok(Started { app: Arc::new(app), warnings })
}

/// Reads the contracts that a configuration names, without starting anything.
///
/// # Errors
/// [`StartError::Refused`] with everything that is wrong with them.
pub fn contracts(loaded: &Loaded, colour: bool) -> Result<Vec<Arc<Mounted>>, StartError> {
    let mut check = Check { loaded, colour, refused: Vec::new(), warnings: Vec::new() };
    let contracts = check.contracts();
    if check.refused.is_empty() { Ok(contracts) } else { Err(StartError::Refused(check.refused.join("\n"))) }
}

struct Check<'c> {
    loaded: &'c Loaded,
    colour: bool,
    refused: Vec<String>,
    warnings: Vec<String>,
}

impl Check<'_> {
    fn refuse(&mut self, key: &str, reason: impl std::fmt::Display, hint: Option<String>) {
        let problem = self.loaded.problem(key, reason).with_hint(hint);
        self.refused.push(config::Problems::from(vec![problem]).render(self.colour));
    }

    fn contracts(&mut self) -> Vec<Arc<Mounted>> {
        let mounts = self.loaded.config.contracts.clone();
        let alone = mounts.len() == 1;
        let mounts = if mounts.is_empty() { every_shipped() } else { mounts };
        let mut out: Vec<Arc<Mounted>> = Vec::new();
        for mount in mounts {
            let Some((name, contract)) = self.contract(&mount.contract) else { continue };
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
                let hint = format!("mount one of them elsewhere, such as {second}@/{second}");
                let reason = format!("names `{first}` and `{second}`, which both answer POST {path}");
                self.refuse("contracts", reason, Some(hint));
            }
        }
        out
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
        let loaded = contract::load(&text);
        let errors: Vec<Complaint> =
            loaded.complaints.iter().filter(|c| c.level == Level::Error).cloned().collect();
        if !errors.is_empty() {
            self.refused.push(contract::render(&file, &text, &errors, self.colour));
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
        let hint = match contract::language::nearest(name_or_file, names()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("shipped are: {}", names().collect::<Vec<_>>().join(", ")),
        };
        self.refuse("contracts", reason, Some(hint));
    }

    fn params(&mut self) -> Params {
        let passwords = &self.loaded.config.passwords;
        let params = Params {
            memory_kib: passwords.memory_kib,
            iterations: passwords.iterations,
            parallelism: passwords.parallelism,
        };
        if let Err(error) = params.check() {
            self.refuse("passwords.memory_kib", format!("does not do: {error}"), None);
        }
        params
    }

    fn memory(&mut self, ceiling: Option<memory::Ceiling>) {
        let Some(ceiling) = ceiling else { return };
        let passwords = &self.loaded.config.passwords;
        let need = Need { workers: workers(passwords.workers), memory_kib: passwords.memory_kib };
        match need.within(&ceiling) {
            Verdict::Fits => {}
            Verdict::Tight(warning) => self.warnings.push(warning),
            Verdict::TooMuch { reason, hint } => {
                self.refuse("passwords.workers", format!("does not do: {reason}"), Some(hint));
            }
        }
    }

    fn database(&mut self) -> Option<DatabaseUrl> {
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

fn stem(file: &str) -> String {
    Path::new(file).file_stem().map_or_else(|| file.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// One worker per core unless told otherwise.
pub fn workers(configured: usize) -> usize {
    match configured {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    }
}

fn secrets(config: &Config) -> Secrets {
    let text = |secret: &config::Secret| String::from_utf8_lossy(secret.expose()).into_owned();
    config.secrets.iter().map(|(name, secret)| (name.clone(), text(secret))).collect()
}

/// The key that signs tokens: the configured one, or one that is generated once and kept beside the database.
fn token_secret(
    config: &Config,
    url: &DatabaseUrl,
    clock: &Clock,
    warnings: &mut Vec<String>,
) -> Result<Vec<u8>, StartError> {
    if let Some(secret) = &config.token_secret {
        return Ok(secret.expose().to_vec());
    }
    let path = url
        .sqlite_path()
        .map_or_else(|| PathBuf::from("vestibule.token-secret"), |f: &Path| f.with_extension("token-secret"));
    let failed = |source| StartError::Secret { path: path.clone(), source };
    match fs::read(&path) {
        Ok(bytes) if bytes.trim_ascii().len() >= Config::TOKEN_SECRET_BYTES => {
            return Ok(bytes.trim_ascii().to_vec());
        }
        Ok(_) => return Err(failed(io::Error::other("it is shorter than 32 bytes"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let secret: String = clock.random::<32>().iter().map(|b| format!("{b:02x}")).collect();
    match create(&path, &secret) {
        Ok(()) => {
            warnings.push(format!(
                "no token secret was configured: one was generated and kept in {}; other processes on this database \
                 need the same one (VESTIBULE_TOKEN_SECRET_FILE)",
                path.display()
            ));
            Ok(secret.into_bytes())
        }
        // Another process was faster; its secret counts.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok(fs::read(&path).map_err(failed)?.trim_ascii().to_vec())
        }
        Err(error) => Err(failed(error)),
    }
}

/// Writes a file that only its owner can read, whole or not at all: it is written beside its place and linked there.
fn create(path: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let beside = path.with_extension(format!("token-secret.{}", std::process::id()));
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    let written =
        writeln!(file, "{text}").and_then(|()| file.sync_all()).and_then(|()| fs::hard_link(&beside, path));
    fs::remove_file(&beside)?;
    written
}
