//! See `fuzz/bodies/idempotency_key.rs`.
#![no_main]

#[path = "../bodies/idempotency_key.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
