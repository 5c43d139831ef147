//! The sign-up: a new user becomes an account, whole or not at all, and the reply that says so.

mod error;
mod limits;
mod sign_up;
mod write;

pub use error::RegisterError;
pub use limits::settle;
pub use sign_up::{Answer, SignUp};

use crate::app::App;
use crate::contract::Reply;
use crate::idempotency::Repeatable;
use crate::password::{Claim, Source};
use crate::proof::Proof;
use crate::steps::Step;
use crate::store::{AccountFields, IDEMPOTENCY_KEY, Spending, StoreError};
use crate::throttle::Tries;
use error::unavailable;
use jiff::Timestamp;
use sign_up::{claims, kinds};
use std::time::{Duration, Instant};
use write::Writer;

/// How much longer than its challenge a spent proof is remembered: a process whose clock is ahead must not forget what another
/// would still take.
const CLOCKS_DIFFER: Duration = Duration::from_secs(3600);

/// Registers one user, or repeats the answer to the same request. `tries` are those that its arrival has made. A client
/// that leaves, which `claim` tells, costs nothing as long as no worker has begun with its hash; from then on this runs to its end.
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
    match Box::pin(make(app, sign_up, Tries::default(), claim)).await {
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
    let kept = Box::pin(app.store.repeat(repeatable.repetition.digest, app.clock.now())).await;
    app.metrics.store.repeat.observe(begun.elapsed().as_secs_f64());
    let Some(kept) = kept.map_err(|error| unavailable(app, error))? else { return Ok(None) };
    let reply = repeatable.replay(&kept)?;
    app.metrics.repeated.inc();
    Ok(Some(reply))
}

// Hundreds wait here for a hash, and a future has room for the largest of its steps. So what talks to the store is boxed.
async fn make(app: &App, sign_up: SignUp, tries: Tries, claim: Claim) -> Result<Answer, RegisterError> {
    let keys = claims(&sign_up);
    // Before anything that could tell whether an account exists.
    let names = app.throttle.names(&sign_up.mounted.name, &keys, app.clock.uptime())?;
    settle(app, tries.and(names)).await?;
    // Nothing is written or looked up for whoever will be told that the server is busy; they also keep their proof of work.
    let place = app.passwords.place(Source(app.number(&sign_up.mounted)))?;
    if let Some(proof) = sign_up.proof {
        spend(app, proof, sign_up.repeatable.as_ref()).await?;
    }
    let reveals = sign_up.mounted.contract.register.reveals_duplicates();
    if reveals {
        // The index decides at the insert; this spares a hash for an answer that is known already.
        let begun = Instant::now();
        let taken = Box::pin(app.store.collisions(&keys)).await;
        app.metrics.store.collisions.observe(begun.elapsed().as_secs_f64());
        let taken = taken.map_err(|error| unavailable(app, error))?;
        if !taken.is_empty() {
            return Err(RegisterError::Taken(kinds(&taken)));
        }
    }
    let SignUp { user, .. } = sign_up;
    let hash = app.passwords.hash(user.password, app.clock.random(), place, claim).await?;
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
    let counts = Box::pin(app.store.spend(spending)).await;
    app.metrics.store.spend.observe(begun.elapsed().as_secs_f64());
    if !counts.map_err(|error| unavailable(app, error))? {
        return Err(RegisterError::Spent);
    }
    app.metrics.proofs.spent.inc();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of what an asynchronous function makes.
    fn size<'a, A: 'a, B, C, D, F>(_: impl FnOnce(&'a A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_sign_up_that_waits_for_its_hash_is_small() {
        let waiting = size(register);
        assert!(waiting <= 4096, "{waiting} bytes");
    }
}
