//! The sign-up: a new user becomes an account, whole or not at all, and the reply that says so.

mod limits;

pub use limits::settle;

use crate::app::{App, Mounted};
use crate::clock::Clock;
use crate::contract::{Circumstances, EncodeError, Fields, Minted, Registered, Reply};
use crate::idempotency::{Repeatable, ReplayError};
use crate::names::LOOKS;
use crate::password::{Claim, HashError, Source};
use crate::proof::Proof;
use crate::steps::Step;
use crate::store::{
    AccountFields, IDEMPOTENCY_KEY, IssuedToken, NewAccount, PUBLIC_ID, Sealed, Spending, StoreError,
};
use crate::throttle::{Throttled, Tries};
use crate::token;
use crate::user::{IdKind, Key, NewUser, object_id, uuid_v7};
use jiff::Timestamp;
use serde_json::Value as Json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The kind of the claim under which a contract's own ids are unique.
const ID: &str = "id";
/// The kind of the claim of a user name.
const USERNAME: &str = "username";
/// How often a generated id that is in use is replaced by another.
const ID_ATTEMPTS: usize = 8;
/// How much longer than its challenge a spent proof is remembered, for a process whose clock is behind.
const CLOCKS_DIFFER: Duration = Duration::from_secs(600);

/// A sign-up that passed everything cheap.
#[derive(Debug)]
pub struct SignUp {
    /// The contract it came through.
    pub mounted: Arc<Mounted>,
    /// What was written, for the reply.
    pub fields: Arc<Fields>,
    /// What it means.
    pub user: NewUser,
    /// Unique values beside address, user name and id, looks included: kinds and values.
    pub extras: Vec<(String, String)>,
    /// The SHA-256 of the submitted password, when the contract reveals it.
    pub password_sha256: Option<String>,
    /// When, where and under which request id.
    pub circumstances: Circumstances,
    /// The proof of work that it brought.
    pub proof: Option<Proof>,
    /// When it may be sent again: how its answer is kept and found.
    pub repeatable: Option<Repeatable>,
}

