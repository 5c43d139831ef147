//! What one client may hold, and for how long.

use std::time::Duration;

/// The limits of a listener. Every one is always in force; none can be switched off.
///
/// ```text
/// accept ──head──▶ request ──body──▶ handler ──reply──▶ idle ──head──▶ ...
///        header_timeout    body_timeout        write_timeout  idle_timeout, then header_timeout
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many connections are served at once, and on HTTP/2 requests beyond the first of a connection; a network has at most as
    /// many as a sixteenth of what is free. Those above it are answered 503, and connections closed.
    pub connections: usize,
    /// From the accept (first request) or from the first byte (later requests) to the end of a request's head. It
    /// is a total: a client that sends a byte now and then gains nothing. Overrun: the connection is closed.
    pub header_timeout: Duration,
    /// From the end of the head to the end of the body, again a total. Overrun: [`BodyError::TimedOut`], and the
    /// connection closes after the reply.
    ///
    /// [`BodyError::TimedOut`]: super::BodyError::TimedOut
    pub body_timeout: Duration,
    /// From the end of a reply to the first byte of the next request. Overrun: the connection is closed.
    pub idle_timeout: Duration,
    /// How long a client may leave a reply unread without taking a single byte. Overrun: the connection is closed.
    pub write_timeout: Duration,
}
