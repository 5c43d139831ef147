//! The PROXY protocol, version 2: a proxy that does not speak HTTP says in front of the first byte whose connection it
//! passes on (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>, section 2.2).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, version and command, family and protocol, length.
const FIXED: usize = 16;
/// The longest rest that is read: addresses and a few remarks, of which TLS certificates' names are the longest.
const REST: usize = 2048;

/// Why a connection has no usable header.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// It begins with something else.
    #[error("the connection does not begin with a PROXY protocol header of version 2")]
    Missing,
    /// What follows the signature cannot be understood.
    #[error("the PROXY protocol header is malformed")]
    Malformed,
    /// It ended or broke before the header did.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads the header and not a byte more. `None` when it names nobody: the proxy speaks for itself (a health check), or
/// for somebody without an IP address.
///
/// # Errors
/// Every [`HeaderError`]; what was read is lost.
pub async fn read<T: AsyncRead + Unpin>(io: &mut T) -> Result<Option<SocketAddr>, HeaderError> {
    let mut fixed = [0; FIXED];
    io.read_exact(&mut fixed).await?;
    let [.., command, family, high, low] = fixed;
    if !fixed.starts_with(SIGNATURE) || command >> 4 != 2 {
        return Err(HeaderError::Missing);
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > REST {
        return Err(HeaderError::Malformed);
    }
    let mut rest = vec![0; length];
    io.read_exact(&mut rest).await?;
    match command & 0xf {
        0 => Ok(None),
        1 => source(family, &rest),
        _ => Err(HeaderError::Malformed),
    }
}

/// The source among the addresses: source, destination, source port, destination port.
fn source(family: u8, rest: &[u8]) -> Result<Option<SocketAddr>, HeaderError> {
    let port = |at: usize| Some(u16::from_be_bytes(*rest.get(at..)?.first_chunk()?));
    let read = match family {
        0x11 => rest
            .first_chunk::<4>()
            .zip(port(8))
            .filter(|_| rest.len() >= 12)
            .map(|(bytes, port)| SocketAddr::new(IpAddr::V4(Ipv4Addr::from(*bytes)), port)),
        0x21 => rest
            .first_chunk::<16>()
            .zip(port(32))
            .filter(|_| rest.len() >= 36)
            .map(|(bytes, port)| SocketAddr::new(IpAddr::V6(Ipv6Addr::from(*bytes)), port)),
        // Unspecified, or a Unix socket.
        0x00 | 0x31 => return Ok(None),
        _ => None,
    };
    read.map(Some).ok_or(HeaderError::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).expect("short");
        [&SIGNATURE[..], &[command, family], &length.to_be_bytes(), rest].concat()
    }

    fn read_all(bytes: &[u8]) -> (Result<Option<SocketAddr>, HeaderError>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut left = bytes;
        let read = runtime.block_on(read(&mut left));
        (read, left.len())
    }

    const V4: [u8; 12] = [192, 0, 2, 1, 10, 0, 0, 1, 0x12, 0x34, 0, 80];

    #[test]
    fn the_source_is_read_and_nothing_behind_the_header() {
        let (read, left) = read_all(&[header(0x21, 0x11, &V4), b"GET".to_vec()].concat());
        assert_eq!((read.expect("good"), left), (Some("192.0.2.1:4660".parse().expect("one")), 3));
        let v6 = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[7], &[0; 16], &[0, 9, 0, 0]].concat();
        let remarked = [&v6[..], b"\x04\x00\x01x"].concat();
        assert_eq!(read_all(&header(0x21, 0x21, &remarked)).0.expect("good"), "[2001:db8::7]:9".parse().ok());
        for nobody in [
            header(0x20, 0x11, &V4),
            header(0x20, 0, &[]),
            header(0x21, 0, &[]),
            header(0x21, 0x31, &[0; 216]),
        ] {
            assert_eq!(read_all(&nobody).0.expect("good"), None);
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let missing = [
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n".to_vec(),
            header(0x11, 0x11, &V4),
        ];
        assert!(missing.iter().all(|bytes| matches!(read_all(bytes).0, Err(HeaderError::Missing))));
        let malformed = [
            header(0x22, 0x11, &V4),
            header(0x21, 0x12, &V4),
            header(0x21, 0x11, &V4[..11]),
            header(0x21, 0x21, &V4),
            header(0x21, 0x11, &[0; REST + 1]),
        ];
        assert!(malformed.iter().all(|bytes| matches!(read_all(bytes).0, Err(HeaderError::Malformed))));
        assert!(matches!(read_all(&header(0x21, 0x11, &V4)[..20]).0, Err(HeaderError::Io(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(command: u8, family: u8, rest in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_all(&header(command, family, &rest));
            let _ = read_all(&rest);
        }
    }
}
