//! Requests that a web page of somebody else has a browser make.
//!
//! A browser sends some POSTs to any server for any page without asking first: forms, text, and bodies without a type.
//! It says whose page it was, though, in `Sec-Fetch-Site` (Fetch Metadata) and `Origin` (RFC 6454), which pages cannot
//! change. Programs that are no browsers send neither, and are let through. Pages whose origin is listed may ask, and may
//! read the answer (Fetch Standard, "CORS protocol"); credentials are never part of it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CONNECTION, HOST, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri};

use super::body::drained;
use super::caller::Caller;
use super::handler::{Server, circumstances};
use super::line::Line;
use super::reply::{guarded, problem};
use super::routes::by_media;
use crate::metrics::CROSS_SITE;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses what foreign pages ask of contracts, and lets the listed ones ask.
pub(super) async fn guard(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response<Body> {
    let listed = server.app.origins.as_slice();
    let origin =
        request.headers().get(ORIGIN).filter(|origin| listed.iter().any(|page| page == *origin)).cloned();
    let mut response = match (request.method(), &origin) {
        (&Method::OPTIONS, Some(_)) if is_preflight(&server, &request) => {
            permitted(request.headers(), is_challenge(&server, &request))
        }
        (&Method::POST, None) if is_foreign(&request, &server.app.base_url) => {
            match refuse(&server, request).await {
                Ok(refusal) => refusal,
                Err(request) => next.run(request).await,
            }
        }
        _ => next.run(request).await,
    };
    if !listed.is_empty() {
        // Caches must not hand one page's permission to another.
        response.headers_mut().append(VARY, HeaderValue::from_static("origin"));
    }
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let readable = HeaderValue::from_static("location, retry-after, x-request-id");
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, readable);
    }
    response
}

fn is_preflight(server: &Server, request: &Request) -> bool {
    request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        && (is_challenge(server, request)
            || !server.routes.at(request.uri().path(), request.uri().query()).is_empty())
}

fn is_challenge(server: &Server, request: &Request) -> bool {
    server.routes.challenge(request.uri().path(), request.uri().query()).is_some()
}

/// The answer to a preflight of a listed page: it may POST, or ask for challenges, with the headers that it asks for.
fn permitted(request: &HeaderMap, challenge: bool) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static(if challenge { "GET,POST" } else { "POST" }),
    );
    if let Some(wanted) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    // Seconds; an origin that is taken off the list is soon without it.
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    headers.append(VARY, HeaderValue::from_static("access-control-request-headers"));
    guarded(response, "")
}

/// Whether a page of another origin had this request made.
fn is_foreign(request: &Request, base_url: &str) -> bool {
    let headers = request.headers();
    match headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes) {
        Some(b"same-origin" | b"none") => return false,
        Some(b"cross-site") => return true,
        // An older browser, a neighbour's page, or no browser: the origin tells.
        _ => {}
    }
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let Some((scheme, authority)) = origin.to_str().ok().and_then(|text| text.split_once("://")) else {
        return true;
    };
    let ours = base_url
        .split_once("://")
        .map(|(scheme, rest)| (scheme, rest.split_once('/').map_or(rest, |(authority, _)| authority)));
    let is = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    !ours.is_some_and(|ours| is(scheme, ours.0) && is(authority, ours.1))
        && !host(headers, request.uri()).is_some_and(|host| is(authority, host))
}

/// The server as the browser knows it.
fn host<'r>(headers: &'r HeaderMap, uri: &'r Uri) -> Option<&'r str> {
    uri.authority().map(|authority| authority.as_str()).or_else(|| headers.get(HOST)?.to_str().ok())
}

/// The refusal, which no contract has words for; or the request again, when no contract would answer it.
async fn refuse(server: &Server, request: Request) -> Result<Response<Body>, Request> {
    let app = &server.app;
    let here = server.routes.at(request.uri().path(), request.uri().query());
    let Some(mounted) = by_media(&here, request.headers()).cloned() else { return Err(request) };
    let (parts, body) = request.into_parts();
    let circumstances = circumstances(app, &parts);
    let caller = parts.extensions.get::<Caller>().copied().unwrap_or_default();
    let line = Line::new(app, &circumstances, caller, Some(&mounted));
    line.ends(CROSS_SITE, 403);
    let mut response =
        problem(StatusCode::FORBIDDEN, "Web pages of other sites may not sign anybody up here.");
    if !drained(&parts, body, app.body_limit).await {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    line.answered();
    Ok(guarded(response, &circumstances.request_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(headers: &[(&str, &str)]) -> bool {
        let mut request = http::Request::post("/users").header(HOST, "a.example:8443");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        is_foreign(&request.body(Body::empty()).expect("a request"), "https://www.a.example/accounts")
    }

    #[test]
    fn a_page_is_known_by_what_the_browser_says() {
        for ours in [
            &[][..],
            &[("origin", "https://www.a.example")],
            &[("origin", "https://A.example:8443")],
            &[("origin", "https://b.example"), ("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "same-site")],
        ] {
            assert!(!foreign(ours), "{ours:?}");
        }
        for theirs in [
            &[("origin", "https://b.example")][..],
            &[("origin", "http://www.a.example")],
            &[("origin", "https://www.a.example.b.example")],
            &[("origin", "https://a.example")],
            &[("origin", "null")],
            &[("origin", "https://b.a.example"), ("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site")],
            &[("origin", "https://www.a.example"), ("sec-fetch-site", "cross-site")],
        ] {
            assert!(foreign(theirs), "{theirs:?}");
        }
    }
}
