//! What surrounds a request, and neither the client nor the contract decides: the time, the deployment's secrets, how
//! passwords and proofs of work are judged.

use super::template::Room;
use crate::breach::Filter;
use crate::proof::Asked;
use jiff::Timestamp;
use minijinja::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// What surrounds a request: when, where, under which id. By default nothing is known of it.
#[derive(Debug, Clone, Default)]
pub struct Circumstances {
    /// The one time that the whole request sees.
    pub now: Timestamp,
    /// `random.uuid`.
    pub random: Uuid,
    /// `request.id`.
    pub request_id: Box<str>,
    /// `request.path`, as the client wrote it.
    pub path: Box<str>,
    /// `request.base_url`, from the configuration and never from the request.
    pub base_url: Arc<str>,
    /// The deployment's secrets.
    pub secrets: Arc<Secrets>,
    /// Passwords that were in breaches.
    pub breached: Option<Arc<Filter>>,
    /// How proofs of work are judged; `None` where nobody asks for them, as in a dry run.
    pub proof: Option<Asked>,
}

impl Circumstances {
    pub(super) fn random(&self) -> Value {
        Room::value("random", vec![("uuid".into(), Value::from(self.random.to_string()))])
    }
}

/// The deployment's named secrets, with which a contract's `secret` rules compare.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// The secret of this name.
    pub(crate) fn named(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl FromIterator<(String, String)> for Secrets {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Secrets(pairs.into_iter().collect())
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
