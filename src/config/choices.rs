//! The settings whose values have names.

/// Which implementation of Argon2id hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Chooses the widest instructions that the processor has.
    Fast,
    /// Plain Rust, for processors the fast one does not know.
    Portable,
}

/// The one request header in which trusted proxies name their client; the other one is never read, because a proxy
/// that does not write it passes on whatever its client wrote there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`: a custom of most proxies.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Human when standard error is a terminal, JSON otherwise.
    Auto,
    /// Made for eyes.
    Human,
    /// One JSON object per line.
    Json,
}
