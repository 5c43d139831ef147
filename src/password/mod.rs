//! Argon2id: what it may cost, who computes it, and how results are written.
//!
//! - [`Params`]: the cost, with its floor and its ceilings.
//! - [`Hasher`]: the only type that knows the two Argon2 implementations, one [`Engine`] each.
//! - [`Phc`]: the stored text.

mod hasher;
mod params;
mod phc;
mod self_test;

pub use hasher::{Engine, Hasher, HasherError, Input};
pub use params::{Params, ParamsError};
pub use phc::{Phc, PhcError};
pub use self_test::SelfTestError;
