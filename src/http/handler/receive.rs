//! Steps 1 to 3 of a registration: the body, what was written in it, and what it means.

use super::exchange::Exchange;
use crate::contract::{Fields, Outcome, Refusal, Request};
use crate::http::body::{BodyError, collect};
use crate::http::caller::Caller;
use crate::idempotency::{IdempotencyKey, KeyError, Repeatable};
use crate::register::SignUp;
use crate::store::Claimed;
use crate::token;
use crate::user::{Key, Meaning, NewUser, Problem};
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use std::sync::Arc;
use zeroize::Zeroize as _;

/// Why a request comes to no sign-up.
pub(super) enum Stop {
    Refused(Refusal),
    /// Refused for its proof of work alone; it may be the repetition of a request that was answered.
    Unproven(Box<Refusal>, Box<Repeatable>),
    /// Sign-up is switched off; it may be the repetition of a request that was answered before.
    Closed(Option<Box<Repeatable>>),
    TooLarge,
    TooLate,
    /// There is no room for its body now.
    Crowded,
}

impl Exchange {
    /// The sign-up that a request asks for, if there are sign-ups.
    pub(super) async fn receive(&self, parts: &Parts, body: Body) -> Result<SignUp, Stop> {
        let received = self.received(parts, body).await;
        if !self.app.closed {
            return received;
        }
        let is_kept = self.mounted.contract.register.reveals_duplicates();
        Err(match received {
            Ok(sign_up) => Stop::Closed(sign_up.repeatable.filter(|_| is_kept).map(Box::new)),
            Err(Stop::Refused(_)) => Stop::Closed(None),
            Err(Stop::Unproven(_, repeatable)) => Stop::Closed(Some(repeatable)),
            Err(other) => other,
        })
    }

    async fn received(&self, parts: &Parts, body: Body) -> Result<SignUp, Stop> {
        let body = match collect(body, self.body_limit()).await {
            Ok(body) => body,
            Err(BodyError::TooLarge { .. }) => return Err(Stop::TooLarge),
            Err(BodyError::TimedOut) => return Err(Stop::TooLate),
            Err(BodyError::Crowded) => return Err(Stop::Crowded),
            Err(BodyError::Broken(_)) => {
                let reason = "the body ended too early".to_owned();
                return Err(Stop::Refused(Refusal { reason, ..Refusal::plain(Outcome::Malformed) }));
            }
        };
        let understood = self.understand(parts, &body).await;
        let audit = &self.app.audit;
        self.line.claims(match &understood {
            Ok(SignUp { user, .. }) => audit.claimed(user.email.as_ref(), user.username.as_ref()),
            Err(Refusal { fields: Some(fields), .. }) => {
                let written = self.mounted.contract.submitted(fields);
                audit.written(written.email.as_deref(), written.username.as_deref())
            }
            Err(_) => Claimed::default(),
        });
        let received = understood.map_err(|refusal| self.stop(parts, &body, refusal));
        drop(wiped(body));
        received
    }

    fn stop(&self, parts: &Parts, body: &Bytes, refusal: Refusal) -> Stop {
        let request = Request { query: parts.uri.query(), headers: &parts.headers, body };
        let is_kept = || self.mounted.contract.register.reveals_duplicates();
        let fields = refusal.fields.as_ref().filter(|_| refusal.may_have_passed() && is_kept());
        match fields.and_then(|fields| self.repeatable(parts, request, fields).ok().flatten()) {
            Some(repeatable) => Stop::Unproven(Box::new(refusal), Box::new(repeatable)),
            None => Stop::Refused(refusal),
        }
    }

    async fn understand(&self, parts: &Parts, body: &Bytes) -> Result<SignUp, Refusal> {
        let contract = &self.mounted.contract;
        let request = Request { query: parts.uri.query(), headers: &parts.headers, body };
        let fields = contract.decode(request, &self.circumstances).await?;
        let repeatable = self
            .repeatable(parts, request, &fields)
            .map_err(|error| Refusal { reason: error.to_string(), ..Refusal::plain(Outcome::Malformed) })?;
        // The rules have found it right, and that is remembered; where their conditions spared it, it need not be.
        let asked = self.circumstances.proof.as_ref();
        let proof = asked
            .and_then(|asked| asked.judge(contract.proof(&fields), self.circumstances.now).ok().flatten());
        let submitted = contract.submitted(&fields);
        let reveal = contract.register.reveal.password_sha256;
        let password_sha256 = submitted.password.as_deref().filter(|_| reveal).map(token::digest);
        let mut extras = contract.unique_extras(&fields);
        let understood = NewUser::parse(submitted).and_then(|user| {
            indexable(&extras)?;
            let looks = self.app.names.judge(&user)?;
            extras.extend(looks.into_iter().map(|key| (key.kind, key.value)));
            Ok(user)
        });
        match understood {
            Ok(user) => Ok(SignUp {
                mounted: self.mounted.clone(),
                fields: Arc::new(contract.kept(fields)),
                user,
                extras,
                password_sha256,
                proof,
                circumstances: self.circumstances.clone(),
                repeatable,
            }),
            Err(problems) => Err(contract.misunderstood(fields, &problems, &self.circumstances)),
        }
    }

    /// How the request is recognised when it comes again. A contract that asks for a secret is called by other servers,
    /// whose addresses mean nothing; otherwise a key is only good for the network that it came from.
    fn repeatable(
        &self,
        parts: &Parts,
        request: Request<'_>,
        fields: &Fields,
    ) -> Result<Option<Repeatable>, KeyError> {
        let key = IdempotencyKey::of(&parts.headers)?;
        if key.is_none() && !self.app.idempotency.has_window() {
            return Ok(None);
        }
        let contract = &self.mounted.contract;
        // Servers are told apart by their contract's secret, and people by their network.
        let caller = parts.extensions.get::<Caller>().filter(|_| contract.secrets().is_empty());
        let network = caller.and_then(Caller::network).map(|network| network.to_string()).unwrap_or_default();
        // Without a key the request stands for itself, with its proof: others on the same network would have to guess that, too,
        // to try passwords on it.
        let written = match key {
            Some(_) => contract.asked(request, fields),
            None => contract.written(request, fields),
        };
        let scope = [self.mounted.name.as_str(), &network];
        Ok(self.app.idempotency.repeatable(key.as_ref(), &scope, &written, self.circumstances.now))
    }
}

/// The memory of a body that held a password, overwritten, if it is ours alone: a part of hyper's read buffer is not.
fn wiped(body: Bytes) -> Option<BytesMut> {
    let mut own = body.try_into_mut().ok()?;
    own.as_mut().zeroize();
    Some(own)
}

/// Unique values must fit the store's index.
fn indexable(extras: &[(String, String)]) -> Result<(), Vec<Problem>> {
    let too_long = extras.iter().filter(|(_, value)| value.len() > Key::MAX_BYTES);
    let problems: Vec<Problem> = too_long
        .filter_map(|(kind, _)| kind.parse::<Meaning>().ok())
        .map(|meaning| Problem {
            meaning,
            reason: format!("the value is longer than {} bytes", Key::MAX_BYTES),
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_overwritten_where_it_is_ours_alone() {
        let body = Bytes::from(b"password=tree frogs".to_vec());
        let other = body.clone();
        assert_eq!(wiped(body), None, "somebody else may read it");
        let length = other.len();
        assert_eq!(wiped(other).as_deref(), Some(vec![0; length].as_slice()));
    }
}
