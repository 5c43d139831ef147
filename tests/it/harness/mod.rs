//! What the tests stand on: fresh databases of both kinds, and folders that go away.

pub(crate) mod database;
pub(crate) mod folder;
pub(crate) mod postgres;
