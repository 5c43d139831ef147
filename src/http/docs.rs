//! The mounted contracts, told to programs and people: `GET /openapi.json`, and `GET /docs`, a page that shows it.
//!
//! The page is three small files of ours, served from the binary. It loads nothing from elsewhere, and its policy
//! would not let it. All links are relative, so that it works wherever the router is mounted.

use super::handler::Server;
use super::other_method::other_method;
use crate::app::App;
use crate::contract::{Endpoint, openapi};
use crate::token::digest;
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use std::sync::{Arc, LazyLock};

/// What the page may do: run its own script, use its own style, and ask this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// The routes: the document, written once when it is first asked for, and the page.
pub(super) fn routes(app: &Arc<App>) -> Router<Arc<Server>> {
    let page = [
        ("/docs", "text/html; charset=utf-8", include_str!("docs/page.html")),
        ("/docs/page.css", "text/css; charset=utf-8", include_str!("docs/page.css")),
        ("/docs/page.js", "text/javascript; charset=utf-8", include_str!("docs/page.js")),
    ];
    let page = page.map(|(path, media, text)| {
        let made: Lazy =
            LazyLock::new(Box::new(move || Asset::new(media, Bytes::from_static(text.as_bytes()))));
        (path, made)
    });
    let app = app.clone();
    let document: Lazy =
        LazyLock::new(Box::new(move || Asset::new("application/json", document(&app).into())));
    let assets = [("/openapi.json", document)].into_iter().chain(page);
    assets.fold(Router::new(), |router, (path, asset)| {
        let asset = Arc::new(asset);
        let answer = move |headers: HeaderMap| {
            let asset = asset.clone();
            async move { asset.answer(&headers) }
        };
        // A contract may be mounted at the same path; it answers to POST.
        router.route(path, get(answer).fallback(other_method))
    })
}

fn document(app: &App) -> String {
    let paths: Vec<String> = app.contracts.iter().map(|mounted| mounted.path()).collect();
    let mounted = app.contracts.iter().zip(&paths);
    let endpoints: Vec<Endpoint<'_>> =
        mounted.map(|(m, path)| Endpoint { name: &m.name, path, contract: &m.contract }).collect();
    openapi(&endpoints, &app.base_url).to_string()
}

/// Made when it is first asked for: most servers are never asked, and every start would wait for it.
type Lazy = LazyLock<Asset, Box<dyn FnOnce() -> Asset + Send>>;

/// Something that never changes while the server runs.
struct Asset {
    body: Bytes,
    headers: [(HeaderName, HeaderValue); 6],
}

impl Asset {
    fn new(media: &'static str, body: Bytes) -> Asset {
        // Another version of the server has other files at the same paths, so every use is asked for again (and
        // answered with 304).
        let digest = digest(&String::from_utf8_lossy(&body));
        let tag =
            HeaderValue::from_str(&format!("\"{}\"", &digest[..32])).expect("hexadecimal digits in quotes");
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static(media)),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (ETAG, tag),
            (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        ];
        Asset { body, headers }
    }

    fn answer(&self, request: &HeaderMap) -> Response<Body> {
        let [_, _, (_, tag), ..] = &self.headers;
        let known = request.get(IF_NONE_MATCH).and_then(|list| list.to_str().ok());
        let fresh = known
            .is_some_and(|list| list.split(',').any(|known| tag == known.trim().trim_start_matches("W/")));
        let mut response = Response::new(if fresh { Body::empty() } else { Body::from(self.body.clone()) });
        if fresh {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        response.headers_mut().extend(self.headers.iter().cloned());
        response
    }
}
