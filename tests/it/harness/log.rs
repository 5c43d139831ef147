//! What the library logs, for tests that run it on one thread.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tracing::subscriber::DefaultGuard;

use super::process::GUARD;

/// The log of this thread, as long as it lives.
pub(crate) struct Log {
    written: Written,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Written(Arc<(Mutex<String>, Notify)>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.0.lock().expect("nobody panics").push_str(&String::from_utf8_lossy(bytes));
        self.0.1.notify_one();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(crate) fn of_this_thread() -> Log {
        let written = Written::default();
        let writer = written.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        Log { written, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// How often this was said.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.so_far().matches(text).count()
    }

    pub(crate) fn so_far(&self) -> String {
        self.written.0.0.lock().expect("nobody panics").clone()
    }

    /// Waits until this is said.
    pub(crate) async fn wait_for(&self, text: &str) {
        let said = async {
            while self.count(text) == 0 {
                self.written.0.1.notified().await;
            }
        };
        let said = tokio::time::timeout(GUARD, said).await;
        assert!(said.is_ok(), "no {text:?} in:\n{}", self.so_far());
    }
}
