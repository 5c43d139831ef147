//! (user)
mod stored;

pub use stored::{Key, User};
