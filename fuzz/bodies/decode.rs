//! Any body and any content type to every shipped contract: it is understood or refused, and the refusal can be written
//! and is JSON where it says so.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method};
use std::sync::{Arc, OnceLock};
use tokio::runtime::{Builder, Runtime};
use vestibule::clock::Clock;
use vestibule::contract::{Circumstances, Contract, Request, SHIPPED, Scene, shipped};
use vestibule::user::NewUser;

struct Room {
    contracts: Vec<Contract>,
    runtime: Runtime,
    circumstances: Circumstances,
}

fn room() -> &'static Room {
    static ROOM: OnceLock<Room> = OnceLock::new();
    ROOM.get_or_init(|| Room {
        contracts: SHIPPED.iter().map(|s| shipped(s.name).expect("a shipped contract")).collect(),
        runtime: Builder::new_current_thread().build().expect("a runtime"),
        circumstances: Circumstances {
            now: Clock::system().now(),
            random: uuid::Uuid::from_u128(7),
            request_id: "01900224-fc95-76c6-ae66-8eff0a257fc5".into(),
            path: "/users".into(),
            base_url: "https://accounts.example.com".into(),
            secrets: Arc::default(),
            breached: None,
            proof: None,
        },
    })
}

const TYPES: [&str; 5] = [
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-8",
    "text/plain",
];

pub(crate) fn run(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let Room { contracts, runtime, circumstances } = room();
    let contract = &contracts[usize::from(choice) % contracts.len()];
    let mut headers = HeaderMap::new();
    match usize::from(choice >> 4) {
        kind if kind < TYPES.len() => {
            drop(headers.insert(CONTENT_TYPE, HeaderValue::from_static(TYPES[kind])))
        }
        15 => {
            // The first line is the content type.
            let line = rest.split(|&b| b == b'\n').next().unwrap_or_default();
            if let Ok(value) = HeaderValue::from_bytes(line) {
                headers.insert(CONTENT_TYPE, value);
            }
        }
        _ => {}
    }
    let body = Bytes::copy_from_slice(rest);
    let request = Request { query: None, headers: &headers, body: &body };
    let refusal = match runtime.block_on(contract.decode(request, circumstances)) {
        Ok(fields) => {
            let _ = contract.written(request, &fields);
            match NewUser::parse(contract.submitted(&fields)) {
                Ok(user) => {
                    // Only what was given can be taken.
                    let kind = if user.email.is_some() { "email" } else { "username" };
                    contract.taken(fields, &[kind.to_owned()], circumstances)
                }
                Err(problems) => contract.misunderstood(fields, &problems, circumstances),
            }
        }
        Err(refusal) => refusal,
    };
    let scene = Scene {
        fields: refusal.fields.as_ref(),
        errors: &refusal.errors,
        reason: &refusal.reason,
        retry_after: None,
    };
    let reply =
        contract.refusal(&refusal.outcome, scene, circumstances).expect("every refusal can be written");
    assert!((400..500).contains(&reply.status), "{:?} to {}", reply, Method::POST);
    let json = reply
        .headers
        .iter()
        .any(|(name, value)| *name == CONTENT_TYPE && value.as_bytes().ends_with(b"json"));
    if json && !reply.body.is_empty() {
        serde_json::from_str::<serde_json::Value>(&reply.body).expect("it says that it is JSON");
    }
}
