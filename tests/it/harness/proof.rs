//! Solves challenges for proofs of work, as any program can.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The solution of a challenge, as the widget writes it.
pub(crate) fn solved(challenge: &Value) -> String {
    let salt = challenge["salt"].as_str().expect("a salt");
    let most = challenge["maxnumber"].as_u64().expect("the largest number");
    let number = (0..=most).find(|number| {
        let hash = digest(&SHA256, format!("{salt}{number}").as_bytes());
        let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        challenge["challenge"] == hex
    });
    let mut solution = json!({ "number": number.expect("every challenge has a solution"), "took": 3 });
    for member in ["algorithm", "challenge", "salt", "signature"] {
        solution[member] = challenge[member].clone();
    }
    STANDARD.encode(solution.to_string())
}
