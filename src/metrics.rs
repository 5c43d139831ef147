//! What is counted, under which names: OpenMetrics for `GET /metrics`. `docs/operations.md` explains each.
//!
//! One registry per server, none per process. Every label value is known when the server starts (contracts and their
//! outcomes), so nothing that a client sends can become one, and no request looks a label up.

use crate::audit::AuditMetrics;
use crate::password::{Pool, PoolMetrics};
use crate::proof::Refused;
use crate::throttle::Limit;
use jiff::Timestamp;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::time::Duration;

type Labels = Vec<(&'static str, String)>;
type Times = Family<Labels, Histogram, fn() -> Histogram>;

const CREATED: &str = "created";
/// The outcome of a request whose body did not come in time.
pub const BODY_TIMEOUT: &str = "body_timeout";
/// The outcome of a request whose client left before anything came of it.
pub const ABANDONED: &str = "abandoned";
/// The outcome of a request under an idempotency key that belongs to another request.
pub const KEY_REUSED: &str = "key_reused";
/// The outcome of a request that a page of another site made.
pub const CROSS_SITE: &str = "cross_site";

/// The numbers of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// In the order of the contracts.
    contracts: Vec<Requests>,
    /// Requests that no contract answers.
    not_found: Counter,
    /// Accounts whose clients left while they were being made.
    pub unheard: Counter,
    /// Answers that were given again.
    pub repeated: Counter,
    /// Tries that came too soon, by limit.
    throttled: Vec<(&'static str, Counter)>,
    /// What was recorded of attempts, and what was not.
    pub audit: AuditMetrics,
    /// Proofs of work.
    pub proofs: ProofMetrics,
    /// The store's times and failures.
    pub store: StoreMetrics,
    /// The listener's connections.
    pub connections: Connections,
    /// The listener's certificate.
    pub certificate: CertificateMetrics,
}

/// The certificate of the listener, in seconds of Unix time; 0 is none and never.
#[derive(Clone, Debug, Default)]
pub struct CertificateMetrics {
    /// When it ceases to be valid.
    pub expiry: Gauge,
    /// When the server last failed to get a new one by ACME.
    pub failed: Gauge,
}

/// The requests of one contract.
#[derive(Debug)]
struct Requests {
    outcomes: Vec<(String, Counter)>,
    created: Histogram,
    refused: Histogram,
}

/// How the store does.
#[derive(Debug)]
pub struct StoreMetrics {
    /// Seconds that writing an account took.
    pub register: Histogram,
    /// Seconds that looking for taken keys took.
    pub collisions: Histogram,
    /// Seconds that looking for a kept answer took.
    pub repeat: Histogram,
    /// Seconds that counting against shared limits took.
    pub limits: Histogram,
    /// Seconds that spending a proof of work took.
    pub spend: Histogram,
    /// Registrations that failed with nothing written.
    pub unavailable: Counter,
    /// Registrations of which nobody knows whether they were written.
    pub unknown: Counter,
}

/// How much proof of work was asked for and given.
#[derive(Debug)]
pub struct ProofMetrics {
    /// Challenges that were handed out.
    pub challenges: Counter,
    /// Proofs that counted.
    pub spent: Counter,
    refused: Vec<(Refused, Counter)>,
}

impl ProofMetrics {
    /// Counts a request that proved nothing.
    pub fn refused(&self, why: Refused) {
        if let Some((_, counter)) = self.refused.iter().find(|(reason, _)| *reason == why) {
            counter.inc();
        }
    }
}

/// The connections of one listener; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    /// Open now.
    pub open: Gauge,
    /// Let in since the start.
    pub accepted: Counter,
    /// Turned away since the start, all places being taken or too many by their network.
    pub refused: Counter,
    /// Failures to accept, such as a full table of open files.
    pub failed: Counter,
}