/// Why there is no new account.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// These kinds of values are in use.
    #[error("in use: {}", .0.join(", "))]
    Taken(Vec<String>),
    /// One of its names was tried too often.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// Its proof of work was used before.
    #[error("the proof of work was used before")]
    Spent,
    /// The hash would come too late.
    #[error("the hash queue is full for {retry_after:?}")]
    Busy {
        /// When a try makes sense.
        retry_after: Duration,
    },
    /// The client left before its turn; nothing was hashed and no account made.
    #[error("the client left before its turn")]
    Left,
    /// Nothing was written; a later try may succeed.
    #[error("the store is not available: {0}")]
    Unavailable(#[source] StoreError),
    /// The connection was lost while committing: the account may or may not exist.
    #[error("the outcome is unknown: {0}")]
    Unknown(#[source] StoreError),
    /// The reply could not be written, and so nothing was.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The reply could not be kept, and so nothing was written.
    #[error("the reply cannot be encrypted")]
    Keep,
    /// There is an answer under its idempotency key, and it cannot be given.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// Hashing failed.
    #[error("hashing failed: {0}")]
    Hash(HashError),
    /// Every id that was tried is in use.
    #[error("no free id was found in {ID_ATTEMPTS} tries; the contract's `id` has too few possibilities")]
    NoFreeId,
}

impl From<HashError> for RegisterError {
    fn from(error: HashError) -> RegisterError {
        match error {
            HashError::Busy { retry_after } => RegisterError::Busy { retry_after },
            HashError::Left => RegisterError::Left,
            other => RegisterError::Hash(other),
        }
    }
}

/// What a sign-up comes to when there is an account.
pub struct Answer {
    /// What is answered.
    pub reply: Reply,
    /// The public id of the account that was made; `None` when the answer is one that was given before.
    pub user: Option<Uuid>,
}

/// Registers one user, or repeats the answer to the same request. `tries` are those that its arrival has made. A client
/// that leaves, which `claim` tells, costs
/// nothing as long as no worker has begun with its hash; from then on this runs to its end.
///
/// # Errors
/// See [`RegisterError`]; after all but `Unknown` no account was made.
pub async fn register(
    app: &App,
    sign_up: SignUp,
    tries: Tries,
    claim: Claim,
) -> Result<Answer, RegisterError> {
    // Where a duplicate is answered like a success, no answer is kept: one that comes at once, is counted for no name and needs
    // no proof would tell that the address was free. There a repetition is a duplicate, whose answer says the same.
    let is_kept = sign_up.mounted.contract.register.reveals_duplicates();
    let Some(repeatable) = sign_up.repeatable.clone().filter(|_| is_kept) else {
        return make(app, sign_up, tries, claim).await;
    };
    // A repetition counts for where it comes from, and not for its name.
    settle(app, tries).await?;
    let again = |reply| Answer { reply, user: None };
    if let Some(reply) = repeated(app, &repeatable).await? {
        return Ok(again(reply));
    }
    match make(app, sign_up, Tries::default(), claim).await {
        // By a twin of this very request, perhaps, which was under way at the same time.
        Err(RegisterError::Taken(mut kinds)) => match repeated(app, &repeatable).await? {
            Some(reply) => Ok(again(reply)),
            None => {
                kinds.retain(|kind| kind != IDEMPOTENCY_KEY);
                // Nothing but a key that expired meanwhile: the next try succeeds.
                if kinds.is_empty() {
                    Err(unavailable(app, StoreError::Undecided))
                } else {
                    Err(RegisterError::Taken(kinds))
                }
            }
        },
        // By a twin, too.
        Err(RegisterError::Spent) => repeated(app, &repeatable).await?.map(again).ok_or(RegisterError::Spent),
        other => other,
    }
}

/// The answer that is kept for this request.
///
/// # Errors
/// When the store does not answer, or the answer belongs to another request.
pub async fn repeated(app: &App, repeatable: &Repeatable) -> Result<Option<Reply>, RegisterError> {
    let begun = Instant::now();
    let kept = app.store.repeat(repeatable.repetition.digest, app.clock.now()).await;
    app.metrics.store.repeat.observe(begun.elapsed().as_secs_f64());
    let Some(kept) = kept.map_err(|error| unavailable(app, error))? else { return Ok(None) };
    let reply = repeatable.replay(&kept)?;
    app.metrics.repeated.inc();
    Ok(Some(reply))
}

async fn make(app: &App, sign_up: SignUp, tries: Tries, claim: Claim) -> Result<Answer, RegisterError> {
    let keys = claims(&sign_up);
    // Before anything that could tell whether an account exists.
    let names = app.throttle.names(&sign_up.mounted.name, &keys, app.clock.uptime())?;
    settle(app, tries.and(names)).await?;
    // Nothing is written or looked up for whoever will be told that the server is busy; they also keep their proof of work.
    let source = Source(app.number(&sign_up.mounted));
    app.passwords.expect_room(source)?;
    if let Some(proof) = sign_up.proof {
        spend(app, proof, sign_up.repeatable.as_ref()).await?;
    }
    let reveals = sign_up.mounted.contract.register.reveals_duplicates();
    if reveals {
        // The index decides at the insert; this spares a hash for an answer that is known already.
        let begun = Instant::now();
        let taken = app.store.collisions(&keys).await;
        app.metrics.store.collisions.observe(begun.elapsed().as_secs_f64());
        let taken = taken.map_err(|error| unavailable(app, error))?;
        if !taken.is_empty() {
            return Err(RegisterError::Taken(kinds(&taken)));
        }
    }
    let SignUp { user, .. } = sign_up;
    let hash = app.passwords.hash(user.password, app.clock.random(), source, claim).await?;
    app.steps.pass(Step::Hashed);
    let account = AccountFields {
        email: user.email.map_or_else(String::new, |e| e.as_str().to_owned()),
        username: user.username.map_or_else(String::new, |u| u.as_str().to_owned()),
        name: user.name.unwrap_or_default(),
        first_name: user.first_name.unwrap_or_default(),
        last_name: user.last_name.unwrap_or_default(),
        extra: user.extra,
    };
    let writer = Writer {
        mounted: sign_up.mounted,
        fields: sign_up.fields,
        password_sha256: sign_up.password_sha256,
        circumstances: sign_up.circumstances,
        repeatable: sign_up.repeatable.filter(|_| reveals),
    };
    writer.write(app, account, keys, hash, user.id).await
}

/// Takes a proof of work before it costs a look-up or a hash.
async fn spend(app: &App, proof: Proof, repeatable: Option<&Repeatable>) -> Result<(), RegisterError> {
    let spending = Spending {
        digest: proof.digest,
        request: repeatable.map(|repeatable| repeatable.repetition.fingerprint),
        expires_at: proof.expires_at.saturating_add(CLOCKS_DIFFER).unwrap_or(Timestamp::MAX),
    };
    let begun = Instant::now();
    let counts = app.store.spend(spending).await;
    app.metrics.store.spend.observe(begun.elapsed().as_secs_f64());
    if !counts.map_err(|error| unavailable(app, error))? {
        return Err(RegisterError::Spent);
    }
    app.metrics.proofs.spent.inc();
    Ok(())
}

fn unavailable(app: &App, error: StoreError) -> RegisterError {
    app.metrics.store.unavailable.inc();
    RegisterError::Unavailable(error)
}

/// Everything that no other account may have.
fn claims(sign_up: &SignUp) -> Vec<Key> {
    let key = |kind: &str, value: &str| Key { kind: kind.to_owned(), value: value.to_owned() };
    let user = &sign_up.user;
    let mut keys: Vec<Key> = Vec::new();
    keys.extend(user.email.as_ref().map(|e| key("email", e.key())));
    keys.extend(user.username.as_ref().map(|u| key(USERNAME, u.key())));
    keys.extend(user.id.as_ref().map(|id| key(ID, id)));
    keys.extend(sign_up.extras.iter().map(|(kind, value)| key(kind, value)));
    keys
}

/// The kinds of these claims. Who looks like somebody has a user name that is taken.
fn kinds(keys: &[Key]) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for key in keys {
        let kind = if key.kind == LOOKS { USERNAME } else { &key.kind };
        if !kinds.iter().any(|known| known == kind) {
            kinds.push(kind.to_owned());
        }
    }
    kinds
}

