//! Keeps the certificate in use the one that lies on the disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::Signal;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

use crate::app::App;
use crate::http::{CertificateError, Tls};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Reads the certificate again when one of its files changes, when it was `renewed`, and at `hangup`. A pair that is no good is told
/// in the log, and the old one stays in use; files that cannot be read now are looked at again. Never ends.
pub(super) fn keep_fresh(
    tls: Tls,
    app: Arc<App>,
    renewed: Arc<Notify>,
    mut hangup: Signal,
) -> impl Future<Output = ()> {
    let files = tls.files();
    let mut seen = stamps(&files);
    // One that cannot be read now may be the next time, though its stamp stays.
    let mut unread = tls.expiry().is_none();
    tell_expiry(&tls, &app);
    async move {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                _ = look.tick() => false,
                _ = hangup.recv() => true,
                () = renewed.notified() => true,
            };
            let found = stamps(&files);
            let again = !asked && found == seen;
            if again && !unread {
                continue;
            }
            seen = found;
            let read = tls.reload();
            unread = read.as_ref().is_err_and(CertificateError::may_pass);
            match read {
                Ok(()) => tracing::info!("the certificate was read again"),
                // It was told when the files changed.
                Err(error) if again && error.may_pass() => continue,
                Err(error) => tracing::error!(%error, "the new certificate is of no use; the old one stays"),
            }
            tell_expiry(&tls, &app);
            let now = u64::try_from(app.clock.now().as_second()).unwrap_or(0);
            if let Some(warning) = tls.warning(now) {
                tracing::warn!("{warning}");
            }
        }
    }
}

fn tell_expiry(tls: &Tls, app: &App) {
    let expiry = tls.expiry().and_then(|at| i64::try_from(at).ok());
    app.metrics.certificate.expiry.set(expiry.unwrap_or(0));
}

/// What tells two versions of a file apart.
fn stamps(files: &[PathBuf]) -> Vec<Option<(SystemTime, u64)>> {
    let stamp = |file: &Path| {
        let data = file.metadata().ok()?;
        Some((data.modified().ok()?, data.len()))
    };
    files.iter().map(|file| stamp(file)).collect()
}
