//! How a listener treats those who connect.

use super::caller::Proxies;
use super::limits::Limits;
use super::tls::Tls;

/// What a listener expects of a connection, and what it allows it.
#[derive(Clone, Debug)]
pub struct Entrance {
    /// What one client may hold.
    pub limits: Limits,
    /// Who is believed about other people's addresses.
    pub proxies: Proxies,
    /// Whether each connection begins with a PROXY protocol header, version 2, from one of `proxies`; one without it
    /// is closed.
    pub proxy_protocol: bool,
    /// What TLS is spoken with; `None` speaks plain HTTP/1.1.
    pub tls: Option<Tls>,
}

impl From<Limits> for Entrance {
    /// Plain HTTP, without anybody in between.
    fn from(limits: Limits) -> Entrance {
        Entrance { limits, proxies: Proxies::none(), proxy_protocol: false, tls: None }
    }
}
