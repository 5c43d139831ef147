//! Who does not get in: too many tries, passwords that everybody knows.

mod h6_rates;
mod i2_names;
mod p4_breached;
mod p_passwords;
