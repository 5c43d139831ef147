//! Tokens as they leave the house and as they are kept: signed JWTs, and the digest under which opaque ones are
//! stored.

use std::fmt;

use aws_lc_rs::{digest as sha, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The protected header of every token, in the order and spelling that most libraries write.
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// Signs JSON Web Tokens (RFC 7519) with HMAC-SHA256. The key schedule is computed once, here, and not per token.
#[derive(Clone)]
pub struct Signer {
    key: hmac::Key,
    header: String,
}

impl Signer {
    /// A signer for `secret`. RFC 7518, section 3.2 asks for at least 32 bytes; whoever reads the configuration
    /// refuses less.
    pub fn new(secret: &[u8]) -> Signer {
        Signer { key: hmac::Key::new(hmac::HMAC_SHA256, secret), header: URL_SAFE_NO_PAD.encode(HEADER) }
    }

    /// The compact serialisation (RFC 7515, section 3.1) of a token whose payload is `claims_json`, byte for byte:
    /// the caller decides about members, their order, `iat` and `exp`.
    pub fn jwt(&self, claims_json: &str) -> String {
        let mut token = String::with_capacity(self.header.len() + claims_json.len() * 4 / 3 + 50);
        token.push_str(&self.header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims_json, &mut token);
        let signature = hmac::sign(&self.key, token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(..)")
    }
}

/// The SHA-256 of `text` as 64 lower-case hexadecimal digits (FIPS 180-4). Opaque tokens are stored so: they carry
/// enough random bits that a fast hash suffices.
pub fn digest(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let hash = sha::digest(&sha::SHA256, text.as_bytes());
    let nibbles = hash.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}

/// A key for one purpose, from the deployment's `secret` (NIST SP 800-108, with HMAC as the function): what is made with it
/// helps nobody with what is made for another purpose.
pub fn key_for(secret: &[u8], purpose: &str) -> hmac::Key {
    let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, purpose.as_bytes()).as_ref())
}

/// Stands for texts that shall not be stored: the first 16 bytes of their HMAC-SHA-256. Each goes in with its length before
/// it, so that no two lists make the same.
pub fn short_digest(key: &hmac::Key, parts: &[&str]) -> [u8; 16] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut out = [0; 16];
    out.copy_from_slice(&context.sign().as_ref()[..16]);
    out
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn decode(token: &str, secret: &[u8]) -> Result<Value, jsonwebtoken::errors::Error> {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_required_spec_claims(&["exp", "sub"]);
        rules.leeway = 0;
        jsonwebtoken::decode::<Value>(token, &DecodingKey::from_secret(secret), &rules)
            .map(|data| data.claims)
    }

    #[test]
    fn another_library_accepts_the_token_and_reads_every_claim() {
        let iat = crate::clock::Clock::system().now().as_second();
        let claims = json!({"sub": "64f0c0ffee", "name": "Zoë \"Z\"", "iat": iat, "exp": iat + 3600});
        let token = Signer::new(SECRET).jwt(&claims.to_string());
        assert_eq!(decode(&token, SECRET).unwrap(), claims);
        assert_eq!(jsonwebtoken::decode_header(&token).unwrap().typ.as_deref(), Some("JWT"));
    }

    #[test]
    fn k1_another_library_refuses_it_when_expired_altered_or_under_another_secret() {
        let now = crate::clock::Clock::system().now().as_second();
        let signer = Signer::new(SECRET);
        let expired = signer.jwt(&format!(r#"{{"sub":"1","iat":{},"exp":{}}}"#, now - 7200, now - 3600));
        let good = signer.jwt(&format!(r#"{{"sub":"1","iat":{now},"exp":{}}}"#, now + 3600));
        let other = signer.jwt(&format!(r#"{{"sub":"2","iat":{now},"exp":{}}}"#, now + 3600));
        let (head, _) = good.rsplit_once('.').unwrap();
        let (_, signature) = other.rsplit_once('.').unwrap();
        assert!(decode(&good, SECRET).is_ok());
        assert!(decode(&expired, SECRET).is_err());
        assert!(decode(&format!("{head}.{signature}"), SECRET).is_err());
        assert!(decode(&good, b"another secret, also 32 bytes lo").is_err());
    }

    #[test]
    fn the_token_is_the_one_of_the_jwt_io_debugger() {
        let token = Signer::new(b"your-256-bit-secret")
            .jwt(r#"{"sub":"1234567890","name":"John Doe","iat":1516239022}"#);
        assert_eq!(
            token,
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2\
             MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
        );
    }

    #[test]
    fn digests_are_lower_case_sha_256() {
        assert_eq!(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(digest("P@ssw0rd").starts_with("b03ddf3c") && digest("P@ssw0rd").ends_with("7342"));
    }

    #[test]
    fn the_secret_stays_out_of_debug_output() {
        assert_eq!(format!("{:?}", Signer::new(SECRET)), "Signer(..)");
    }
}
