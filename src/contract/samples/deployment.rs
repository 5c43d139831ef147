//! What stands in for a deployment: its clock, its mint, an account, its secrets.

use crate::contract::{Circumstances, Contract, Mint, Registered, Secrets};
use crate::user::IdKind;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// A request that came at noon from nowhere.
pub(in crate::contract) fn circumstances() -> Circumstances {
    Circumstances {
        now: Timestamp::from_millisecond(1_718_022_896_789).unwrap_or_default(),
        random: Uuid::from_u128(0x0190_a1b2_c3d4_7e5f_8a6b_0011_2233_4455),
        request_id: "0190a1b2-c3d4-7e5f-8a6b-0123456789ab".into(),
        path: "/users".into(),
        base_url: "https://example.com".into(),
        ..Circumstances::default()
    }
}

/// A mint whose tokens look like real ones and open nothing: the claims can be read, the signature is a word.
pub(in crate::contract) fn mint() -> Mint {
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
pub(in crate::contract) fn registered(contract: &Contract) -> Registered {
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
pub(super) fn secret(name: &str) -> String {
    format!("<{name}>")
}
