//! See `fuzz/bodies/contract_file.rs`.
#![no_main]

#[path = "../bodies/contract_file.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
