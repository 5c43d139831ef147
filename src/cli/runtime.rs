//! What runs a command that waits for one thing at a time.

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

pub(super) fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("starting the runtime")
}
