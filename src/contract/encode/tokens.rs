//! The tokens of a reply: claims are rendered at once, a token itself is made when it is first written.

use super::user::{Registered, user};
use crate::contract::circumstances::Circumstances;
use crate::contract::fields::{Fields, shown_inputs};
use crate::contract::operation::Operation;
use crate::contract::outcome::Outcome;
use crate::contract::reply::EncodeError;
use crate::contract::template::{Lazy, Room, Time};
use crate::contract::token::{Make, Mint, Token};
use minijinja::Value;
use std::sync::Arc;

pub(super) type Tokens<'o> = Vec<(&'o Token, Arc<Lazy>)>;

/// The tokens, each made when it is first written. Claims are rendered now, because they can fail.
pub(super) fn tokens<'o>(
    operation: &'o Operation,
    fields: &Fields,
    user: &Value,
    mint: &Mint,
    now: &Circumstances,
) -> Result<Tokens<'o>, EncodeError> {
    let mut out = Vec::with_capacity(operation.tokens.len());
    for token in &operation.tokens {
        let lazy = match &token.make {
            Make::Random(recipe) => {
                let (recipe, fill) = (recipe.clone(), mint.fill.clone());
                Lazy::new(Some(token.lifetime), move || Value::from(recipe.make(&mut |bytes| fill(bytes))))
            }
            Make::Claims(template) => {
                let part = || format!("token `{}`", token.name);
                let written = template
                    .render(&claims(operation, fields, user, now))
                    .map_err(|e| EncodeError::new(&Outcome::Created, part(), e, template.origin()))?;
                let claims = timed(&written, now.now.as_second(), token.lifetime);
                let sign = mint.sign.clone();
                Lazy::new(Some(token.lifetime), move || Value::from(sign(&claims)))
            }
        };
        out.push((token, lazy));
    }
    Ok(out)
}

/// What a token's claims see.
pub(in crate::contract) fn claims_scene(
    operation: &Operation,
    fields: &Fields,
    registered: &Registered,
    now: &Circumstances,
) -> Value {
    claims(operation, fields, &user(operation, fields, registered), now)
}

fn claims(operation: &Operation, fields: &Fields, user: &Value, now: &Circumstances) -> Value {
    Room::value(
        "claims",
        vec![
            ("user".into(), user.clone()),
            ("now".into(), Time::value(now.now)),
            ("random".into(), now.random()),
            ("input".into(), shown_inputs(operation, Some(fields))),
        ],
    )
}

/// Appends `iat` and `exp` (RFC 7519 section 4.1) to a compact JSON object.
pub(in crate::contract) fn timed(claims: &str, now: i64, lifetime: i64) -> String {
    let open = claims.strip_suffix('}').unwrap_or("{");
    let comma = if open.len() > 1 { "," } else { "" };
    format!("{open}{comma}\"iat\":{now},\"exp\":{}}}", now + lifetime)
}
