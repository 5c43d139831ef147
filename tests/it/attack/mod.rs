//! Attacks: what strangers send on purpose, and what must not come of it.

mod canary;
mod panics;
