//! What is asked of the server from outside, and what its manager is told.

use std::time::Instant;

use anyhow::Context;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Tells systemd, where it has started us (sd_notify(3)).
pub(super) fn tell_manager(state: NotifyState) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd cannot be told how we are");
    }
}

/// Resolves when SIGTERM or SIGINT arrives, to that moment, and cancels `stop`. From the call on neither ends the
/// process by itself, and further ones change nothing.
pub(super) fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<impl Future<Output = Instant>> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!("{name}: finishing what was accepted");
        tell_manager(NotifyState::Stopping);
        stop.cancel();
        Instant::now()
    })
}

/// SIGHUP, which from here on does not end the process.
pub(super) fn hangup() -> anyhow::Result<Signal> {
    signal(SignalKind::hangup()).context("listening for SIGHUP")
}
