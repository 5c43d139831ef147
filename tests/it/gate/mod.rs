//! Who does not get in: too many tries, passwords that everybody knows, no work done.

mod h6_rates;
mod h6_shared;
mod i2_names;
mod p4_breached;
mod p_passwords;
mod proof_of_work;