impl Metrics {
    /// Registers everything. `contracts` are the names of the contracts and of all their outcomes.
    pub fn new(contracts: Vec<(String, Vec<String>)>, pool: &Pool, started: Timestamp) -> Metrics {
        let mut registry = Registry::with_prefix("vestibule");
        describe_process(&mut registry, pool, started);
        register_pool(&mut registry, pool.metrics());
        let (contracts, not_found) = register_requests(&mut registry, contracts);
        let unheard = Counter::default();
        let help = "Accounts that were made for clients that left while a worker had begun";
        registry.register("accounts_unheard", help, unheard.clone());
        let repeated = Counter::default();
        let help = "Answers that were given again under their idempotency keys";
        registry.register("answers_repeated", help, repeated.clone());
        let throttled = register_limits(&mut registry);
        let audit = register_audit(&mut registry);
        let proofs = register_proofs(&mut registry);
        let store = register_store(&mut registry);
        let connections = register_connections(&mut registry);
        let certificate = register_certificate(&mut registry);
        Metrics {
            registry,
            contracts,
            not_found,
            unheard,
            repeated,
            throttled,
            audit,
            proofs,
            store,
            connections,
            certificate,
        }
    }

    /// Counts a request to the contract of this number, or to none, and how long it took until its end.
    pub fn count(&self, contract: Option<usize>, outcome: &str, answered: bool, time: Duration) {
        let Some(requests) = contract.and_then(|number| self.contracts.get(number)) else {
            self.not_found.inc();
            return;
        };
        if let Some((_, counter)) = requests.outcomes.iter().find(|(name, _)| name == outcome) {
            counter.inc();
        }
        let created = outcome == CREATED;
        if created && !answered {
            self.unheard.inc();
        }
        if created { &requests.created } else { &requests.refused }.observe(time.as_secs_f64());
    }

    /// Counts a try that came too soon for the limit of this name.
    pub fn throttled(&self, limit: &str) {
        if let Some((_, counter)) = self.throttled.iter().find(|(name, _)| *name == limit) {
            counter.inc();
        }
    }

    /// Everything in the text format of OpenMetrics 1.0.
    ///
    /// # Errors
    /// None in practice: it writes to memory.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// From half a millisecond to 16 seconds, by 2.
fn times() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 2.0, 16))
}

fn describe_process(registry: &mut Registry, pool: &Pool, started: Timestamp) {
    let report = pool.report();
    let build: Labels = vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("engine", report.engine.to_string()),
        ("back_end", report.back_end),
    ];
    registry.register("build", "The program and the code that hashes passwords", Info::new(build));
    let started = ConstGauge::new(started.as_millisecond() as f64 / 1e3);
    registry.register_with_unit(
        "start_time",
        "When the server started, in Unix time",
        Unit::Seconds,
        started,
    );
    let workers = ConstGauge::new(report.workers as i64);
    registry.register("password_workers", "Threads that hash passwords", workers);
}

fn register_pool(registry: &mut Registry, pool: &PoolMetrics) {
    registry.register("password_queue_length", "Hashes that wait for a worker", pool.waiting.clone());
    registry.register("password_working", "Workers that have a hash in hand", pool.working.clone());
    let help = "How long a hash that was begun had waited for a worker";
    registry.register_with_unit("password_queue_wait", help, Unit::Seconds, pool.wait.clone());
    registry.register_with_unit("password_hash", "How long a hash took", Unit::Seconds, pool.hash.clone());
    registry.register(
        "password_busy",
        "Hashes that were refused for want of a worker in time",
        pool.busy.clone(),
    );
    let help = "Hashes that were dropped before they began because their clients had left";
    registry.register("password_abandoned", help, pool.left.clone());
}

fn register_requests(
    registry: &mut Registry,
    contracts: Vec<(String, Vec<String>)>,
) -> (Vec<Requests>, Counter) {
    let outcomes = Family::<Labels, Counter>::default();
    let durations: Times = Family::new_with_constructor(times);
    let help = "Requests by contract and outcome";
    registry.register("requests", help, outcomes.clone());
    let help = "From the head of a request to its end, by contract and whether an account was created";
    registry.register_with_unit("request_duration", help, Unit::Seconds, durations.clone());
    let outcome = |contract: &str, outcome: &str| {
        let labels = vec![("contract", contract.to_owned()), ("outcome", outcome.to_owned())];
        outcomes.get_or_create_owned(&labels)
    };
    let duration = |contract: &str, created: bool| {
        let labels = vec![("contract", contract.to_owned()), ("created", created.to_string())];
        durations.get_or_create_owned(&labels)
    };
    let requests = contracts.into_iter().map(|(contract, names)| {
        let ends = [BODY_TIMEOUT, ABANDONED, KEY_REUSED, CROSS_SITE].map(str::to_owned);
        let counted = names.into_iter().chain(ends).map(|name| (name.clone(), outcome(&contract, &name)));
        Requests {
            outcomes: counted.collect(),
            created: duration(&contract, true),
            refused: duration(&contract, false),
        }
    });
    (requests.collect(), outcome("-", "not_found"))
}

