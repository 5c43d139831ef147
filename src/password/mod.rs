//! Argon2id: what it may cost, who computes it, and how results are written.
//!
//! - [`Params`]: the cost, with its floor and its ceilings.
//! - [`Hasher`]: the only type that knows the two Argon2 implementations, one [`Engine`] each.
//! - [`Phc`]: the stored text.
//! - [`Peppers`]: secrets outside of the database that a hash may need.
//! - [`Pool`]: worker threads with one hasher each behind a queue that is bounded by time. Everything that hashes
//!   while serving goes through it, so that however much is asked, the machine does no more than it can.

mod error;
mod hasher;
mod measure;
mod metrics;
mod params;
pub mod pepper;
mod phc;
mod pool;
mod presence;
mod queue;
mod self_test;
mod worker;

pub use error::{HashError, StartError, VerifyError};
pub use hasher::{Engine, Hasher, HasherError, Input};
pub use measure::{Rate, measure};
pub use metrics::PoolMetrics;
pub use params::{Params, ParamsError};
pub use pepper::{KeyId, PepperError, Peppers};
pub use phc::{Phc, PhcError};
pub use pool::{Place, Pool, PoolSettings, Report, workers};
pub use presence::{Claim, Presence};
pub use queue::Source;
pub use self_test::SelfTestError;
#[doc(hidden)]
pub use worker::Hold;
