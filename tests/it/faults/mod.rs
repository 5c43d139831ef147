//! Nothing that was acknowledged is ever lost, and nothing is half-made: attacks on this promise, in three parts.
//!
//! - The **server** is in a process of its own, so that it can be killed. Mostly it is the one of [`server`]: Vestibule
//!   with cheap hashes, and with a deed done at the n-th passage of a named step.
//! - The **client** keeps a [`journal`] on disk: what it is about to send, and what it was told.
//! - The **judge** holds the journal against the database, which it reads without Vestibule.
//!
//! Each attack has a control: a server that breaks the promise on purpose, whom the same judge must find guilty.

mod campaign;
mod journal;
mod judge;
mod load;
mod older;
mod proxy;
mod report;
mod rows;
mod server;

mod cuts;
mod disk;
mod full;
mod kills;
mod long;
mod pauses;
mod postgres;
mod starts;
mod stops;
mod strace;
mod upgrades;
