//! Where messages begin and end in the bytes of one HTTP/1.1 connection (RFC 9112, section 6).
//!
//! hyper refuses most ambiguous framing by itself, but two kinds it resolves in silence: `Content-Length` beside
//! `Transfer-Encoding` (the former is dropped before a handler can see it) and `Content-Length` given twice with
//! one value. Both are the raw material of request smuggling, so this scanner follows the message boundaries just
//! closely enough to notice them. It is laxer than hyper in everything else: what it lets through, hyper judges.

/// The longest framing header that is understood; a longer one is refused.
const LINE: usize = 96;

/// A request whose head says twice, or in two ways, or in an unknown way, how long its body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ambiguous {
    /// The offset, in the bytes just fed, of the line feed that ends the offending header.
    pub(super) at: usize,
}

/// The scanner's place in the stream.
#[derive(Debug)]
pub(super) enum Framing {
    Head(Head),
    /// Inside a body of known length: the bytes still to come.
    Sized(u64),
    Chunked(Chunked),
}

/// A head of which a part was read.
#[derive(Debug)]
pub(super) struct Head {
    line: [u8; LINE],
    /// How long the line is so far; it may exceed what `line` keeps.
    length: usize,
    request_line_seen: bool,
    content_length: Option<u64>,
    chunked: bool,
}

/// A place inside a chunked body.
#[derive(Debug)]
pub(super) enum Chunked {
    Size {
        size: u64,
        digits_over: bool,
    },
    Data(u64),
    DataEnd,
    /// A line of it: whether there is nothing on it yet, and whether its carriage return was there.
    Trailer {
        empty: bool,
        returned: bool,
    },
}

impl Framing {
    pub(super) fn new() -> Framing {
        Framing::Head(Head::new())
    }

    /// Follows `bytes`, the next ones of the stream, and returns how many heads ended in them.
    ///
    /// # Errors
    /// [`Ambiguous`] at the first header that contradicts an earlier one; nothing after it was looked at, and
    /// nothing may be fed any more.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<usize, Ambiguous> {
        let mut heads = 0;
        let mut at = 0;
        while at < bytes.len() {
            match self {
                Framing::Head(head) => {
                    let next = head.byte(bytes[at]).map_err(|()| Ambiguous { at })?;
                    at += 1;
                    if let Some(next) = next {
                        heads += 1;
                        *self = next;
                    }
                }
                Framing::Sized(left) => {
                    at += skip(left, bytes.len() - at);
                    if *left == 0 {
                        *self = Framing::new();
                    }
                }
                Framing::Chunked(Chunked::Data(left)) => {
                    at += skip(left, bytes.len() - at);
                    if *left == 0 {
                        *self = Framing::Chunked(Chunked::DataEnd);
                    }
                }
                Framing::Chunked(chunked) => {
                    *self = chunked.byte(bytes[at]).map_err(|()| Ambiguous { at })?;
                    at += 1;
                }
            }
        }
        Ok(heads)
    }

    /// Whether a head has begun and not ended.
    pub(super) fn in_head(&self) -> bool {
        matches!(self, Framing::Head(head) if head.request_line_seen || head.length > 0)
    }

    /// Whether the stream stands between two messages.
    pub(super) fn between_messages(&self) -> bool {
        matches!(self, Framing::Head(_)) && !self.in_head()
    }
}

impl Head {
    fn new() -> Head {
        Head { line: [0; LINE], length: 0, request_line_seen: false, content_length: None, chunked: false }
    }

    /// Takes one byte; `Some` when it ended the head.
    fn byte(&mut self, byte: u8) -> Result<Option<Framing>, ()> {
        match byte {
            b'\n' => self.end_of_line(),
            // A carriage return counts only before a line feed; anywhere else hyper refuses it.
            b'\r' => Ok(None),
            _ => {
                if let Some(slot) = self.line.get_mut(self.length) {
                    *slot = byte;
                }
                self.length += 1;
                Ok(None)
            }
        }
    }

    fn end_of_line(&mut self) -> Result<Option<Framing>, ()> {
        let length = std::mem::take(&mut self.length);
        if length == 0 {
            // Empty lines before the request line are skipped (RFC 9112, section 2.2).
            return Ok(self.request_line_seen.then(|| self.body()));
        }
        if std::mem::replace(&mut self.request_line_seen, true) {
            self.header(length)?;
        }
        Ok(None)
    }

    fn header(&mut self, length: usize) -> Result<(), ()> {
        let kept = &self.line[..length.min(LINE)];
        let Some(colon) = kept.iter().position(|&byte| byte == b':') else { return Ok(()) };
        let (name, value) = (&kept[..colon], kept[colon + 1..].trim_ascii());
        let is_length = name.eq_ignore_ascii_case(b"content-length");
        let is_coding = name.eq_ignore_ascii_case(b"transfer-encoding");
        if !is_length && !is_coding {
            return Ok(());
        }
        if length > LINE || self.content_length.is_some() || self.chunked {
            return Err(());
        }
        if is_length {
            self.content_length = Some(decimal(value).ok_or(())?);
        } else if value.eq_ignore_ascii_case(b"chunked") {
            self.chunked = true;
        } else {
            return Err(());
        }
        Ok(())
    }

    /// What follows this head, which has just ended.
    fn body(&self) -> Framing {
        match self.content_length {
            _ if self.chunked => Framing::Chunked(Chunked::start()),
            Some(length) if length > 0 => Framing::Sized(length),
            _ => Framing::new(),
        }
    }
}

