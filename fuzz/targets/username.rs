//! See `fuzz/bodies/username.rs`.
#![no_main]

#[path = "../bodies/username.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