fn register_limits(registry: &mut Registry) -> Vec<(&'static str, Counter)> {
    let throttled = Family::<Labels, Counter>::default();
    registry.register("throttled", "Tries to sign up that came too soon, by limit", throttled.clone());
    let counter = |limit: Limit| {
        (limit.name(), throttled.get_or_create_owned(&vec![("limit", limit.name().to_owned())]))
    };
    Limit::ALL.map(counter).into()
}

fn register_audit(registry: &mut Registry) -> AuditMetrics {
    let audit = AuditMetrics::default();
    registry.register("audit_written", "Requests that the stored record tells of", audit.written.clone());
    let help =
        "Requests that the stored record does not tell of: its queue was full, or the store refused them";
    registry.register("audit_dropped", help, audit.dropped.clone());
    audit
}

fn register_proofs(registry: &mut Registry) -> ProofMetrics {
    let (challenges, spent) = (Counter::default(), Counter::default());
    registry.register("proof_challenges", "Challenges that were handed out", challenges.clone());
    registry.register("proof_spent", "Proofs of work that were taken", spent.clone());
    let family = Family::<Labels, Counter>::default();
    let help = "Requests whose proof of work was refused, by what was wrong with it";
    registry.register("proof_refused", help, family.clone());
    let refused = Refused::ALL.map(|why| {
        let reason = why.code().trim_start_matches("proof_").to_owned();
        (why, family.get_or_create_owned(&vec![("reason", reason)]))
    });
    ProofMetrics { challenges, spent, refused: refused.into() }
}

fn register_store(registry: &mut Registry) -> StoreMetrics {
    let durations: Times = Family::new_with_constructor(times);
    let errors = Family::<Labels, Counter>::default();
    let help = "How long the store took, by operation";
    registry.register_with_unit("store_duration", help, Unit::Seconds, durations.clone());
    let help =
        "Failures of the store, by what is known of them: unavailable (nothing was written) or unknown";
    registry.register("store_errors", help, errors.clone());
    let duration =
        |operation: &str| durations.get_or_create_owned(&vec![("operation", operation.to_owned())]);
    let error = |kind: &str| errors.get_or_create_owned(&vec![("kind", kind.to_owned())]);
    StoreMetrics {
        register: duration("register"),
        collisions: duration("collisions"),
        repeat: duration("repeat"),
        limits: duration("limits"),
        spend: duration("spend"),
        unavailable: error("unavailable"),
        unknown: error("unknown"),
    }
}

fn register_connections(registry: &mut Registry) -> Connections {
    let connections = Connections::default();
    registry.register("connections_open", "Connections that are open", connections.open.clone());
    let help = "Connections that were let in";
    registry.register("connections_accepted", help, connections.accepted.clone());
    let help = "Connections, and further requests of HTTP/2 connections, that were turned away because all places, or their network's share, were taken";
    registry.register("connections_refused", help, connections.refused.clone());
    let help = "Failures to accept a connection, such as a full table of open files";
    registry.register("connections_failed", help, connections.failed.clone());
    connections
}

fn register_certificate(registry: &mut Registry) -> CertificateMetrics {
    let certificate = CertificateMetrics::default();
    let help = "When the TLS certificate in use expires, in Unix time; 0 without one";
    registry.register_with_unit("certificate_expiry", help, Unit::Seconds, certificate.expiry.clone());
    let help = "When the last try to get a certificate by ACME failed, in Unix time; 0 if none did";
    registry.register_with_unit("acme_last_failure", help, Unit::Seconds, certificate.failed.clone());
    certificate
}
