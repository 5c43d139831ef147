//! The listeners beside the main one: for operators, and for those who come without TLS.

use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::http::{self, Drained, Ending, Limits};
use crate::metrics::Connections;

/// How many may ask at once beside the main listener: monitoring and a curious person; and browsers, which are sent away
/// at once.
pub(super) const OPERATORS: usize = 64;
pub(super) const REDIRECTED: usize = 1024;

/// Such a listener. It outlives the main one, so that
/// the end of the server can be watched too.
pub(super) struct Aside {
    listener: TcpListener,
    lent: bool,
}

pub(super) struct Serving {
    stop: CancellationToken,
    task: JoinHandle<Drained>,
}

impl Aside {
    pub(super) fn on((listener, lent): (TcpListener, bool)) -> Aside {
        Aside { listener, lent }
    }

    pub(super) fn serve(self, what: &str, router: Router, limits: Limits, connections: usize) -> Serving {
        if let Ok(bound) = self.listener.local_addr() {
            tracing::info!(%bound, "{what}");
        }
        let stop = CancellationToken::new();
        let limits = Limits { connections, ..limits };
        let ending = Ending { shutdown: stop.clone(), grace: Duration::ZERO, lent: self.lent };
        let serving = async move {
            http::serve_counted(self.listener, router, limits, ending, &Connections::default()).await
        };
        Serving { stop, task: tokio::spawn(serving) }
    }
}

impl Serving {
    pub(super) async fn end(self) {
        self.stop.cancel();
        // A panic in it has been printed, and it holds nothing that must be saved.
        let _ = self.task.await;
    }
}
