//! The search for secrets, in every spelling in which one may be written.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::{BREACHED, MARK, secret};
use crate::harness::client::Reply;
use crate::harness::proof::solved;

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All spellings of a secret: as it is, in other cases, and percent-encoded, escaped, in Base64 wherever it may begin,
/// and in hexadecimal digits.
fn spellings(secret: &str) -> Vec<String> {
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let escaped: String = secret.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    let mut out = vec![
        secret.to_owned(),
        secret.to_lowercase(),
        secret.to_uppercase(),
        secret.replace('!', "%21"),
        percent.clone(),
        percent.to_uppercase(),
        escaped,
        hex(secret.as_bytes()),
        hex(secret.as_bytes()).to_uppercase(),
        // Bytes as `Debug` writes them.
        format!("{:?}", secret.as_bytes()).trim_matches(['[', ']']).to_owned(),
    ];
    for engine in [STANDARD, URL_SAFE] {
        for before in 0..3 {
            let text = engine.encode([&vec![b'x'; before][..], secret.as_bytes()].concat());
            // The first and the last letters depend on what stands around.
            let inner = text.trim_end_matches('=');
            out.push(inner[[0, 2, 3][before]..inner.len() - 1].to_owned());
        }
    }
    out
}

/// The unsalted hash by which lists of breached passwords know a secret.
pub(super) fn sha1(place: &str) -> String {
    hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, secret(place).as_bytes()).as_ref())
}

/// What nothing may hold: the mark in every spelling, what was made of whole secrets, the tokens, and the proofs.
pub(super) fn needles(replies: &[Reply]) -> Vec<String> {
    let mut out = spellings(MARK);
    let whole = [
        "knex", "flask", "express", "mongoose", "envelope", "standard", "form", "parts", "few", "busy",
        "http2", "key", "altcha", "clear",
    ];
    out.extend(whole.map(|place| vestibule::token::digest(&secret(place))));
    let tokens = replies.iter().filter(|reply| reply.status < 300 && reply.body.contains("\"token\""));
    for token in tokens.map(|reply| reply.json()["token"].as_str().expect("a token").to_owned()) {
        let parts: Vec<&str> = token.split('.').collect();
        // The head of all tokens is the same and no secret.
        out.extend([parts[1].to_owned(), parts[2].to_owned(), vestibule::token::digest(&token)]);
    }
    out.extend([sha1(BREACHED), sha1(BREACHED).to_uppercase()]);
    let challenges = replies.iter().filter(|reply| reply.body.contains("\"signature\""));
    for challenge in challenges.map(Reply::json) {
        out.extend([challenge["signature"].as_str().expect("a signature").to_owned(), solved(&challenge)]);
    }
    assert!(
        out.len() > spellings(MARK).len() + whole.len() + 2 * 3 + 2 + 2 * 2,
        "there were tokens and challenges"
    );
    out
}

pub(super) fn search(place: &str, bytes: &[u8], needles: &[String]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let found = needles.iter().filter_map(|needle| Some((needle, text.find(needle.as_str())?)));
    found
        .map(|(needle, at)| {
            let around: String = text[..at].chars().rev().take(60).collect();
            format!("{place}: {needle} behind {:?}", around.chars().rev().collect::<String>())
        })
        .collect()
}

/// Without this, a search that finds nothing anywhere would pass.
#[test]
fn control_the_search_finds_every_spelling() {
    let planted = secret("planted");
    let digest = vestibule::token::digest(&secret("knex"));
    let mut needles = spellings(MARK);
    needles.push(digest.clone());
    let json = serde_json::json!({ "user": format!("x{planted}"), "n": 1 }).to_string();
    for text in [
        planted.clone(),
        planted.to_lowercase(),
        planted.to_uppercase(),
        json.clone(),
        form_urlencoded::byte_serialize(planted.as_bytes()).collect(),
        planted.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        STANDARD.encode(&planted),
        STANDARD.encode(format!("a{planted}")),
        URL_SAFE.encode(format!("ab{planted}c")),
        STANDARD.encode(&json),
        hex(planted.as_bytes()),
        format!("{:?}", planted.as_bytes()),
        format!("$sha256${digest}"),
    ] {
        let around = format!("before \u{1} {text} behind");
        assert!(!search("here", around.as_bytes(), &needles).is_empty(), "not found: {text}");
    }
    assert!(search("here", b"Qz7 Kanarie", &needles).is_empty());
}
