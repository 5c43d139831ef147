//! All of it: each request of each case to both sides in the same order, each pair of answers compared.

use super::cases::{Case, first, headers_that_matter};
use super::diff::{Difference, Masked, Rules};
use super::exchange::{Answer, Backend, NoAnswer, Target};
use super::mask::Recipes;
use super::request::Outgoing;
use super::vestibule::{Inside, InsideError, Wanted};
use crate::app::Mounted;
use crate::clock::Clock;
use crate::contract::Secrets;
use http::{HeaderName, HeaderValue};
use std::io;
use std::sync::Arc;

/// How far the second Vestibule's clock is from the first one's: every part of a date and a time is another.
const ELSEWHERE: jiff::SignedDuration = jiff::SignedDuration::new(400 * 86_400 + 3_723, 215_000_000);

/// What is to be proved, and how.
#[derive(Debug)]
pub struct Setup {
    /// The contract, mounted under the prefix that the old backend's URL has.
    pub mounted: Arc<Mounted>,
    /// The old backend, or what was recorded of it.
    pub old: Old,
    /// Headers for every request, over the case's own.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// At most so many requests a second.
    pub per_second: f64,
    /// What the contract's `secret` rules compare with.
    pub secrets: Arc<Secrets>,
    /// From which the cases were made.
    pub seed: u64,
}

/// Where the old answers come from.
#[derive(Debug, Clone)]
pub enum Old {
    /// A running backend.
    Running(Target),
    /// The recording itself, of this origin.
    Recorded(String),
}

impl Old {
    fn origin(&self) -> String {
        match self {
            Old::Running(target) => target.origin(),
            Old::Recorded(origin) => origin.clone(),
        }
    }
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The old backend is not there.
    #[error("{target} is not there (after {answered} answers): {source}")]
    Unreachable {
        /// Its URL.
        target: String,
        /// How many requests it had answered.
        answered: usize,
        /// What the system says.
        source: io::Error,
    },
    /// Vestibule does not start in this process.
    #[error(transparent)]
    Inside(#[from] InsideError),
}

/// One request and what both sides said.
#[derive(Debug)]
pub struct Exchange {
    /// The request.
    pub request: Outgoing,
    /// The old answer, or why there is none.
    pub old: Result<Answer, String>,
    /// Vestibule's answer.
    pub new: Answer,
    /// Where they differ.
    pub differences: Vec<Difference>,
    /// Where they were compared by kind.
    pub masked: Vec<Masked>,
}

/// One case, proved or not.
#[derive(Debug)]
pub struct CaseResult {
    /// The case's name.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// Its requests, in order.
    pub exchanges: Vec<Exchange>,
}

impl CaseResult {
    /// All differences, of all its requests.
    pub fn differences(&self) -> impl Iterator<Item = &Difference> {
        self.exchanges.iter().flat_map(|e| &e.differences)
    }

    /// Whether both sides answer alike.
    pub fn is_alike(&self) -> bool {
        self.differences().next().is_none()
    }
}

/// What was found.
#[derive(Debug)]
pub struct Proof {
    /// The contract's name.
    pub contract: String,
    /// The path at which it answers.
    pub path: String,
    /// The old backend's URL, or the recording's origin.
    pub against: String,
    /// Whether the old answers were recorded.
    pub recorded: bool,
    /// From which the cases were made.
    pub seed: u64,
    /// Every case, in order.
    pub results: Vec<CaseResult>,
    /// The accounts that the old backend has now.
    pub left_behind: Vec<String>,
}

impl Proof {
    /// How many cases differ.
    pub fn differing(&self) -> usize {
        self.results.iter().filter(|r| !r.is_alike()).count()
    }

