//! A request played through a contract as the server would, short of the database and the password hash.

use std::sync::Arc;

use anyhow::{anyhow, bail};
use http::{HeaderValue, header};
use serde_json::Value as Json;

use super::request::TryRequest;
use crate::clock::Clock;
use crate::contract::{
    Circumstances, Contract, FieldError, Fields, Mint, Outcome, Refusal, Registered, Reply, Request, Scene,
    Secrets, Trace,
};
use crate::token::{self, Signer};
use crate::user::{IdKind, NewUser, object_id, uuid_v7};

/// When every try happens.
const NOW_MILLISECONDS: i64 = 1_718_022_896_789;
/// Signs the tokens of tries: it stands here for everybody to read, and so guards nothing.
const KEY: &[u8] = b"everybody knows the key that signs tries";

/// What to pretend.
pub(super) struct Setting {
    pub(super) seed: u64,
    pub(super) base_url: String,
    pub(super) secrets: Vec<(String, String)>,
    /// The kinds of values that are in use.
    pub(super) taken: Vec<String>,
    /// How the request ends, whatever it holds.
    pub(super) outcome: Option<Outcome>,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Played {
    pub(super) trace: Trace,
    /// What the fields mean: the name, the value, and the form in which it is unique where that is another.
    pub(super) means: Vec<(String, Json, Option<String>)>,
    pub(super) errors: Vec<FieldError>,
    /// Why the body could not be read.
    pub(super) reason: String,
}

/// The contract, and the dice of the try.
pub(super) struct Stage<'s> {
    contract: &'s Contract,
    setting: &'s Setting,
    clock: Clock,
    pub(super) circumstances: Circumstances,
}