impl Chunked {
    fn start() -> Chunked {
        Chunked::Size { size: 0, digits_over: false }
    }

    /// Takes one byte that is not chunk data. A line of the trailer ends with CR LF and with nothing else: hyper reads on behind a
    /// line feed alone.
    fn byte(&self, byte: u8) -> Result<Framing, ()> {
        let next = match *self {
            Chunked::Size { size: 0, .. } if byte == b'\n' => {
                Chunked::Trailer { empty: true, returned: false }
            }
            Chunked::Size { size, .. } if byte == b'\n' => Chunked::Data(size),
            Chunked::Size { size, digits_over } => match (byte as char).to_digit(16) {
                Some(digit) if !digits_over => Chunked::Size {
                    size: size.saturating_mul(16).saturating_add(u64::from(digit)),
                    digits_over,
                },
                _ => Chunked::Size { size, digits_over: true },
            },
            Chunked::Data(left) => Chunked::Data(left),
            Chunked::DataEnd if byte == b'\n' => Chunked::start(),
            Chunked::DataEnd => Chunked::DataEnd,
            Chunked::Trailer { returned, .. } if returned != (byte == b'\n') => return Err(()),
            Chunked::Trailer { empty: true, returned: true } => return Ok(Framing::new()),
            Chunked::Trailer { empty: false, returned: true } => {
                Chunked::Trailer { empty: true, returned: false }
            }
            Chunked::Trailer { empty, .. } => {
                let returned = byte == b'\r';
                Chunked::Trailer { empty: empty && returned, returned }
            }
        };
        Ok(Framing::Chunked(next))
    }
}

/// Skips up to `available` bytes of the `left` ones, and returns how many.
fn skip(left: &mut u64, available: usize) -> usize {
    let step = usize::try_from(*left).map_or(available, |left| left.min(available));
    *left -= step as u64;
    step
}

/// `1*DIGIT` and nothing else: no sign, no list, no overflow.
fn decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\
        POST / HTTP/1.1\r\nContent-Length: 31\r\n\r\nTransfer-Encoding: x\r\n\r\nGET / :\
        POST / HTTP/1.1\r\ntransfer-encoding:chunked\r\n\r\n1a;x=\"1\"\r\nabcdefghijklmnopqrstuvw\r\n\n\r\n0\r\nX: y\r\n\r\n\
        GET / HTTP/1.1\r\n\r\n";

    fn refused(head: &str) -> Option<usize> {
        Framing::new()
            .feed(format!("POST / HTTP/1.1\r\n{head}\r\n\r\n").as_bytes())
            .err()
            .map(|error| error.at)
    }

    #[test]
    fn boundaries_are_found_whole_and_byte_by_byte() {
        let mut whole = Framing::new();
        assert_eq!(whole.feed(GOOD.as_bytes()), Ok(4));
        assert!(whole.between_messages());
        let mut bytewise = Framing::new();
        let heads: usize = GOOD.bytes().map(|byte| bytewise.feed(&[byte]).expect("unambiguous")).sum();
        assert_eq!(heads, 4);
        assert!(bytewise.between_messages());
    }

    #[test]
    fn a_head_is_known_to_be_under_way() {
        let mut framing = Framing::new();
        framing.feed(b"\r\n").expect("unambiguous");
        assert!(framing.between_messages(), "an empty line is no head yet");
        framing.feed(b"G").expect("unambiguous");
        assert!(framing.in_head());
        framing.feed(b"ET / HTTP/1.1\r\nContent-Length: 2\r\n\r\n1").expect("unambiguous");
        assert!(!framing.in_head() && !framing.between_messages());
    }

    #[test]
    fn a_line_of_a_trailer_ends_as_hyper_reads_it() {
        let fed = |trailer: &str| {
            let mut framing = Framing::new();
            let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n";
            framing.feed(format!("{head}{trailer}").as_bytes()).map(|_| framing.between_messages())
        };
        for whole in ["\r\n", "A: b\r\n\r\n", "A: b\r\nC: d\r\n\r\n"] {
            assert_eq!(fed(whole), Ok(true), "{whole:?}");
        }
        for begun in ["", "\r", "A: b\r\n", "A: b\r\n\r"] {
            assert_eq!(fed(begun), Ok(false), "{begun:?}");
        }
        for torn in ["\n", "A: b\n", "A: b\n\r\n", "A: b\rC: d\r\n\r\n", "A: b\r\n\n", "\rA"] {
            assert!(fed(torn).is_err(), "{torn:?}");
        }
    }

    #[test]
    fn contradictions_are_refused_at_their_line() {
        assert_eq!(refused("Content-Length: 5\r\nTransfer-Encoding: chunked"), Some(63));
        assert_eq!(refused("A: b"), None);
        for head in [
            "Transfer-Encoding: chunked\r\nContent-Length: 5",
            "Content-Length: 5\r\ncontent-length: 5",
            "Content-Length: 5\r\nContent-Length: 6",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: xchunked",
            "Content-Length: 5, 5",
            "Content-Length: +5",
            "Content-Length:",
            "Content-Length: 99999999999999999999",
        ] {
            assert!(refused(head).is_some(), "{head}");
        }
        let padded = format!("Content-Length: {}5", "0".repeat(LINE));
        assert!(refused(&padded).is_some());
    }
}