    /// How many requests were sent.
    pub fn requests(&self) -> usize {
        self.results.iter().map(|r| r.exchanges.len()).sum()
    }
}

/// Runs the cases; `each` hears of every one as soon as it is known.
///
/// # Errors
/// When the old backend cannot be connected to, or Vestibule does not start.
pub async fn prove(
    setup: Setup,
    cases: Vec<Case>,
    mut each: impl FnMut(&CaseResult),
) -> Result<Proof, ProveError> {
    let mut run = Run::start(setup).await?;
    let mut results = Vec::new();
    for case in cases {
        let result = run.case(case).await;
        if let Ok(result) = &result {
            each(result);
        }
        results.push(result);
        if results.last().is_some_and(Result::is_err) {
            break;
        }
    }
    run.finish(results).await
}

struct Run {
    setup: Setup,
    backend: Option<Backend>,
    clock: Clock,
    inside: Inside,
    /// The second Vestibule, which shows what is another value each time.
    twin: Inside,
    rules: Rules,
    answered: usize,
    left_behind: Vec<String>,
}

impl Run {
    async fn start(setup: Setup) -> Result<Run, ProveError> {
        let clock = Clock::system();
        let contract = &setup.mounted.contract;
        let wanted = |clock: Clock| Wanted {
            mounted: setup.mounted.clone(),
            secrets: setup.secrets.clone(),
            base_url: setup.old.origin(),
            clock,
            headers: setup.headers.clone(),
        };
        let elsewhere = clock.now().saturating_add(ELSEWHERE).unwrap_or(jiff::Timestamp::MAX);
        let twin = Inside::start(wanted(Clock::fixed(elsewhere, setup.seed))).await?;
        // One account ahead, so that serial numbers differ too.
        if let Ok(request) = first(contract, setup.secrets.clone(), setup.seed).await {
            twin.ask(&request).await;
        }
        let backend = match &setup.old {
            Old::Running(target) => {
                Some(Backend::new(target.clone(), setup.per_second, setup.headers.clone()))
            }
            Old::Recorded(_) => None,
        };
        let rules = Rules { recipes: Recipes::of(contract), headers: headers_that_matter(contract) };
        let inside = Inside::start(wanted(clock.clone())).await?;
        Ok(Run { setup, backend, clock, inside, twin, rules, answered: 0, left_behind: Vec::new() })
    }

    async fn case(&mut self, case: Case) -> Result<CaseResult, ProveError> {
        let mut exchanges = Vec::new();
        let mut recorded = case.recorded.into_iter();
        for request in case.requests {
            let old = self.old(&request, recorded.next()).await?;
            let (new, twin) = (self.inside.ask(&request).await, self.twin.ask(&request).await);
            exchanges.push(self.compared(request, old, new, &twin));
        }
        Ok(CaseResult { name: case.name, about: case.about, exchanges })
    }

    /// The old answer: asked for, or recorded.
    async fn old(
        &mut self,
        request: &Outgoing,
        recorded: Option<Answer>,
    ) -> Result<Result<Answer, String>, ProveError> {
        let Some(backend) = &mut self.backend else {
            return Ok(recorded.ok_or_else(|| "nothing was recorded".to_owned()));
        };
        match backend.ask(request, &self.clock).await {
            Ok(answer) => {
                self.answered += 1;
                if (200..300).contains(&answer.status) {
                    let new = request.accounts.iter().filter(|a| !self.left_behind.contains(a));
                    let new: Vec<String> = new.cloned().collect();
                    self.left_behind.extend(new);
                }
                Ok(Ok(answer))
            }
            Err(NoAnswer::Unreachable(source)) => Err(ProveError::Unreachable {
                target: backend.target().to_string(),
                answered: self.answered,
                source,
            }),
            Err(NoAnswer::Broken(reason)) => Ok(Err(reason)),
        }
    }

    fn compared(
        &self,
        request: Outgoing,
        old: Result<Answer, String>,
        new: Answer,
        twin: &Answer,
    ) -> Exchange {
        let found = match &old {
            Ok(old) => self.rules.compare(&request, old, &new, twin),
            Err(reason) => super::diff::Findings {
                differences: vec![Difference {
                    at: "answer".to_owned(),
                    old: format!("none ({reason})"),
                    new: new.status.to_string(),
                }],
                masked: Vec::new(),
            },
        };
        Exchange { request, old, new, differences: found.differences, masked: found.masked }
    }

    async fn finish(self, results: Vec<Result<CaseResult, ProveError>>) -> Result<Proof, ProveError> {
        let Run { setup, inside, twin, left_behind, .. } = self;
        inside.close().await;
        twin.close().await;
        let (against, recorded) = match &setup.old {
            Old::Running(target) => (target.to_string(), false),
            Old::Recorded(origin) => (origin.clone(), true),
        };
        Ok(Proof {
            contract: setup.mounted.name.clone(),
            path: setup.mounted.path_and_query(),
            against,
            recorded,
            seed: setup.seed,
            results: results.into_iter().collect::<Result<_, _>>()?,
            left_behind,
        })
    }
}
