//! Sample values: what the dry run tries, and what examples and the OpenAPI document show, in place of a real request.
//!
//! `values` knows what is plausible for a field, `pattern` what a regular expression accepts, `request` puts both
//! together until the contract's own rules take it, and `answers` breaks such a request in every way that leads to
//! another outcome.

mod answers;
mod pattern;
mod request;
mod values;

pub(super) use answers::{Answer, answers};
pub use request::{Example, example_request};

use super::{
    Circumstances, Contract, Field, FieldError, JsonType, Mint, Operation, Outcome, Registered, Rule, Secrets,
};
use crate::user::IdKind;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// A request that came at noon from nowhere.
pub(super) fn circumstances() -> Circumstances {
    Circumstances {
        breached: None,
        proof: None,
        now: Timestamp::from_millisecond(1_718_022_896_789).unwrap_or_default(),
        random: Uuid::from_u128(0x0190_a1b2_c3d4_7e5f_8a6b_0011_2233_4455),
        request_id: "0190a1b2-c3d4-7e5f-8a6b-0123456789ab".into(),
        path: "/users".into(),
        base_url: "https://example.com".into(),
        secrets: Arc::new(Secrets::default()),
    }
}

/// A mint whose tokens look like real ones and open nothing: the claims can be read, the signature is a word.
pub(super) fn mint() -> Mint {
    let sign = |claims: &str| {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        format!("{header}.{}.signature", URL_SAFE_NO_PAD.encode(claims))
    };
    let turn = AtomicU64::new(0);
    let fill = move |bytes: &mut [u8]| fill(turn.fetch_add(1, Ordering::Relaxed), bytes);
    Mint { sign: Arc::new(sign), fill: Arc::new(fill) }
}

/// Bytes that look random and are the same for the same turn (the multiplier is Knuth's, of MMIX).
fn fill(turn: u64, bytes: &mut [u8]) {
    let mut state = turn.wrapping_add(0x2545_F491_4F6C_DD1D);
    for byte in bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *byte = state.to_be_bytes()[0];
    }
}

/// The account that a sample of `created` tells about.
pub(super) fn registered(contract: &Contract) -> Registered {
    let id = match &contract.id {
        IdKind::Integer => json!(182),
        IdKind::Uuid => json!("0190a1b2-c3d4-7e5f-8a6b-00112233aabb"),
        IdKind::ObjectId => json!("60f7c2b8e1d2c8a1b4e8d123"),
        IdKind::Text(recipe) => json!(recipe.make(&mut |bytes| fill(0, bytes))),
    };
    let reveal = contract.register.reveal.password_sha256;
    let password_sha256 =
        reveal.then(|| "5d7f49e9a1c3b26088f1c4ed1b3a77e2904c8d3f6b25a0e1f7c9d8b4a6e03f12".to_owned());
    Registered { id, at: circumstances().now, password_sha256 }
}

/// The deployment's secrets as examples write them: `<name>`.
pub(super) fn secrets(contract: &Contract) -> Secrets {
    contract.secrets().into_iter().map(|name| (name.to_owned(), secret(name))).collect()
}

/// What stands in an example where the deployment's secret of this name belongs.
fn secret(name: &str) -> String {
    format!("<{name}>")
}

/// The complaint of one demand about `value`, in the words that its rule uses where it does not look at the request.
pub(super) fn complaint(
    operation: &Operation,
    field: &Field,
    rule: &Rule,
    demand: &'static str,
    value: Option<Json>,
) -> FieldError {
    let catalogue = operation.says.get(demand);
    let code = rule.says.code.clone().or_else(|| catalogue.and_then(|s| s.code.clone()));
    let message = match value.as_ref().and_then(Json::as_str) {
        Some(text) => text.to_owned(),
        None => format!("{} {demand}", field.name),
    };
    FieldError {
        field: rule.field.clone().unwrap_or_else(|| field.name.clone()),
        code: code.unwrap_or_else(|| demand.into()),
        message,
        limit: limit(rule, demand),
        sent: value.is_some(),
        value: value.filter(|_| operation.shows(field)),
        outcome: Outcome::Invalid,
        proof: None,
    }
}

/// A demand's own parameter.
pub(super) fn limit(rule: &Rule, demand: &str) -> Json {
    match demand {
        "type" => rule.json_type.map_or("string", JsonType::name).into(),
        "enum" => rule.one_of.clone().unwrap_or_default().into(),
        "min_length" => rule.min_length.unwrap_or(1).into(),
        "max_length" => rule.max_length.unwrap_or(1).into(),
        "pattern" => rule.patterns.first().map_or("", |p| p.as_str()).into(),
        "format" => rule.format.unwrap_or("email").into(),
        _ => Json::Null,
    }
}
