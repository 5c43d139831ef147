//! From a configuration to a running [`App`], or every reason why not.

mod acme;
mod check;
mod error;
pub(crate) mod memory;
mod names;
mod remarks;
mod secret;
mod secret_files;

use crate::acme::Acme;
use crate::app::{App, Mounted};
use crate::audit::Audit;
use crate::breach::Filter;
use crate::clock::Clock;
use crate::config::{Config, Loaded, Problems};
use crate::http::Tls;
use crate::idempotency::Idempotency;
use crate::names::Names;
use crate::password::{self, Params, Peppers, Pool, PoolSettings};
use crate::proof::Proofs;
use crate::store::{DatabaseUrl, OpenError, Opening, Store};
use crate::throttle::Throttle;
use check::Check;
pub use error::StartError;
pub use secret::known_secret;
use std::sync::Arc;

/// A configuration that was found good, with all that it names. Nothing has been opened or made yet.
#[derive(Debug)]
pub struct Plan<'l> {
    config: &'l Config,
    contracts: Vec<Arc<Mounted>>,
    params: Params,
    peppers: Peppers,
    url: DatabaseUrl,
    breached: Option<Arc<Filter>>,
    names: Names,
    tls: Option<Tls>,
    acme: Option<Acme>,
    warnings: Vec<String>,
}

/// What was started, and what should be said about it.
#[derive(Debug)]
pub struct Started {
    /// The server's parts.
    pub app: Arc<App>,
    /// What the listener speaks TLS with, if it does.
    pub tls: Option<Tls>,
    /// What gets the certificate for it, if the server does that itself.
    pub acme: Option<Acme>,
    /// Sentences for the start-up log about what was done.
    pub notes: Vec<String>,
    /// Sentences for the start-up log about what somebody should look at.
    pub warnings: Vec<String>,
}

impl<'l> Plan<'l> {
    /// Judges a configuration, the contracts that it names included. `problems` are those that reading it found.
    ///
    /// # Errors
    /// [`StartError::Refused`] with everything that is wrong.
    pub fn of(loaded: &'l Loaded, problems: Problems, colour: bool) -> Result<Plan<'l>, StartError> {
        let mut check = Check::new(loaded, problems, colour);
        let (contracts, params, url) = (check.contracts(), check.params(), check.database());
        check.door();
        check.proof(&contracts);
        let acme = check.acme();
        let tls = check.tls(u64::try_from(Clock::system().now().as_second()).unwrap_or(0), acme.as_ref());
        let (peppers, breached, names) =
            (check.peppers(), check.breached(memory::Ceiling::of_process()), check.names());
        check.verdict()?;
        let url = url.expect("a database that is not understood was refused");
        let (config, mut warnings) = (&loaded.config, check.warnings);
        let user = rustix::process::geteuid().as_raw();
        warnings.extend(secret_files::warnings(loaded, &url, acme.as_ref(), user));
        warnings.extend(remarks::on_the_command_line(loaded));
        Ok(Plan { config, contracts, params, peppers, url, breached, names, tls, acme, warnings })
    }

    /// Starts everything but the listener. `bound` is the address that it has.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(self, bound: std::net::SocketAddr) -> Result<Started, StartError> {
        let Plan { config, contracts, params, peppers, url, breached, names, tls, acme, mut warnings } = self;
        if let Some(acme) = &acme {
            let refused = |source| StartError::Acme { path: acme.folder().to_owned(), source };
            acme.make_folder().map_err(refused)?;
        }
        let settings = PoolSettings {
            engine: config.passwords.engine,
            params,
            workers: password::workers(config.passwords.workers),
            deadline: config.passwords.deadline,
        };
        let passwords = Pool::start_with(settings, peppers)?;
        let store = Store::open(&url, Opening::Serve).await?;
        let told = |source| OpenError::Store { database: config.database.to_string(), source };
        warnings.extend(store.durability().await.map_err(told)?);
        let mut notes = remarks::notes(config, &contracts, bound);
        if store.created() {
            notes.push(format!("{} is new: its tables were created", config.database));
        }
        warnings.extend(remarks::in_the_open(config, tls.is_some(), bound));
        let clock = Clock::system();
        let secret = secret::token_secret(config, &url, &clock, &mut warnings)?;
        let throttle = Throttle::new(&config.rates);
        let throttle = match config.rates.shared {
            true => throttle.shared_by(store.clone(), &secret, config.rates.keys),
            false => throttle,
        };
        let base_url = config.base_url.or_bound(if tls.is_some() { "https" } else { "http" }, bound).into();
        let plain = App::plain(clock.clone(), passwords, store.clone(), contracts, &secret);
        let recorded = plain.metrics.audit.clone();
        let app = App {
            idempotency: Idempotency::new(&secret, config.idempotency.lifetime, config.idempotency.window),
            breached,
            names,
            proofs: Arc::new(Proofs::new(&secret, config.proof)),
            throttle,
            audit: Audit::start(&secret, &config.audit, store, clock, recorded),
            secrets: Arc::new(config.named_secrets()),
            base_url,
            body_limit: config.limits.body.bytes(),
            origins: config.cors.origins.clone(),
            closed: config.closed,
            docs: config.docs,
            ..plain
        };
        Ok(Started { app: Arc::new(app), tls, acme, notes, warnings })
    }
}

/// Reads the contracts that a configuration names, without starting anything.
///
/// # Errors
/// [`StartError::Refused`] with everything that is wrong with them.
pub fn contracts(loaded: &Loaded, colour: bool) -> Result<Vec<Arc<Mounted>>, StartError> {
    let mut check = Check::new(loaded, Problems::default(), colour);
    let contracts = check.contracts();
    check.verdict().map(|()| contracts)
}
