//! See `fuzz/bodies/proof.rs`.
#![no_main]

#[path = "../bodies/proof.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
