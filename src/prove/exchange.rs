//! The old backend: one URL, plain HTTP/1.1, a connection per request, never faster than asked, no redirects.

use super::request::Outgoing;
use crate::clock::Clock;
use bytes::Bytes;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use std::fmt;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

/// The longest answer that is read.
const MOST_BYTES: usize = 1024 * 1024;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer, from wherever it came.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; `None` when a recording left it out.
    pub body: Option<Bytes>,
    /// When it was answered: times in it are held against this one.
    pub at: Timestamp,
}

/// Where the old backend is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: u16,
    /// What stands before the contract's path.
    prefix: String,
}

/// Why a URL is not one to talk to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not `http://HOST[:PORT][/PATH]`.
    #[error("{0:?} is not a URL; write http://HOST:PORT, or the whole URL of the endpoint")]
    NotAUrl(String),
    /// `https://`.
    #[error(
        "{0:?}: https is not spoken here; run this beside the old backend, or put a local forwarder before it that \
         speaks TLS (`socat TCP-LISTEN:3000,bind=127.0.0.1,fork OPENSSL:HOST:443`)"
    )]
    Https(String),
    /// A password in the URL would end up in reports.
    #[error(
        "a user or password in the URL would be shown in reports; use --header 'Authorization: ..' instead"
    )]
    Credentials,
    /// Only the contract knows the query.
    #[error("{0:?} has a query string; the contract's path says what is asked for")]
    Query(String),
}

impl Target {
    /// Reads a URL: the old backend's origin, with the prefix under which the API is mounted if there is one, or the
    /// whole URL of the endpoint.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn parse(url: &str, path: &str) -> Result<Target, TargetError> {
        let shown = || url.to_owned();
        let uri: Uri = url.parse().map_err(|_| TargetError::NotAUrl(shown()))?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| TargetError::NotAUrl(shown()))?;
        if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err(TargetError::Credentials);
        }
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(TargetError::Https(shown())),
            _ => return Err(TargetError::NotAUrl(shown())),
        }
        let given = uri.path();
        let prefix = given.strip_suffix(path).unwrap_or(given).trim_end_matches('/');
        if uri.query().is_some() && given.strip_suffix(path).is_none() {
            return Err(TargetError::Query(shown()));
        }
        Ok(Target { host: host.to_owned(), port: uri.port_u16().unwrap_or(80), prefix: prefix.to_owned() })
    }

    /// What stands before the contract's path: empty, or `/api`.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        format!("http://{}", self.authority())
    }

    fn authority(&self) -> String {
        if self.port == 80 { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.prefix)
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// Nobody listens.
    #[error("cannot connect: {0}")]
    Unreachable(io::Error),
    /// The connection was there, the answer was not.
    #[error("{0}")]
    Broken(String),
}

/// The old backend, and how fast it may be asked.
pub(super) struct Backend {
    target: Target,
    headers: Vec<(HeaderName, HeaderValue)>,
    pace: Interval,
}

impl Backend {
    pub(super) fn new(target: Target, per_second: f64, headers: Vec<(HeaderName, HeaderValue)>) -> Backend {
        let mut pace = interval(Duration::from_secs_f64(1.0 / per_second));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Backend { target, headers, pace }
    }

    /// Sends one request when its time has come.
    pub(super) async fn ask(&mut self, request: &Outgoing, clock: &Clock) -> Result<Answer, NoAnswer> {
        self.pace.tick().await;
        let too_long = |_| NoAnswer::Broken(format!("nothing came within {} s", PATIENCE.as_secs()));
        timeout(PATIENCE, self.exchange(request, clock.now())).await.map_err(too_long)?
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    async fn exchange(&self, request: &Outgoing, now: Timestamp) -> Result<Answer, NoAnswer> {
        let bare = self.target.host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((bare, self.target.port)).await.map_err(NoAnswer::Unreachable)?;
        let broken = |error: &dyn std::error::Error| NoAnswer::Broken(chain(error));
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(self.request(request)?).await.map_err(|error| broken(&error))?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, MOST_BYTES).collect().await.map_err(|error| broken(&*error))?;
        connection.abort();
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: Some(body.to_bytes()),
            at: now,
        })
    }

    fn request(&self, request: &Outgoing) -> Result<Request<Full<Bytes>>, NoAnswer> {
        let path = format!("{}{}", self.target.prefix, request.path);
        let mut out = Request::builder().method(&request.method).uri(path);
        if let Some(headers) = out.headers_mut() {
            headers.insert(USER_AGENT, HeaderValue::from_static("vestibule-prove"));
            *headers = with(headers.clone(), &request.headers, &self.headers);
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
            if let Ok(host) = HeaderValue::from_str(&self.target.authority()) {
                headers.entry(HOST).or_insert(host);
            }
        }
        out.body(Full::new(request.body.clone())).map_err(|error| NoAnswer::Broken(error.to_string()))
    }
}

/// The request's headers and, over them, those that the caller gave for every request.
pub(super) fn with(
    mut headers: HeaderMap,
    request: &HeaderMap,
    given: &[(HeaderName, HeaderValue)],
) -> HeaderMap {
    headers.extend(request.clone());
    for (name, value) in given {
        headers.insert(name.clone(), value.clone());
    }
    headers
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_an_origin_a_prefix_or_the_endpoint_itself() {
        let parsed = |url: &str| Target::parse(url, "/users").map(|t| t.to_string());
        assert_eq!(parsed("http://localhost:3000"), Ok("http://localhost:3000".to_owned()));
        assert_eq!(parsed("http://localhost:3000/"), Ok("http://localhost:3000".to_owned()));
        assert_eq!(parsed("http://old.test/api/v1/"), Ok("http://old.test/api/v1".to_owned()));
        assert_eq!(parsed("http://[::1]:3000/api/users"), Ok("http://[::1]:3000/api".to_owned()));
        assert!(matches!(parsed("https://old.test"), Err(TargetError::Https(_))));
        assert!(matches!(parsed("http://a:b@old.test"), Err(TargetError::Credentials)));
        assert!(matches!(parsed("http://old.test/?a=b"), Err(TargetError::Query(_))));
        for bad in ["", "old.test", "ftp://old.test", "/users", "http://"] {
            assert!(matches!(parsed(bad), Err(TargetError::NotAUrl(_))), "{bad}");
        }
    }
}
