//! Whom a request means to ask: `Host` (RFC 9110, section 7.2) and `:authority` (RFC 9113, section 8.3.1).
//!
//! hyper lets through a request that names nobody, or several. No answer depends on that name, but a proxy in front may
//! go by one of two and a page's origin be held against the other, so what is unclear is refused.

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Request, Uri, Version};

/// Whether a request says as often as it must, and no more, whom it asks (RFC 9112, section 3.2).
pub(super) fn is_clear<B>(request: &Request<B>) -> bool {
    let mut named = hosts(request.headers());
    match (named.next(), named.next()) {
        (None, _) => request.version() != Version::HTTP_11,
        (Some(host), None) => {
            is_host(host) && (request.version() != Version::HTTP_2 || agrees(host, request.uri()))
        }
        (Some(_), Some(_)) => false,
    }
}

fn hosts(headers: &HeaderMap) -> impl Iterator<Item = &HeaderValue> {
    headers.get_all(HOST).iter()
}

/// A name or an address, perhaps with a port. Nothing at all stands for a target that has no authority.
fn is_host(value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else { return false };
    if text.is_empty() || text.contains('@') {
        return text.is_empty();
    }
    text.parse::<Authority>().is_ok_and(|authority| {
        let behind = &text[authority.host().len()..];
        behind.is_empty() || behind == ":" || authority.port_u16().is_some()
    })
}

/// HTTP/2 has a place of its own for the name, and whatever else names somebody must name the same.
fn agrees(host: &HeaderValue, uri: &Uri) -> bool {
    // On HTTP/2 there is always TLS here.
    let plain = |text: &str| text.strip_suffix(":443").unwrap_or(text).to_ascii_lowercase();
    let Some(authority) = uri.authority() else { return true };
    host.to_str().is_ok_and(|host| plain(host) == plain(authority.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clear(version: Version, uri: &str, hosts: &[&str]) -> bool {
        let mut request = Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        is_clear(&request.body(()).expect("a request"))
    }

    #[test]
    fn one_host_is_named_and_no_more() {
        for host in ["a.example", "a.example:8080", "[2001:db8::1]:80", "192.0.2.1", "under_score", ""] {
            assert!(clear(Version::HTTP_11, "/users", &[host]), "{host}");
        }
        for hosts in [&[][..], &["a", "a"], &["a", "b"], &["a b"], &["a/b"], &["u@a"], &["a:b"], &["[::1"]] {
            assert!(!clear(Version::HTTP_11, "/users", hosts), "{hosts:?}");
        }
        assert!(clear(Version::HTTP_10, "/users", &[]) && !clear(Version::HTTP_10, "/users", &["a", "b"]));
    }

    #[test]
    fn of_two_ways_to_name_it_http_2_has_one() {
        let of = |hosts: &[&str]| clear(Version::HTTP_2, "https://a.example/users", hosts);
        assert!(of(&[]) && of(&["A.example"]) && of(&["a.example:443"]));
        assert!(!of(&["b.example"]) && !of(&["a.example:80"]) && !of(&["a.example", "a.example"]));
        // RFC 9112, section 3.2.2: here the target counts, and the header is not looked at.
        assert!(clear(Version::HTTP_11, "http://a.example/users", &["b.example"]));
    }
}
