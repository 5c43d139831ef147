//! The replies that hyper writes by itself (400, 414, 431), when what came was no request that anybody could answer. They
//! get the headers that every answer has.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

const PLAIN: &str =
    "cache-control: no-store\r\nx-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\n";
const TLS: &str = "strict-transport-security: max-age=31536000\r\n";

/// Such a reply with its further headers, on its way out in place of the bare one.
#[derive(Debug)]
pub(super) struct Dressed {
    bytes: Vec<u8>,
    written: usize,
    /// The length of the bare one, which is what its writer wants to hear.
    stands_for: usize,
}

impl Dressed {
    /// `None` when `bytes` are anything else than one whole reply of hyper's own: nothing but these headers and no body,
    /// which no handler answers.
    pub(super) fn of(bytes: &[u8], tls: bool) -> Option<Dressed> {
        const LONGEST: usize = 256;
        if bytes.len() > LONGEST || !bytes.starts_with(b"HTTP/1.1 4") {
            return None;
        }
        let lines = std::str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
        let (status, headers) = lines.split_once("\r\n")?;
        let names = ["connection: close", "content-length: 0", "date: "];
        let bare = headers.split("\r\n").all(|line| names.iter().any(|name| line.starts_with(name)));
        let hsts = if tls { TLS } else { "" };
        bare.then(|| Dressed {
            bytes: format!("{status}\r\n{PLAIN}{hsts}{headers}\r\n\r\n").into_bytes(),
            written: 0,
            stands_for: bytes.len(),
        })
    }

    /// Writes it; ready when all of it is written.
    pub(super) fn poll_write<T: AsyncWrite + Unpin>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        while self.written < self.bytes.len() {
            match ready!(Pin::new(&mut *io).poll_write(cx, &self.bytes[self.written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => self.written += more,
            }
        }
        Poll::Ready(Ok(self.stands_for))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_reply_without_further_headers_is_taken_for_hypers_own() {
        let bare = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\ndate: x\r\n\r\n";
        let dressed = Dressed::of(bare.as_bytes(), true).expect("it is one");
        let text = String::from_utf8(dressed.bytes).expect("UTF-8");
        for header in ["nosniff", "no-store", "no-referrer", "max-age", "content-length: 0", "431 Request"] {
            assert!(text.contains(header) && text.ends_with("date: x\r\n\r\n"), "{text}");
        }
        for other in [
            bare.replace("date: x", "etag: x"),
            bare.replace("431 Request", "200 Request").replace("1.1 4", "1.1 2"),
            format!("{bare}x"),
            format!("{bare}{bare}"),
            bare.replace("HTTP", "{HTTP"),
            bare[..40].to_owned(),
        ] {
            assert!(Dressed::of(other.as_bytes(), true).is_none(), "{other}");
        }
    }
}
