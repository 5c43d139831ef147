//! From a named outcome to a [`Reply`]: status, headers and body, in the contract's words.

mod scene;
mod tokens;
mod user;

pub use scene::Scene;
pub(super) use scene::{created_scene, refused_scene};
pub(super) use tokens::{claims_scene, timed};
pub use user::Registered;

use super::circumstances::Circumstances;
use super::fields::Fields;
use super::operation::Contract;
use super::outcome::Outcome;
use super::refusal::FieldError;
use super::reply::{EncodeError, Reply, ReplyTemplate};
use super::template::RenderError;
use super::token::{Make, Mint, Minted};
use http::HeaderValue;
use minijinja::Value;
use std::borrow::Cow;

impl Contract {
    /// Writes any outcome but `created`. Where the client's data is too much for the template (64 KiB of refused
    /// value, a list of a hundred thousand items), the same reply is written with the first error and without them:
    /// no request turns a 4xx into a 5xx. But where the contract hides duplicates, `taken` comes to the very end that
    /// `created` would have come to.
    pub fn refusal(
        &self,
        outcome: &Outcome,
        scene: Scene<'_>,
        now: &Circumstances,
    ) -> Result<Reply, EncodeError> {
        self.refusal_with(outcome, scene, now).or_else(|error| {
            if *outcome == Outcome::Taken && !self.register.reveals_duplicates() {
                let bare = scene.fields.map(|fields| self.stored(fields));
                return self
                    .refusal_with(outcome, Scene { fields: bare.as_ref(), ..scene }, now)
                    .map_err(|_| error);
            }
            let first: Vec<_> = scene.errors.iter().take(1).map(FieldError::without_values).collect();
            self.refusal_with(outcome, Scene { fields: None, errors: &first, ..scene }, now)
                .map_err(|_| error)
        })
    }

    /// The same with all data, or an error.
    pub(super) fn refusal_with(
        &self,
        outcome: &Outcome,
        scene: Scene<'_>,
        now: &Circumstances,
    ) -> Result<Reply, EncodeError> {
        let template = self.register.reply(outcome);
        let mut reply = write(template, outcome, &refused_scene(self, outcome, scene, now)?)?;
        let said = reply.headers.iter().any(|(name, _)| *name == http::header::RETRY_AFTER);
        if let Some(seconds) = scene.retry_after.filter(|_| !said) {
            reply.headers.push((http::header::RETRY_AFTER, HeaderValue::from(seconds)));
        }
        Ok(reply)
    }

    /// Writes `created`, and tells which opaque tokens the reply shows. Where what the client sent beside its account
    /// is too much for the template, the reply is written without it.
    pub fn created(
        &self,
        fields: &Fields,
        registered: &Registered,
        mint: &Mint,
        now: &Circumstances,
    ) -> Result<(Reply, Vec<Minted>), EncodeError> {
        self.created_with(fields, registered, mint, now).or_else(|error| {
            self.created_with(&self.stored(fields), registered, mint, now).map_err(|_| error)
        })
    }

    /// The fields without what is not stored.
    pub(in crate::contract) fn stored(&self, fields: &Fields) -> Fields {
        let pairs = self.register.fields.iter().zip(&fields.inputs);
        let stored = pairs.map(|(field, input)| input.clone().filter(|_| field.into.is_some()));
        // Of the body, replies show no more than that anyway.
        Fields { inputs: stored.collect(), body: fields.body.clone() }
    }

    /// The same with all data, or an error.
    pub(super) fn created_with(
        &self,
        fields: &Fields,
        registered: &Registered,
        mint: &Mint,
        now: &Circumstances,
    ) -> Result<(Reply, Vec<Minted>), EncodeError> {
        let (scene, tokens) = created_scene(self, fields, registered, mint, now)?;
        let reply = write(self.register.reply(&Outcome::Created), &Outcome::Created, &scene)?;
        let shown = tokens.into_iter().filter(|(token, _)| matches!(token.make, Make::Random(_)));
        let minted = shown.filter_map(|(token, lazy)| {
            let text = lazy.made()?.as_str()?.to_owned();
            let lifetime = jiff::SignedDuration::from_secs(token.lifetime);
            Some(Minted {
                name: token.name.clone(),
                text,
                expires_at: now.now.saturating_add(lifetime).ok()?,
            })
        });
        Ok((reply, minted.collect()))
    }
}

fn write(template: &ReplyTemplate, outcome: &Outcome, scene: &Value) -> Result<Reply, EncodeError> {
    let mut headers = Vec::with_capacity(template.headers.len() + 1);
    for (name, value) in &template.headers {
        let at = |e| EncodeError::new(outcome, format!("header {name}"), e, value.origin());
        let text = value.literal().map_or_else(|| value.render(scene).map(Cow::from), |text| Ok(text.into()));
        let checked =
            HeaderValue::from_str(&text.map_err(at)?).map_err(|_| at(RenderError::not_a_header(value)))?;
        headers.push((name.clone(), checked));
    }
    let body = template
        .body
        .render(scene)
        .map_err(|e| EncodeError::new(outcome, "body".to_owned(), e, template.body.origin()))?;
    Ok(Reply { outcome: outcome.clone(), status: template.status, headers, body })
}
