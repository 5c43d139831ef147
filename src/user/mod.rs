//! (user)
