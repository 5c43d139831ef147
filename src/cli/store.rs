//! The store that a configuration names, for the commands that look into it.

use super::Failure;
use super::runtime::runtime;
use crate::config::Loaded;
use crate::store::{DatabaseUrl, Opening, Store};

pub(super) fn database_url(loaded: &Loaded) -> anyhow::Result<DatabaseUrl> {
    DatabaseUrl::parse(loaded.config.database.expose()).map_err(Failure::refused)
}

/// Opens the store, does `work` with it and closes it. It is not made when it is not there, and its tables are left
/// as they are.
pub(super) fn with_store<T>(
    loaded: &Loaded,
    work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let url = database_url(loaded)?;
    runtime()?.block_on(async {
        let store = Store::open(&url, Opening::Inspect).await.map_err(Failure::unavailable)?;
        let done = work(&store).await?;
        store.close().await;
        Ok(done)
    })
}
