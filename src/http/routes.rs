//! Which contract answers where.

use crate::app::Mounted;
use crate::contract::challenge_path;
use http::HeaderMap;
use std::collections::HashMap;
use std::sync::Arc;

/// The mounted contracts by path.
#[derive(Debug, Default)]
pub struct Routes {
    contracts: HashMap<String, Vec<Arc<Mounted>>>,
    /// Those that take proofs of work, by where their challenges are asked for.
    challenges: HashMap<String, Vec<Arc<Mounted>>>,
}

/// Two contracts that would answer the same request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{first}` and `{second}` both answer POST {path}; mount one of them elsewhere, such as {second}@/{second}"
)]
pub struct Collision {
    /// The contract that was there first.
    pub first: String,
    /// The other one.
    pub second: String,
    /// The path at which both listen.
    pub path: String,
}

impl Routes {
    /// Builds the table. A path answers with and without its trailing slash unless another contract is mounted there.
    ///
    /// # Errors
    /// All collisions at once: same path, same query, a media type that both read.
    pub fn build(contracts: &[Arc<Mounted>]) -> Result<Routes, Vec<Collision>> {
        let mut routes = Routes::default();
        let mut collisions = Vec::new();
        for mounted in contracts {
            let here = routes.contracts.entry(mounted.path()).or_default();
            collisions.extend(here.iter().filter(|other| overlap(other, mounted)).map(|other| Collision {
                first: other.name.clone(),
                second: mounted.name.clone(),
                path: mounted.path(),
            }));
            here.push(mounted.clone());
        }
        for mounted in contracts {
            let path = mounted.path();
            let twin = path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned);
            let taken = twin.is_empty() || contracts.iter().any(|other| other.path() == twin);
            if !taken {
                routes.contracts.entry(twin).or_default().push(mounted.clone());
            }
        }
        for mounted in contracts.iter().filter(|mounted| mounted.contract.takes_proofs()) {
            routes.challenges.entry(challenge_path(&mounted.path())).or_default().push(mounted.clone());
        }
        for here in routes.contracts.values_mut().chain(routes.challenges.values_mut()) {
            // A contract that asks for a query is the more particular one.
            here.sort_by_key(|mounted| std::cmp::Reverse(mounted.contract.register.query.len()));
        }
        if collisions.is_empty() { Ok(routes) } else { Err(collisions) }
    }

    /// The contracts at a path, whose query matches.
    pub(super) fn at(&self, path: &str, query: Option<&str>) -> Vec<&Arc<Mounted>> {
        let here = self.contracts.get(path).map(Vec::as_slice).unwrap_or_default();
        here.iter().filter(|mounted| mounted.contract.matches_query(query)).collect()
    }

    /// The contract whose challenges are asked for here. Those that share a path share them, too.
    pub(super) fn challenge(&self, path: &str, query: Option<&str>) -> Option<&Arc<Mounted>> {
        self.challenges.get(path)?.iter().find(|mounted| mounted.contract.matches_query(query))
    }
}

/// Of the contracts at a place, the one that reads this media type; else the first, which says what it reads.
pub(super) fn by_media<'m>(here: &[&'m Arc<Mounted>], headers: &HeaderMap) -> Option<&'m Arc<Mounted>> {
    let reads = here.iter().find(|mounted| mounted.contract.media(headers).is_some());
    reads.or(here.first()).copied()
}

fn overlap(a: &Mounted, b: &Mounted) -> bool {
    let (a, b) = (&a.contract.register, &b.contract.register);
    a.query == b.query && a.accepts.iter().any(|media| b.accepts.contains(media))
}
