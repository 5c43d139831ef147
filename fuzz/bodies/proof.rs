//! Anything as a proof of work, as it is and as what Base64 makes of it: it is refused, or it is the solution that is known.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::OnceLock;
use vestibule::proof::{LONGEST, Policy, Proofs};

/// Of the only solution that is known for this secret, `fuzz/regressions/proof/good`.
const KNOWN: u8 = 0x20;

pub(crate) fn run(data: &[u8]) {
    static PROOFS: OnceLock<Proofs> = OnceLock::new();
    let proofs = PROOFS.get_or_init(|| Proofs::new(b"a secret for fuzzing", Policy::nobody()));
    let now = "1970-01-01T00:00:00Z".parse().expect("a time");
    let text = String::from_utf8_lossy(data);
    for sent in [text.into_owned(), STANDARD.encode(data)] {
        if let Ok(proof) = proofs.check("/users", &sent, now) {
            assert!(sent.len() <= LONGEST && proof.expires_at > now);
            assert_eq!(proof.digest[0], KNOWN);
        }
    }
}
