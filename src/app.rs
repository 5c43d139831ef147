//! Everything that serves a request, built once. No logic.

use crate::audit::Audit;
use crate::breach::Filter;
use crate::clock::Clock;
use crate::config::WebOrigin;
use crate::contract::{Contract, Mint, Secrets};
use crate::idempotency::Idempotency;
use crate::metrics::Metrics;
use crate::names::Names;
use crate::password::Pool;
use crate::proof::{Asked, Policy, Proofs};
use crate::steps::Steps;
use crate::store::{Readiness, Store};
use crate::throttle::Throttle;
use crate::token::Signer;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// The server's parts. Built by whoever starts it: the command line, a test, another program.
#[derive(Debug)]
pub struct App {
    /// Time and randomness.
    pub clock: Clock,
    /// Where passwords are hashed.
    pub passwords: Pool,
    /// What signs tokens.
    pub signer: Arc<Signer>,
    /// How the same request is recognised when it comes again.
    pub idempotency: Idempotency,
    /// Passwords that were in breaches.
    pub breached: Option<Arc<Filter>>,
    /// Proofs of work.
    pub proofs: Arc<Proofs>,
    /// Which user names and addresses are not wanted.
    pub names: Names,
    /// How often somebody may try.
    pub throttle: Throttle,
    /// The record of attempts.
    pub audit: Audit,
    /// Where accounts live.
    pub store: Store,
    /// Whether it answers.
    pub readiness: Readiness,
    /// The contracts and where they are mounted.
    pub contracts: Vec<Arc<Mounted>>,
    /// The deployment's secrets, with which contracts compare.
    pub secrets: Arc<Secrets>,
    /// What links and `Location` begin with: from the configuration, never from a request.
    pub base_url: Arc<str>,
    /// The longest request body, in bytes.
    pub body_limit: usize,
    /// The web pages of other origins that may ask.
    pub origins: Vec<WebOrigin>,
    /// Whether sign-up is switched off.
    pub closed: bool,
    /// Whether `/openapi.json` and `/docs` tell about the contracts.
    pub docs: bool,
    /// The registrations under way: they outlive the requests that began them.
    pub tasks: TaskTracker,
    /// What is counted.
    pub metrics: Metrics,
    /// Who watches the steps of a sign-up: nobody, in the program.
    pub steps: Steps,
}

/// A contract and where it is mounted.
#[derive(Debug)]
pub struct Mounted {
    /// The name by which it is logged and listed.
    pub name: String,
    /// What stands before its path: empty, or `/name`.
    pub prefix: String,
    /// The contract.
    pub contract: Contract,
}

impl Mounted {
    /// The whole path at which it answers.
    pub fn path(&self) -> String {
        format!("{}{}", self.prefix, self.contract.register.path)
    }

    /// The same with the query string that the contract asks for.
    pub fn path_and_query(&self) -> String {
        format!("{}{}", self.prefix, self.contract.register.path_and_query())
    }
}

/// The names under which contracts and their outcomes are counted, for [`Metrics::new`].
pub fn counted(contracts: &[Arc<Mounted>]) -> Vec<(String, Vec<String>)> {
    let outcomes = |contract: &Contract| contract.outcomes().map(|o| o.name().to_owned()).collect();
    contracts.iter().map(|mounted| (mounted.name.clone(), outcomes(&mounted.contract))).collect()
}

impl App {
    /// One that limits nobody, records nothing and asks for no proofs; whatever it signs or recognises again hangs on `secret`.
    /// Bodies may have 64 KiB, and answers are kept for an hour under their idempotency keys.
    pub fn plain(
        clock: Clock,
        passwords: Pool,
        store: Store,
        contracts: Vec<Arc<Mounted>>,
        secret: &[u8],
    ) -> App {
        const HOUR: Duration = Duration::from_secs(3600);
        let metrics = Metrics::new(counted(&contracts), &passwords, clock.now());
        App {
            clock,
            passwords,
            signer: Arc::new(Signer::new(secret)),
            idempotency: Idempotency::new(secret, HOUR, Duration::ZERO),
            breached: None,
            proofs: Arc::new(Proofs::new(secret, Policy::nobody())),
            names: Names::default(),
            throttle: Throttle::none(),
            audit: Audit::unstored(secret),
            store,
            readiness: Readiness::default(),
            contracts,
            secrets: Arc::default(),
            base_url: "".into(),
            body_limit: 64 * 1024,
            origins: Vec::new(),
            closed: false,
            docs: false,
            tasks: TaskTracker::new(),
            metrics,
            steps: Steps::none(),
        }
    }

    /// The number of one of its contracts, counted from 0.
    pub fn number(&self, mounted: &Arc<Mounted>) -> usize {
        self.contracts.iter().position(|other| Arc::ptr_eq(other, mounted)).unwrap_or(self.contracts.len())
    }

    /// What a contract asks of a request, when it takes proofs of work.
    pub fn proof(self: &Arc<App>, mounted: &Mounted) -> Option<Asked> {
        mounted.contract.takes_proofs().then(|| {
            let app = self.clone();
            Asked::new(self.proofs.clone(), mounted.path_and_query(), move || app.passwords.fullness())
        })
    }

    /// How contracts have their tokens made.
    pub fn mint(&self) -> Mint {
        let (signer, clock) = (self.signer.clone(), self.clock.clone());
        Mint {
            sign: Arc::new(move |claims| signer.jwt(claims)),
            fill: Arc::new(move |bytes| clock.fill(bytes)),
        }
    }
}
