//! See `fuzz/bodies/phc.rs`.
#![no_main]

#[path = "../bodies/phc.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
