//! The account and the reply that says so, in one transaction.

use super::error::{ID_ATTEMPTS, RegisterError, unavailable};
use super::sign_up::{Answer, ID, kinds};
use crate::app::{App, Mounted};
use crate::clock::Clock;
use crate::contract::{Circumstances, Fields, Mint, Minted, Registered, Reply};
use crate::idempotency::Repeatable;
use crate::steps::Step;
use crate::store::{AccountFields, IssuedToken, NewAccount, PUBLIC_ID, Sealed};
use crate::token;
use crate::user::{IdKind, Key, object_id, uuid_v7};
use serde_json::Value as Json;
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// Writes the account and its reply in one transaction.
pub(super) struct Writer {
    pub(super) mounted: Arc<Mounted>,
    pub(super) fields: Arc<Fields>,
    pub(super) password_sha256: Option<String>,
    pub(super) circumstances: Arc<Circumstances>,
    pub(super) repeatable: Option<Repeatable>,
}

impl Writer {
    pub(super) async fn write(
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
                // Of now, when it is about to be written: who follows the events waits no longer for a late one than that takes.
                event_id: uuid_v7(app.clock.now(), app.clock.random()),
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
            let result = Box::pin(app.store.register(new, seal)).await;
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
        mint: &Mint,
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
