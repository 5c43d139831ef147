//! How far a link is written, and so what a value in it can decide. A value must not choose the host, nor make the link a script.
//!
//! The parts are those of RFC 3986, section 3; where browsers read more into them (WHATWG URL, section 4.4), theirs count:
//! a backslash is a slash, several slashes are two, and white space is not there.

use super::grammar::{Fault, Grammar};
use super::word::Word;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Link {
    /// These letters, which may be a scheme.
    Begun(Word),
    /// `https:`, and any slashes behind it.
    Scheme,
    /// One slash at the beginning.
    Slash,
    /// More of them.
    Slashes,
    Host,
    /// Behind all that leads elsewhere.
    Path,
    /// `javascript:`
    Script,
}

/// Schemes whose links are no places.
const PERSONS: [&[u8]; 3] = [b"mailto", b"tel", b"sms"];
const SCRIPTS: [&[u8]; 3] = [b"javascript", b"vbscript", b"data"];

impl Link {
    pub(super) fn new() -> Link {
        Link::Begun(Word::default())
    }

    pub(super) fn next(self, byte: u8) -> Link {
        let slash = matches!(byte, b'/' | b'\\');
        match self {
            Link::Path | Link::Script => self,
            _ if byte <= b' ' => self,
            Link::Begun(word) => match byte {
                b':' if SCRIPTS.contains(&word.text()) => Link::Script,
                b':' if PERSONS.contains(&word.text()) => Link::Path,
                b':' => Link::Scheme,
                _ if slash && word.text().is_empty() => Link::Slash,
                b'?' | b'#' => Link::Path,
                _ if slash => Link::Path,
                _ => Link::Begun(word.with(byte)),
            },
            Link::Scheme | Link::Slashes if slash => self,
            Link::Scheme | Link::Slashes => Link::Host,
            Link::Slash if slash => Link::Slashes,
            Link::Slash => Link::Path,
            Link::Host if slash || matches!(byte, b'?' | b'#') => Link::Path,
            Link::Host => self,
        }
    }
}

/// A header that holds a link. What stands alone in it is for the contract to choose, and of a path the slashes at the
/// beginning are watched when it is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Location(Link);

impl Location {
    pub(super) fn new() -> Location {
        Location(Link::new())
    }
}

impl Grammar for Location {
    fn step(&mut self, byte: u8) -> Result<(), Fault> {
        self.0 = self.0.next(byte);
        Ok(())
    }

    fn hole(&mut self) -> Result<(), Fault> {
        match self.0 {
            Link::Scheme | Link::Slashes | Link::Host => {
                Err("a value here can lead to another host: write a '/' before it")
            }
            // It may be a host, or the beginning of one.
            Link::Begun(word) if word == Word::default() => {
                self.0 = Link::Host;
                Ok(())
            }
            _ => {
                self.0 = Link::Path;
                Ok(())
            }
        }
    }

    fn constant(&mut self, text: &str) -> Result<(), Fault> {
        text.bytes().try_for_each(|byte| self.step(byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> Link {
        text.bytes().fold(Link::new(), Link::next)
    }

    #[test]
    fn a_host_ends_where_browsers_end_it() {
        for text in [
            "/a",
            "a/",
            "a/b",
            "?",
            "#",
            "//a/",
            "https://a/",
            "https:\\\\a\\",
            "https:a/",
            "mailto:",
            "///a?",
        ] {
            assert_eq!(after(text), Link::Path, "{text}");
        }
        for text in ["//a", "///a", "https://a:1", "https:a", "https:///a", "/\t/a", "\\\\a", " https : //a"]
        {
            assert_eq!(after(text), Link::Host, "{text}");
        }
        for text in ["javascript:", " JAVA\nSCRIPT:x/", "data:text/html,"] {
            assert_eq!(after(text), Link::Script, "{text}");
        }
        assert_eq!((after("/"), after("https:/"), after("/ /")), (Link::Slash, Link::Scheme, Link::Slashes));
    }

    #[test]
    fn no_value_of_a_header_chooses_the_host() {
        let read = |text: &str| {
            let mut location = Location::new();
            text.split_inclusive('§').try_for_each(|part| match part.strip_suffix('§') {
                Some(before) => location.constant(before).and_then(|()| location.hole()),
                None => location.constant(part),
            })
        };
        for text in ["§", "/§", "/users/§", "https://a.example/§", "§/§", "users?id=§", "app:x/§"] {
            read(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        }
        for text in ["https://a.example§", "https://§", "//§/", "//a§", "https:§", "§§", "§a§"] {
            read(text).expect_err(text);
        }
    }
}