/// Writes the account and its reply in one transaction.
struct Writer {
    mounted: Arc<Mounted>,
    fields: Arc<Fields>,
    password_sha256: Option<String>,
    circumstances: Circumstances,
    repeatable: Option<Repeatable>,
}

impl Writer {
    async fn write(
        self,
        app: &App,
        account: AccountFields,
        keys: Vec<Key>,
        password: String,
        own_id: Option<String>,
    ) -> Result<Answer, RegisterError> {
        let writer = Arc::new(self);
        for _ in 0..ID_ATTEMPTS {
            let public_id = uuid_v7(writer.circumstances.now, app.clock.random());
            let id = writer.id(app, own_id.clone(), public_id);
            let mut keys = keys.clone();
            let generated = id.as_str().filter(|_| writer.generates_id(own_id.is_some()));
            keys.extend(generated.map(|value| Key { kind: ID.to_owned(), value: value.to_owned() }));
            let generated = generated.is_some();
            let new = NewAccount {
                public_id,
                user: account.clone(),
                password: password.clone(),
                keys,
                created_at: writer.circumstances.now,
                event_id: uuid_v7(writer.circumstances.now, app.clock.random()),
                repetition: writer.repeatable.as_ref().map(|r| r.repetition.clone()),
            };
            let (seal, mint, clock, steps) =
                (writer.clone(), app.mint(), app.clock.clone(), app.steps.clone());
            let begun = Instant::now();
            let seal = move |serial| {
                let sealed = seal.seal(id, serial, &mint, &clock);
                steps.pass(Step::Sealed);
                sealed
            };
            let result = app.store.register(new, seal).await;
            app.metrics.store.register.observe(begun.elapsed().as_secs_f64());
            match result {
                Ok(reply) => {
                    app.steps.pass(Step::Committed);
                    return Ok(Answer { reply, user: Some(public_id) });
                }
                Err(crate::store::RegisterError::Taken(taken)) => {
                    let ours = |kind: &str| kind == PUBLIC_ID || generated && kind == ID;
                    let theirs: Vec<String> = kinds(&taken).into_iter().filter(|kind| !ours(kind)).collect();
                    if !theirs.is_empty() {
                        return Err(RegisterError::Taken(theirs));
                    }
                }
                Err(crate::store::RegisterError::Seal(error)) => return Err(error),
                Err(crate::store::RegisterError::Unavailable(error)) => {
                    return Err(unavailable(app, error));
                }
                Err(crate::store::RegisterError::Unknown(error)) => {
                    app.metrics.store.unknown.inc();
                    return Err(RegisterError::Unknown(error));
                }
            }
        }
        Err(RegisterError::NoFreeId)
    }

    /// What `user.id` will be, as far as it is known before the store gives the serial number.
    fn id(&self, app: &App, own: Option<String>, public_id: Uuid) -> Json {
        if let Some(own) = own {
            return own.into();
        }
        match &self.mounted.contract.id {
            IdKind::Integer => Json::Null,
            IdKind::Uuid => public_id.to_string().into(),
            IdKind::ObjectId => object_id(self.circumstances.now, app.clock.random()).into(),
            IdKind::Text(recipe) => recipe.make(&mut |bytes| app.clock.fill(bytes)).into(),
        }
    }

    fn generates_id(&self, own: bool) -> bool {
        !own && matches!(self.mounted.contract.id, IdKind::ObjectId | IdKind::Text(_))
    }

    fn seal(
        &self,
        id: Json,
        serial: i64,
        mint: &crate::contract::Mint,
        clock: &Clock,
    ) -> Result<Sealed<Reply>, RegisterError> {
        let registered = Registered {
            id: if id.is_null() { serial.into() } else { id },
            at: self.circumstances.now,
            password_sha256: self.password_sha256.clone(),
        };
        let contract = &self.mounted.contract;
        let (answer, minted) = contract.created(&self.fields, &registered, mint, &self.circumstances)?;
        let kept = match &self.repeatable {
            Some(repeatable) => repeatable.keep(&answer, clock).ok_or(RegisterError::Keep)?,
            None => Vec::new(),
        };
        Ok(Sealed { answer, tokens: minted.into_iter().map(issued).collect(), kept })
    }
}

fn issued(minted: Minted) -> IssuedToken {
    IssuedToken {
        name: minted.name.to_string(),
        digest: token::digest(&minted.text),
        expires_at: minted.expires_at,
    }
}
