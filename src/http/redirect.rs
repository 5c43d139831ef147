//! From plain HTTP to the same place on HTTPS.

use axum::Router;
use axum::body::Body;
use http::header::{CONNECTION, LOCATION};
use http::{HeaderValue, Response, StatusCode, Uri};

use super::reply::guarded;

/// Answers everything with 308 (RFC 9110, section 15.4.9: the method and the body stay) to `base_url`, which begins with
/// `https://`. What the client takes the server's name to be has no influence.
pub fn redirect(base_url: &str) -> Router {
    let base_url: std::sync::Arc<str> = base_url.into();
    Router::new().fallback(async move |uri: Uri| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        if let Ok(location) = HeaderValue::from_str(&target(&base_url, &uri)) {
            response.headers_mut().insert(LOCATION, location);
        }
        // The client goes elsewhere, and should leave its place to the next one.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        guarded(response, "")
    })
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
