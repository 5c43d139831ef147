//! (password)