impl<'s> Stage<'s> {
    pub(super) fn new(contract: &'s Contract, setting: &'s Setting) -> Stage<'s> {
        let at = jiff::Timestamp::from_millisecond(NOW_MILLISECONDS).unwrap_or_default();
        let clock = Clock::fixed(at, setting.seed);
        let now = clock.now();
        let secrets: Secrets = setting.secrets.iter().cloned().collect();
        let circumstances = Circumstances {
            now,
            random: uuid_v7(now, clock.random()),
            request_id: uuid_v7(now, clock.random()).to_string().into(),
            path: contract.register.path.as_str().into(),
            base_url: setting.base_url.as_str().into(),
            secrets: Arc::new(secrets),
            ..Circumstances::default()
        };
        Stage { contract, setting, clock, circumstances }
    }

    /// Plays a whole request.
    pub(super) async fn play(&self, request: &TryRequest) -> anyhow::Result<(Played, Reply)> {
        let mut played = Played::default();
        let query = request.query.as_deref();
        let request = Request { query, headers: &request.headers, body: &request.body };
        let (trace, fields) = self.contract.explain(request, &self.circumstances).await;
        played.trace = trace;
        let reply = match fields.map_err(Box::new).and_then(|fields| self.understand(fields, &mut played)) {
            Err(refusal) => self.refuse(*refusal, &mut played)?,
            Ok(fields) => match self.collisions(&played)? {
                taken if taken.is_empty() => self.create(&fields, &played)?,
                taken => {
                    let refusal = self.contract.taken(fields, &taken, &self.circumstances);
                    self.refuse(refusal, &mut played)?
                }
            },
        };
        Ok((played, reply))
    }

    /// Plays an outcome that the server comes to by itself, whatever the request holds.
    pub(super) fn pretend(&self, outcome: &Outcome) -> anyhow::Result<Reply> {
        let mut scene = Scene::default();
        match outcome {
            Outcome::Throttled | Outcome::Busy => scene.retry_after = Some(1),
            Outcome::Malformed => scene.reason = "the body ended too early",
            _ => {}
        }
        let mut reply = self.contract.refusal(outcome, scene, &self.circumstances)?;
        if *outcome == Outcome::MethodNotAllowed {
            reply.headers.push((header::ALLOW, HeaderValue::from_static("POST")));
        }
        Ok(reply)
    }

    fn understand(&self, fields: Fields, played: &mut Played) -> Result<Fields, Box<Refusal>> {
        match NewUser::parse(self.contract.submitted(&fields)) {
            Ok(user) => {
                played.means = means(&user);
                for (kind, key) in self.contract.unique_extras(&fields) {
                    let known = played.means.iter_mut().find(|(name, ..)| *name == kind);
                    known.into_iter().for_each(|(_, _, claim)| *claim = Some(key.clone()));
                }
                Ok(fields)
            }
            Err(problems) => {
                Err(Box::new(self.contract.misunderstood(fields, &problems, &self.circumstances)))
            }
        }
    }

    /// Which of the values that this request claims are in use.
    fn collisions(&self, played: &Played) -> anyhow::Result<Vec<String>> {
        let claimed: Vec<&str> =
            played.means.iter().filter(|(_, _, key)| key.is_some()).map(|(name, ..)| name.as_str()).collect();
        if self.setting.outcome == Some(Outcome::Taken) {
            return Ok(claimed.into_iter().map(str::to_owned).collect());
        }
        for kind in &self.setting.taken {
            if !claimed.contains(&kind.as_str()) {
                bail!("--taken {kind}: this request claims no such value; it claims {}", claimed.join(", "));
            }
        }
        Ok(self.setting.taken.clone())
    }

    fn refuse(&self, refusal: Refusal, played: &mut Played) -> anyhow::Result<Reply> {
        let scene = Scene {
            fields: refusal.fields.as_ref(),
            errors: &refusal.errors,
            reason: &refusal.reason,
            retry_after: None,
        };
        let reply = self.contract.refusal(&refusal.outcome, scene, &self.circumstances)?;
        (played.errors, played.reason) = (refusal.errors, refusal.reason);
        Ok(reply)
    }

    /// The dice are thrown in the order in which the server throws them: salt, ids, tokens.
    fn create(&self, fields: &Fields, played: &Played) -> anyhow::Result<Reply> {
        let now = self.circumstances.now;
        let _salt: [u8; 16] = self.clock.random();
        let public_id = uuid_v7(now, self.clock.random());
        let own = played.means.iter().find(|(name, ..)| name == "id").map(|(_, value, _)| value.clone());
        let id = own.unwrap_or_else(|| match &self.contract.id {
            IdKind::Integer => 1.into(),
            IdKind::Uuid => public_id.to_string().into(),
            IdKind::ObjectId => object_id(now, self.clock.random()).into(),
            IdKind::Text(recipe) => recipe.make(&mut |bytes| self.clock.fill(bytes)).into(),
        });
        let _event: [u8; 10] = self.clock.random();
        let reveal = self.contract.register.reveal.password_sha256;
        let submitted = self.contract.submitted(fields);
        let password_sha256 = submitted.password.as_deref().filter(|_| reveal).map(token::digest);
        let (signer, clock) = (Signer::new(KEY), self.clock.clone());
        let mint = Mint {
            sign: Arc::new(move |claims| signer.jwt(claims)),
            fill: Arc::new(move |bytes| clock.fill(bytes)),
        };
        let registered = Registered { id, at: now, password_sha256 };
        Ok(self.contract.created(fields, &registered, &mint, &self.circumstances)?.0)
    }
}

fn means(user: &NewUser) -> Vec<(String, Json, Option<String>)> {
    let mut out: Vec<(String, Json, Option<String>)> = Vec::new();
    if let Some(email) = &user.email {
        out.push(("email".into(), email.as_str().into(), Some(email.key().to_owned())));
    }
    if let Some(username) = &user.username {
        out.push(("username".into(), username.as_str().into(), Some(username.key().to_owned())));
    }
    if let Some(id) = &user.id {
        out.push(("id".into(), id.as_str().into(), Some(id.clone())));
    }
    let names = [("name", &user.name), ("first_name", &user.first_name), ("last_name", &user.last_name)];
    for (name, value) in names {
        out.extend(value.as_ref().map(|value| (name.to_owned(), value.as_str().into(), None)));
    }
    for (name, value) in &user.extra {
        out.push((format!("extra.{name}"), value.clone(), None));
    }
    out
}

/// The outcomes that can be asked for by name.
pub(super) fn outcome(name: &str, contract: &Contract) -> anyhow::Result<Outcome> {
    let outcome = Outcome::named(name);
    if !contract.outcomes().any(|o| *o == outcome) {
        let known: Vec<&str> = contract.outcomes().map(Outcome::name).collect();
        return Err(anyhow!("--outcome {name}: this contract has: {}", known.join(", ")));
    }
    match outcome {
        Outcome::Created | Outcome::Invalid | Outcome::Named(_) => {
            Err(anyhow!("--outcome {name}: this depends on the request; send one that leads there"))
        }
        outcome => Ok(outcome),
    }
}
