//! From plain HTTP to the same place on HTTPS.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::header::{CONNECTION, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Response, StatusCode, Uri};

use super::acme_challenge::Challenges;
use super::reply::guarded;

/// RFC 8555, section 8.3.
const ACME_PATH: &str = "/.well-known/acme-challenge/";

/// Answers everything with 308 (RFC 9110, section 15.4.9: the method and the body stay) to `base_url`, which begins with
/// `https://`. What the client takes the server's name to be has no influence. Only a certificate authority that asks
/// for one of the `challenges` is answered here.
pub fn redirect(base_url: &str, challenges: Option<Challenges>) -> Router {
    let base_url: Arc<str> = base_url.into();
    Router::new().fallback(async move |uri: Uri| {
        let token = uri.path().strip_prefix(ACME_PATH);
        let mut response = match challenges.clone().zip(token) {
            Some((challenges, token)) => shown(challenges, token.to_owned()).await,
            None => redirected(&base_url, &uri),
        };
        // The client goes elsewhere, and should leave its place to the next one.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        guarded(response, "")
    })
}

fn redirected(base_url: &str, uri: &Uri) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    if let Ok(location) = HeaderValue::from_str(&target(base_url, uri)) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// What the authority asks for, or 404.
async fn shown(challenges: Challenges, token: String) -> Response<Body> {
    // A file is read, perhaps from a disk that many machines share.
    let text = tokio::task::spawn_blocking(move || challenges.answer(&token)).await.ok().flatten();
    let status = if text.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let mut response = Response::new(text.map_or_else(Body::empty, Body::from));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    response
}

/// `OPTIONS *` and `CONNECT` have no path to keep.
fn target(base_url: &str, uri: &Uri) -> String {
    let path = uri.path_and_query().map(|path| path.as_str()).filter(|path| path.starts_with('/'));
    format!("{base_url}{}", path.unwrap_or("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_stays_and_the_host_comes_from_the_configuration() {
        let to = |uri: &str| target("https://a.example", &uri.parse().expect("a target"));
        assert_eq!(to("/users?a=b"), "https://a.example/users?a=b");
        assert_eq!(to("http://evil.example/users"), "https://a.example/users");
        assert_eq!(to("//evil.example/users"), "https://a.example//evil.example/users");
        for pathless in ["*", "evil.example:443"] {
            assert_eq!(to(pathless), "https://a.example/");
        }
    }
}
