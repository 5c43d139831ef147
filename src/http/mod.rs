//! The door: sockets become requests here, and replies become bytes. Our own accept loop over hyper, because a
//! server that strangers talk to needs a limit on everything a stranger can hold: connections, heads, bodies,
//! idle time, unread replies, and the length of a shutdown.
//!
//! In reading order: [`serve`] accepts and counts connections (and turns the surplus away), `connection` runs one
//! of them, `stream` watches its bytes with `framing`, `pace` times the request heads and `body` the bodies.

mod listener;
mod refusal;

mod connection;
mod stream;

mod body;
mod framing;
mod limits;
mod pace;

pub use body::{BodyError, RequestBody, collect};
pub use connection::Peer;
pub use limits::Limits;
pub use listener::{Drained, serve};
