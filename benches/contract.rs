//! What a contract costs: a request read, checked and answered, and a file loaded. No store, no hash, no socket.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;
use vestibule::contract::{
    Circumstances, Contract, Mint, Outcome, Registered, Reply, Request, SHIPPED, Scene, Secrets, load,
    shipped,
};

const GOOD: &str = r#"{"firstname":"Johanna","lastname":"Lee","email":"johanna.lee@example.com","password":"correct horse 1"}"#;
/// Three errors.
const BAD: &str = r#"{"firstname":"Jo","lastname":"Lee","email":"johanna.lee","password":"12345"}"#;

fn circumstances() -> Circumstances {
    Circumstances {
        breached: None,
        proof: None,
        now: Timestamp::from_second(1_718_022_896).expect("a time"),
        random: Uuid::nil(),
        request_id: "0190a1b2-c3d4-7e5f-8a6b-0123456789ab".into(),
        path: "/user/register".into(),
        base_url: "https://accounts.example.com".into(),
        secrets: Arc::new(Secrets::default()),
    }
}

/// Signing is not the contract's work; it is measured elsewhere.
fn mint() -> Mint {
    Mint { sign: Arc::new(|_| "e30.e30.c2lnbmF0dXJl".to_owned()), fill: Arc::new(|bytes| bytes.fill(7)) }
}

struct Asked {
    contract: Contract,
    headers: HeaderMap,
    body: Bytes,
    now: Circumstances,
    registered: Registered,
    mint: Mint,
}

impl Asked {
    fn new(contract: &str, body: &'static str) -> Asked {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        let now = circumstances();
        Asked {
            contract: shipped(contract).expect("a shipped contract"),
            headers,
            body: Bytes::from_static(body.as_bytes()),
            registered: Registered {
                id: json!("60f7c2b8e1d2c8a1b4e8d123"),
                at: now.now,
                password_sha256: None,
            },
            now,
            mint: mint(),
        }
    }

    async fn answer(&self) -> Reply {
        let request = Request { query: None, headers: &self.headers, body: &self.body };
        match self.contract.decode(request, &self.now).await {
            Ok(fields) => {
                let reply = self.contract.created(&fields, &self.registered, &self.mint, &self.now);
                reply.expect("a reply").0
            }
            Err(refusal) => {
                let scene = Scene {
                    fields: refusal.fields.as_ref(),
                    errors: &refusal.errors,
                    reason: &refusal.reason,
                    retry_after: None,
                };
                self.contract.refusal(&refusal.outcome, scene, &self.now).expect("a reply")
            }
        }
    }
}

fn answers(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for (contract, name, body, outcome) in [
        ("express", "created", GOOD, Outcome::Created),
        ("express", "invalid", BAD, Outcome::Invalid),
        ("mongoose", "invalid", r#"{"email":"johanna.lee"}"#, Outcome::Invalid),
    ] {
        let asked = Asked::new(contract, body);
        assert_eq!(runtime.block_on(asked.answer()).outcome, outcome);
        c.bench_function(&format!("answer/{contract}/{name}"), |b| {
            b.iter(|| runtime.block_on(black_box(&asked).answer()));
        });
    }
}

fn loads(c: &mut Criterion) {
    for contract in SHIPPED {
        c.bench_function(&format!("load/{}", contract.name), |b| b.iter(|| load(black_box(contract.text))));
    }
}

criterion_group!(benches, answers, loads);
criterion_main!(benches);
