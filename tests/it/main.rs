//! The integration tests: one binary, everything through the outside.

mod limits;
