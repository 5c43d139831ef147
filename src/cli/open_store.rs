//! The store that a configuration names, for the commands that look into it.

use super::Failure;
use crate::config::Loaded;
use crate::store::{DatabaseUrl, Opening, Store};

/// It is not made when it is not there, and its tables are left as they are.
pub(super) async fn open_store(loaded: &Loaded) -> anyhow::Result<Store> {
    let url = DatabaseUrl::parse(loaded.config.database.expose()).map_err(Failure::refused)?;
    Store::open(&url, Opening::Inspect).await.map_err(Failure::unavailable)
}
