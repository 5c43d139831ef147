//! See `fuzz/bodies/email.rs`.
#![no_main]

#[path = "../bodies/email.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
