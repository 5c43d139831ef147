//! Any `Forwarded` and `X-Forwarded-For`: nobody is believed who is not listed, and whatever a client wrote, the address
//! that the proxy has added behind it is the one that counts.

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName, HeaderValue};
use std::net::IpAddr;
use vestibule::config::ProxyHeader;
use vestibule::http::Proxies;

pub(crate) fn run(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let (header, name, added) = match choice & 1 {
        0 => (ProxyHeader::Forwarded, FORWARDED, "for=192.0.2.1;proto=https"),
        _ => (ProxyHeader::XForwardedFor, HeaderName::from_static("x-forwarded-for"), "192.0.2.1"),
    };
    let proxies = Proxies::new(&["10.0.0.0/8".parse().expect("a network")], header);
    let (proxy, stranger): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [192, 0, 2, 9].into());
    let mut headers = HeaderMap::new();
    for line in rest.split(|&byte| byte == b'\n') {
        let Ok(value) = HeaderValue::from_bytes(line) else { return };
        headers.append(&name, value);
    }
    assert_eq!(proxies.caller(stranger, &headers).address, Some(stranger));
    assert!(proxies.caller(proxy, &headers).address.is_some());
    // The proxy adds to the last line, or a line of its own.
    let mut own = headers.clone();
    own.append(&name, HeaderValue::from_static(added));
    assert_eq!(proxies.caller(proxy, &own).address, Some([192, 0, 2, 1].into()));
    let last = rest.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
    let joined = [last, b", ", added.as_bytes()].concat();
    headers.append(&name, HeaderValue::from_bytes(&joined).expect("both parts are values"));
    assert_eq!(proxies.caller(proxy, &headers).address, Some([192, 0, 2, 1].into()));
}
