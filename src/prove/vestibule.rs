//! Vestibule in this process: the real application on an empty SQLite file in a temporary folder, without a listener.

use super::exchange::{Answer, with};
use super::request::Outgoing;
use crate::app::{App, Mounted};
use crate::clock::Clock;
use crate::contract::Secrets;
use crate::http::router;
use crate::password::{self, Engine, Params, Pool, PoolSettings};
use crate::store::{DatabaseUrl, OpenError, Opening, Store};
use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::BodyExt as _;
use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt as _;

/// The longest request body, as in the default configuration.
const BODY_LIMIT: usize = 64 * 1024;

/// Why Vestibule does not start here.
#[derive(Debug, thiserror::Error)]
pub enum InsideError {
    /// The temporary folder.
    #[error("a temporary folder cannot be made: {0}")]
    Folder(#[source] io::Error),
    /// The database in it.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The hash pool.
    #[error(transparent)]
    Pool(#[from] password::StartError),
}

/// What it is started with.
pub(super) struct Wanted {
    pub(super) mounted: Arc<Mounted>,
    pub(super) secrets: Arc<Secrets>,
    pub(super) base_url: String,
    pub(super) clock: Clock,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

/// One application of its own.
pub(super) struct Inside {
    app: Arc<App>,
    router: axum::Router,
    prefix: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    _folder: Folder,
}

impl Inside {
    pub(super) async fn start(wanted: Wanted) -> Result<Inside, InsideError> {
        let folder = Folder::new().map_err(InsideError::Folder)?;
        let file = folder.0.join("prove.db");
        let url = DatabaseUrl::parse(&format!("sqlite://{}", file.display()))
            .map_err(|error| InsideError::Folder(io::Error::other(format!("{}: {error}", file.display()))))?;
        let passwords = Pool::start(PoolSettings {
            engine: Engine::Fast,
            params: Params::default(),
            workers: 1,
            deadline: Duration::from_secs(60),
        })?;
        let prefix = wanted.mounted.prefix.clone();
        let contracts = vec![wanted.mounted];
        let store = Store::open(&url, Opening::Serve).await?;
        let secret = wanted.clock.random::<32>();
        // Old backends know nothing of proofs of work, so none is asked for.
        let app = Arc::new(App {
            secrets: wanted.secrets,
            base_url: wanted.base_url.into(),
            body_limit: BODY_LIMIT,
            ..App::plain(wanted.clock, passwords, store, contracts, &secret)
        });
        let router =
            router(app.clone()).unwrap_or_else(|_| unreachable!("one contract collides with nothing"));
        Ok(Inside { app, router, prefix, headers: wanted.headers, _folder: folder })
    }

    /// Answers one request.
    pub(super) async fn ask(&self, request: &Outgoing) -> Answer {
        let path = format!("{}{}", self.prefix, request.path);
        let mut out = Request::new(Body::from(request.body.clone()));
        *out.method_mut() = request.method.clone();
        *out.uri_mut() = path.parse().unwrap_or_default();
        *out.headers_mut() = with(HeaderMap::new(), &request.headers, &self.headers);
        let response =
            self.router.clone().oneshot(out).await.unwrap_or_else(|never: Infallible| match never {});
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map(|whole| whole.to_bytes()).ok();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body, at: self.app.clock.now() }
    }

    /// Closes everything; the folder goes when this is dropped.
    pub(super) async fn close(self) {
        self.app.tasks.close();
        self.app.tasks.wait().await;
        self.app.store.clone().close().await;
        self.app.passwords.close();
    }
}

/// A new, empty folder that only its owner can look into, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Folder> {
        let name: String = Clock::system().random::<8>().iter().map(|b| format!("{b:02x}")).collect();
        let path = std::env::temp_dir().join(format!("vestibule-prove-{}-{name}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is a few kilobytes in the temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}
