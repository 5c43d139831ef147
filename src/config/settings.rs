//! What the server runs with: every setting, in the groups of the file.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::acme::Acme;
use super::choices::{LogFormat, ProxyHeader};
use super::cors::WebOrigin;
use super::mount::Mount;
use super::quantity::Size;
use super::rate::Rate;
use super::secret::Secret;
use super::text::{BaseUrl, DatabaseAddress};
use crate::contract::Secrets;
use crate::names::Restriction;
use crate::network::Network;
use crate::password::{Engine, Params, PepperError, Peppers};
use crate::proof::{Demand, Policy};

/// What the server runs with. Made by [`Config::load`]; `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address and port to listen on; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Whether other processes may listen there at the same time.
    pub reuse_port: bool,
    /// The proxies that are believed when they say whose request they pass on.
    pub trusted_proxies: Vec<Network>,
    /// Where they say it.
    pub proxy_header: ProxyHeader,
    /// Whether connections begin with a PROXY protocol header.
    pub proxy_protocol: bool,
    /// Address and port of `/metrics`; `None` serves none.
    pub admin_listen: Option<SocketAddr>,
    /// Where accounts are kept; only the scheme has been checked.
    pub database: DatabaseAddress,
    /// Contracts in the order given; empty means every shipped one under its own name.
    pub contracts: Vec<Mount>,
    /// The address clients know this server by.
    pub base_url: BaseUrl,
    /// Whether sign-up is switched off.
    pub closed: bool,
    /// Whether `/openapi.json` and `/docs` are served.
    pub docs: bool,
    /// The key that signs tokens, at least [`Config::TOKEN_SECRET_BYTES`] long; `None` when nobody gave one.
    pub token_secret: Option<Secret>,
    /// The file `token_secret` was read from, if it was.
    pub token_secret_file: Option<PathBuf>,
    /// Secrets that contracts compare with, by name. Never empty values.
    pub secrets: BTreeMap<String, Secret>,
    /// Encryption.
    pub tls: Tls,
    /// Certificates that the server gets itself.
    pub acme: Acme,
    /// Web pages of other sites.
    pub cors: Cors,
    /// How passwords are hashed.
    pub passwords: Passwords,
    /// Which user names and addresses are not wanted.
    pub names: Names,
    /// How the same request is recognised when it comes again.
    pub idempotency: Idempotency,
    /// How often somebody may try to sign up.
    pub rates: Rates,
    /// The record of attempts.
    pub audit: Audit,
    /// How proofs of work are asked for: the `proof.` keys.
    pub proof: Policy,
    /// What one client may use up.
    pub limits: Limits,
    /// How long a stop waits for what was accepted.
    pub shutdown_grace: Duration,
    /// What is logged, and how.
    pub log: Log,
}

/// The `tls.` keys.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The file of the certificate and its chain; `None` speaks plain HTTP.
    pub certificate: Option<PathBuf>,
    /// The file of its private key.
    pub key: Option<PathBuf>,
    /// Address and port at which plain HTTP is sent on to HTTPS; `None` is nowhere.
    pub redirect_listen: Option<SocketAddr>,
}

/// The `cors.` keys.
#[derive(Clone, Debug)]
pub struct Cors {
    /// The origins whose pages may ask, and read the answers.
    pub origins: Vec<WebOrigin>,
}

/// The `passwords.` keys. Whether the cost is high enough is for the password room to say.
#[derive(Clone, Debug)]
pub struct Passwords {
    /// Which implementation of Argon2id.
    pub engine: Engine,
    /// Memory per hash in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
    /// Hashing threads; 0 is one per core.
    pub workers: usize,
    /// How long a sign-up may wait for a thread.
    pub deadline: Duration,
    /// Secrets that hashes need beside the password.
    pub pepper_file: Option<PathBuf>,
    /// The filter of passwords that were in breaches.
    pub breached: Option<PathBuf>,
}

/// The `names.` keys.
#[derive(Clone, Debug)]
pub struct Names {
    /// Whether the names of the list that the program brings along are refused.
    pub reserved: bool,
    /// A file of further ones.
    pub also_reserved: Option<PathBuf>,
    /// How many scripts a user name may mix.
    pub restriction: Restriction,
    /// Whether no two user names may look alike.
    pub distinct: bool,
    /// A file of domains whose addresses are refused.
    pub disposable: Option<PathBuf>,
    /// A file of domains that are accepted all the same.
    pub accepted: Option<PathBuf>,
}

