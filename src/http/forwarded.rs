//! What proxies say about the path of a request, read from the last proxy back to the client: `Forwarded` (RFC 7239)
//! and `X-Forwarded-For`.
//!
//! Each proxy adds to the right, so what stands on the left may be a client's invention. Reading from the right means
//! that nothing on the left, an open quote for example, can change how the right is understood.

use std::net::{IpAddr, SocketAddr};

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};

use crate::config::ProxyHeader;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How one entry of a list is read.
type Read = fn(&[u8]) -> Option<IpAddr>;

/// The addresses of all hops, the nearest first. `None` stands for a hop that hides its address or cannot be
/// understood; nothing behind it means anything.
pub(super) fn hops(headers: &HeaderMap, header: ProxyHeader) -> impl Iterator<Item = Option<IpAddr>> {
    let (name, read) = match header {
        ProxyHeader::XForwardedFor => (X_FORWARDED_FOR, node as Read),
        ProxyHeader::Forwarded => (FORWARDED, element as Read),
    };
    // Several headers of one name are one list (RFC 9110, section 5.3).
    let lines: Vec<&[u8]> = headers.get_all(name).iter().map(|value| value.as_bytes()).collect();
    lines.into_iter().rev().flat_map(|line| from_right(line, b',')).map(read)
}

/// The parts of a list from its right end on. A separator between quotes is none.
fn from_right(line: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let mut quoted = false;
        let cut = line.iter().rposition(|&byte| {
            quoted ^= byte == b'"';
            byte == separator && !quoted
        });
        rest = cut.map(|at| &line[..at]);
        Some(line[cut.map_or(0, |at| at + 1)..].trim_ascii())
    })
}

/// One element of `Forwarded`: `for=192.0.2.60;proto=http`. Its `for` must stand there once.
fn element(part: &[u8]) -> Option<IpAddr> {
    let mut found = None;
    for pair in from_right(part, b';') {
        let at = pair.iter().position(|&byte| byte == b'=')?;
        let (name, value) = (&pair[..at], &pair[at + 1..]);
        if name.eq_ignore_ascii_case(b"for") && found.replace(value).is_some() {
            return None;
        }
    }
    node(unquoted(found?)?)
}

/// A token as it is, a quoted string without its quotes. An address needs no escapes, so none is understood.
fn unquoted(value: &[u8]) -> Option<&[u8]> {
    let inner = match value.strip_prefix(b"\"") {
        Some(rest) => rest.strip_suffix(b"\"")?,
        None => value,
    };
    (!inner.iter().any(|byte| b"\"\\".contains(byte))).then_some(inner)
}

/// An address, also with a port: `192.0.2.1:4711`, `[2001:db8::1]:4711`, `[2001:db8::1]`.
fn node(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare =
        text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).filter(|inner| inner.contains(':'));
    let address = match bare.unwrap_or(text).parse::<IpAddr>() {
        Ok(address) => address,
        Err(_) => text.parse::<SocketAddr>().ok()?.ip(),
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn read(header: ProxyHeader, lines: &[&str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        let name = if header == ProxyHeader::Forwarded { FORWARDED } else { X_FORWARDED_FOR };
        for line in lines {
            headers.append(&name, HeaderValue::from_bytes(line.as_bytes()).expect("a value"));
        }
        hops(&headers, header).map(|hop| hop.map_or("?".to_owned(), |ip| ip.to_string())).collect()
    }

    #[test]
    fn x_forwarded_for_is_a_list_of_addresses() {
        let read = |lines: &[&str]| read(ProxyHeader::XForwardedFor, lines);
        assert_eq!(read(&[]), [""; 0]);
        assert_eq!(read(&["192.0.2.1, 2001:db8::1 ,\t192.0.2.3"]), ["192.0.2.3", "2001:db8::1", "192.0.2.1"]);
        assert_eq!(read(&["192.0.2.1", "192.0.2.2"]), ["192.0.2.2", "192.0.2.1"]);
        assert_eq!(read(&["192.0.2.1:80, [2001:db8::1]:80, [::1]"]), ["::1", "2001:db8::1", "192.0.2.1"]);
        assert_eq!(read(&["::ffff:192.0.2.1"]), ["192.0.2.1"]);
        assert_eq!(read(&["", "unknown,,192.0.2.1 192.0.2.2, [192.0.2.1], 1.2.3.4:x"]), ["?"; 6]);
    }

    /// The examples of RFC 7239, section 4, among them.
    #[test]
    fn forwarded_is_a_list_of_pairs() {
        let read = |lines: &[&str]| read(ProxyHeader::Forwarded, lines);
        assert_eq!(read(&["For=\"[2001:db8:cafe::17]:4711\""]), ["2001:db8:cafe::17"]);
        assert_eq!(read(&["for=192.0.2.60;proto=http;by=203.0.113.43"]), ["192.0.2.60"]);
        assert_eq!(read(&["for=192.0.2.43, for=198.51.100.17"]), ["198.51.100.17", "192.0.2.43"]);
        assert_eq!(read(&["proto=http;host=\"a;b,c\";FOR=192.0.2.1"]), ["192.0.2.1"]);
        for hidden in ["for=unknown", "for=_gazonk", "for=\"_gazonk\"", "proto=http", "for", ""] {
            assert_eq!(read(&[hidden]), ["?"], "{hidden}");
        }
        for broken in ["for=1.2.3.4;for=1.2.3.5", "for=\"1.2.3.4", "for=\"1.2.3\\.4\"", "for=1.2.3.4;"] {
            assert_eq!(read(&[broken]), ["?"], "{broken}");
        }
    }

    #[test]
    fn an_open_quote_on_the_left_does_not_swallow_the_right() {
        let line = "for=\"10.0.0.1, for=192.0.2.1;proto=https, for=192.0.2.2";
        assert_eq!(read(ProxyHeader::Forwarded, &[line])[..2], ["192.0.2.2", "192.0.2.1"]);
    }

    proptest! {
        /// Whatever a client wrote, what the proxies added is read first and as they wrote it.
        #[test]
        fn nothing_on_the_left_changes_what_is_on_the_right(
            junk in "[ -~]{0,40}|(for=|\"|,|;|\\\\|[0-9.:]){0,20}", near: [u8; 4], far: [u8; 16], forwarded: bool,
        ) {
            let (near, far) = (IpAddr::from(near), IpAddr::from(far).to_canonical());
            let (header, line) = match forwarded {
                true => (ProxyHeader::Forwarded, format!("{junk}, for=\"[{far}]:1\", for={near};proto=https")),
                false => (ProxyHeader::XForwardedFor, format!("{junk}, {far}, {near}")),
            };
            let far = if far.is_ipv4() && forwarded { "?".to_owned() } else { far.to_string() };
            let read = read(header, &[&line]);
            prop_assert_eq!(&read[..2], &[near.to_string(), far][..]);
        }
    }
}
