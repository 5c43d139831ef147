//! Whose tries are counted.

use super::limit::Limit;
use crate::network::Network;
use crate::user::Key;

/// What is counted, and for which contract.
#[derive(Hash)]
pub(super) struct Counted<'a> {
    pub(super) limit: Limit,
    pub(super) contract: &'a str,
    pub(super) subject: Subject<'a>,
}

#[derive(Hash)]
pub(super) enum Subject<'a> {
    Network(Network),
    Name(&'a Key),
    Everybody,
}

impl Subject<'_> {
    /// A kind and a value.
    pub(super) fn texts(&self) -> (String, String) {
        match self {
            Subject::Network(network) => (String::new(), network.to_string()),
            Subject::Name(key) => (key.kind.clone(), key.value.clone()),
            Subject::Everybody => (String::new(), String::new()),
        }
    }
}