/// The `idempotency.` keys.
#[derive(Clone, Debug)]
pub struct Idempotency {
    /// How long an answer is kept for its key.
    pub lifetime: Duration,
    /// How long the very same request without a key gets its answer again; zero is never.
    pub window: Duration,
}

/// The `rates.` keys; `None` is no limit.
#[derive(Clone, Debug)]
pub struct Rates {
    /// From one network.
    pub network: Option<Rate>,
    /// From one site.
    pub site: Option<Rate>,
    /// For one e-mail address or user name.
    pub account: Option<Rate>,
    /// From everybody together.
    pub total: Option<Rate>,
    /// How many networks, sites and names are remembered, each; in all where they are shared.
    pub keys: usize,
    /// Whether all processes on the database count together.
    pub shared: bool,
}

/// The `audit.` keys.
#[derive(Clone, Debug)]
pub struct Audit {
    /// Whether attempts are written to the store.
    pub store: bool,
    /// How long they are kept there.
    pub keep: Duration,
    /// How often a refusal has a row of its own; `None` is always.
    pub refusals: Option<Rate>,
}

/// The `limits.` keys. No duration is zero.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections held at the same time, at least one.
    pub connections: usize,
    /// The longest request body that is read.
    pub body: Size,
    /// For the head of a request to arrive.
    pub header_timeout: Duration,
    /// For the body of a request to arrive.
    pub body_timeout: Duration,
    /// Between two requests on one connection.
    pub idle_timeout: Duration,
    /// For a client to accept a piece of the reply.
    pub write_timeout: Duration,
}

/// The `log.` keys.
#[derive(Clone, Debug)]
pub struct Log {
    /// Human lines or JSON lines.
    pub format: LogFormat,
    /// A filter in the syntax of `tracing_subscriber::EnvFilter`, known to parse.
    pub level: String,
}

impl Passwords {
    /// What a hash costs.
    pub fn params(&self) -> Params {
        Params { memory_kib: self.memory_kib, iterations: self.iterations, parallelism: self.parallelism }
    }

    /// The peppers of `pepper_file`; none when it is not set.
    ///
    /// # Errors
    /// The file cannot be read, or has bad lines.
    pub fn peppers(&self) -> Result<Peppers, PepperError> {
        self.pepper_file.as_deref().map_or_else(|| Ok(Peppers::default()), Peppers::read)
    }
}

impl Config {
    /// The deployment's secrets, with which contracts compare.
    pub fn named_secrets(&self) -> Secrets {
        // They were read as text.
        let text = |secret: &Secret| String::from_utf8_lossy(secret.expose()).into_owned();
        self.secrets.iter().map(|(name, secret)| (name.clone(), text(secret))).collect()
    }

    /// What the reader starts from. Every field but the secrets is overwritten by the default layer; a test proves it.
    pub(super) fn blank() -> Config {
        let nothing = Duration::ZERO;
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            reuse_port: false,
            trusted_proxies: Vec::new(),
            proxy_header: ProxyHeader::Forwarded,
            proxy_protocol: false,
            admin_listen: None,
            database: DatabaseAddress::default(),
            contracts: Vec::new(),
            base_url: BaseUrl::default(),
            closed: false,
            docs: false,
            token_secret: None,
            token_secret_file: None,
            secrets: BTreeMap::new(),
            tls: Tls { certificate: None, key: None, redirect_listen: None },
            acme: Acme::blank(),
            cors: Cors { origins: Vec::new() },
            passwords: Passwords {
                engine: Engine::Portable,
                memory_kib: 0,
                iterations: 0,
                parallelism: 0,
                workers: usize::MAX,
                deadline: nothing,
                pepper_file: None,
                breached: None,
            },
            names: Names {
                reserved: true,
                also_reserved: None,
                restriction: Restriction::Single,
                distinct: true,
                disposable: None,
                accepted: None,
            },
            idempotency: Idempotency { lifetime: nothing, window: nothing },
            rates: Rates { network: None, site: None, account: None, total: None, keys: 0, shared: false },
            audit: Audit { store: false, keep: nothing, refusals: None },
            proof: Policy {
                demand: Demand::Always,
                difficulty: 0,
                difficulty_under_load: 0,
                lifetime: nothing,
            },
            limits: Limits {
                connections: 0,
                body: Size::default(),
                header_timeout: nothing,
                body_timeout: nothing,
                idle_timeout: nothing,
                write_timeout: nothing,
            },
            shutdown_grace: nothing,
            log: Log { format: LogFormat::Human, level: String::new() },
        }
    }
}
