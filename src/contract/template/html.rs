//! Where in an HTML or XML page a value may stand. Values are written with `&`, `<`, `>` and both quotes escaped,
//! which holds in text and in quoted attributes; elsewhere (scripts, styles, tags, attributes without quotes, handlers
//! of events, the host of a link) an escaped value can still be obeyed, so a tag there is refused.
//!
//! This is the part of the tokenizer of HTML (WHATWG, section 13.2.5) that decides which of these a byte stands in. In
//! XML no name means anything, so only tags and quotes count.

use super::grammar::{Fault, Grammar};

/// A page that was read up to some byte.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Page {
    language: Language,
    position: Position,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Language {
    Html,
    Xml,
}

/// What the last byte stands in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Position {
    Text,
    /// After `<`.
    Open,
    /// After `</`.
    Close,
    /// In the name of an element.
    Name(Word),
    /// In the tag of this element, after its name or an attribute.
    Tag(Word),
    Attribute(Word, Word),
    /// After the name of an attribute and white space.
    Named(Word, Word),
    /// After `=`.
    Equals(Word, Word),
    Quoted(Word, u8, Holds),
    Bare(Word),
    /// Inside a script, a style and the like: only its own end tag ends it, of which so many bytes were read.
    Raw(Word, u8),
    /// After `<!`, and so many hyphens.
    Bang(u8),
    /// `<!doctype ..>`, `<?xml ..?>`.
    Declaration,
    /// In a comment, after so many hyphens (of which two and `>` end it).
    Comment(u8),
}

/// What the text of an attribute is, up to here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Holds {
    Text,
    /// A script, a style, a page, an order to the browser.
    Order,
    Link(Link),
}

/// How far a link is written (RFC 3986, section 3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Link {
    /// These letters, which may be a scheme.
    Begun(Word),
    /// `https:`
    Scheme,
    /// One slash, after a scheme or at the beginning.
    Slash,
    /// In the host, behind two slashes.
    Host,
}

/// The first letters of a name, in lower case; no name that counts is longer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
struct Word([u8; 10]);

impl Word {
    fn with(mut self, byte: u8) -> Word {
        if let Some(free) = self.0.iter_mut().find(|b| **b == 0) {
            *free = byte.to_ascii_lowercase();
        }
        self
    }

    fn text(&self) -> &[u8] {
        self.0.split(|b| *b == 0).next().unwrap_or_default()
    }
}

const RAW: [&[u8]; 8] =
    [b"script", b"style", b"xmp", b"iframe", b"noembed", b"noframes", b"noscript", b"plaintext"];
const LINKS: [&[u8]; 10] = [
    b"href",
    b"src",
    b"action",
    b"formaction",
    b"xlink:href",
    b"data",
    b"poster",
    b"background",
    b"srcset",
    b"ping",
];
/// Schemes whose links are no places.
const PERSONS: [&[u8]; 3] = [b"mailto", b"tel", b"sms"];
const SCRIPTS: [&[u8]; 3] = [b"javascript", b"vbscript", b"data"];

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 12)
}

impl Holds {
    fn of(element: Word, name: Word) -> Holds {
        match (element.text(), name.text()) {
            (_, b"style" | b"srcdoc") | (b"meta", b"content") => Holds::Order,
            (_, name) if name.starts_with(b"on") => Holds::Order,
            (_, name) if LINKS.contains(&name) => Holds::Link(Link::Begun(Word::default())),
            _ => Holds::Text,
        }
    }

    fn step(self, byte: u8) -> Holds {
        let Holds::Link(link) = self else { return self };
        match (link, byte) {
            // Browsers leave white space and control characters out, and take a backslash for a slash.
            (_, 0..=32) => self,
            (Link::Begun(word), b':') if SCRIPTS.contains(&word.text()) => Holds::Order,
            (Link::Begun(word), b':') if PERSONS.contains(&word.text()) => Holds::Text,
            (Link::Begun(_), b':') => Holds::Link(Link::Scheme),
            (Link::Begun(word), b'/' | b'\\') if word == Word::default() => Holds::Link(Link::Slash),
            (Link::Begun(_), b'/' | b'\\' | b'?' | b'#') => Holds::Text,
            (Link::Begun(word), _) => Holds::Link(Link::Begun(word.with(byte))),
            (Link::Scheme, b'/' | b'\\') => Holds::Link(Link::Slash),
            (Link::Slash, b'/' | b'\\') => Holds::Link(Link::Host),
            (Link::Host, b'/' | b'\\' | b'?' | b'#') => Holds::Text,
            (Link::Host, _) => self,
            (Link::Scheme | Link::Slash, _) => Holds::Text,
        }
    }
}

impl Position {
    /// In a tag, between or after attributes.
    fn tag(element: Word, byte: u8) -> Position {
        match byte {
            b'>' if RAW.contains(&element.text()) => Position::Raw(element, 0),
            b'>' => Position::Text,
            b'/' => Position::Tag(element),
            _ if is_space(byte) => Position::Tag(element),
            _ => Position::Attribute(element, Word::default().with(byte)),
        }
    }

    fn raw(element: Word, seen: u8, byte: u8) -> Position {
        let end = [b"</", element.text()].concat();
        match end.get(usize::from(seen)) {
            Some(next) if *next == byte.to_ascii_lowercase() => Position::Raw(element, seen + 1),
            None if byte == b'>' => Position::Text,
            None if byte == b'/' || is_space(byte) => Position::Tag(Word::default()),
            _ => Position::Raw(element, u8::from(byte == b'<')),
        }
    }

    fn next(self, byte: u8) -> Position {
        match self {
            Position::Text => match byte {
                b'<' => Position::Open,
                _ => Position::Text,
            },
            Position::Open => match byte {
                b'/' => Position::Close,
                b'!' => Position::Bang(0),
                b'?' => Position::Declaration,
                b'<' => Position::Open,
                _ if byte.is_ascii_alphabetic() => Position::Name(Word::default().with(byte)),
                _ => Position::Text,
            },
            Position::Close => match byte {
                b'>' => Position::Text,
                _ if byte.is_ascii_alphabetic() => Position::Tag(Word::default()),
                _ => Position::Declaration,
            },
            Position::Name(word) => match byte {
                b'>' | b'/' => Position::tag(word, byte),
                _ if is_space(byte) => Position::Tag(word),
                _ => Position::Name(word.with(byte)),
            },
            Position::Tag(element) => Position::tag(element, byte),
            Position::Attribute(element, name) => match byte {
                b'=' => Position::Equals(element, name),
                b'>' | b'/' => Position::tag(element, byte),
                _ if is_space(byte) => Position::Named(element, name),
                _ => Position::Attribute(element, name.with(byte)),
            },
            Position::Named(element, name) => match byte {
                b'=' => Position::Equals(element, name),
                _ if is_space(byte) => self,
                _ => Position::tag(element, byte),
            },
            Position::Equals(element, name) => match byte {
                b'"' | b'\'' => Position::Quoted(element, byte, Holds::of(element, name)),
                b'>' => Position::tag(element, byte),
                _ if is_space(byte) => self,
                _ => Position::Bare(element),
            },
            Position::Quoted(element, quote, _) if byte == quote => Position::Tag(element),
            Position::Quoted(element, quote, holds) => Position::Quoted(element, quote, holds.step(byte)),
            Position::Bare(element) => match byte {
                b'>' => Position::tag(element, byte),
                _ if is_space(byte) => Position::Tag(element),
                _ => self,
            },
            Position::Raw(element, seen) => Position::raw(element, seen, byte),
            Position::Bang(hyphens) => match (byte, hyphens) {
                (b'-', 0) => Position::Bang(1),
                (b'-', _) => Position::Comment(2),
                (b'>', _) => Position::Text,
                _ => Position::Declaration,
            },
            Position::Declaration => match byte {
                b'>' => Position::Text,
                _ => Position::Declaration,
            },
            Position::Comment(hyphens) => match (byte, hyphens) {
                (b'>', 2) => Position::Text,
                (b'-', _) => Position::Comment(2.min(hyphens + 1)),
                (b'!', 2) => Position::Comment(2),
                _ => Position::Comment(0),
            },
        }
    }
}

impl Page {
    /// Before the first byte of an HTML page.
    pub(super) fn html() -> Page {
        Page { language: Language::Html, position: Position::Text }
    }

    /// Before the first byte of an XML document.
    pub(super) fn xml() -> Page {
        Page { language: Language::Xml, position: Position::Text }
    }
}

impl Grammar for Page {
    fn step(&mut self, byte: u8) -> Result<(), Fault> {
        self.position = match (self.language, self.position.next(byte)) {
            (Language::Xml, Position::Raw(..)) => Position::Text,
            (Language::Xml, Position::Quoted(element, quote, _)) => {
                Position::Quoted(element, quote, Holds::Text)
            }
            (_, next) => next,
        };
        Ok(())
    }

    fn boundary(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn hole(&mut self) -> Result<(), Fault> {
        match self.position {
            Position::Text | Position::Quoted(_, _, Holds::Text) => Ok(()),
            Position::Quoted(_, _, Holds::Order) => {
                Err("what stands in this attribute is obeyed, not shown: no value can stand in it")
            }
            Position::Quoted(_, _, Holds::Link(_)) => {
                Err("a value can stand in a link only behind its host and the beginning of its path")
            }
            Position::Equals(..) | Position::Bare(_) => Err("an attribute needs quotes around its value"),
            Position::Raw(..) => Err("a value inside a script or a style would be code"),
            Position::Declaration | Position::Bang(_) | Position::Comment(_) => {
                Err("no value can stand in a comment or a declaration")
            }
            _ => Err("a value can stand in text or in a quoted attribute, not in a tag"),
        }
    }

    /// It is no client's, and can stand anywhere: a brace that would begin a tag is written so.
    fn constant(&mut self, text: &str) -> Result<(), Fault> {
        text.bytes().try_for_each(|byte| self.step(byte))
    }

    fn finished(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn in_string(&self) -> bool {
        false
    }

    fn depth(&self) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a page in which each `§` is a value.
    fn read(mut page: Page, text: &str) -> Result<(), Fault> {
        for (i, part) in text.split('§').enumerate() {
            if i > 0 {
                page.hole()?;
            }
            page.constant(part)?;
        }
        Ok(())
    }

    #[test]
    fn values_stand_in_text_and_quoted_attributes() {
        for page in [
            "§",
            "<p>§</p>",
            "a < § and <3 §",
            "<a title=\"§\" class='a § b'>§</a>",
            "<input value = \"§\"/>§<br>§",
            "<a href='/users/§'> <a href='https://example.com/§'> <a href='mailto:§'> <a href='?§'> <a href='#§'>",
            "<a href='/u§'> <a href='users/§'> <a href='//example.com?§'>",
            "<!doctype html><title>§</title><textarea>§</textarea>",
            "<!-- a --><p>§ <!----> § <!-- -> --!> §",
            "<script src='/a.js'></script>§<style>p { }</style >§",
            "<SCRIPT>if (a < b) { '</scrip' }</Script>§",
            "<scripts>§",
            "<meta name='x'>§",
        ] {
            read(Page::html(), page).unwrap_or_else(|fault| panic!("{page}: {fault}"));
        }
    }

    #[test]
    fn values_stand_nowhere_else() {
        for (page, fault) in [
            ("<a title=§>", "quotes"),
            ("<a title=x§>", "quotes"),
            ("<a title= §", "quotes"),
            ("<§>", "not in a tag"),
            ("</§>", "not in a tag"),
            ("<a§>", "not in a tag"),
            ("<a §>", "not in a tag"),
            ("<a b§>", "not in a tag"),
            ("<a b §>", "not in a tag"),
            ("<a b='' §>", "not in a tag"),
            ("<script>§</script>", "script or a style"),
            ("<SCRIPT type='x' async>'§'", "script or a style"),
            ("<script/>§", "script or a style"),
            ("<script></scripts>§", "script or a style"),
            ("<script><</ script>§", "script or a style"),
            ("<style>p { color: § }</style>", "script or a style"),
            ("<p onclick='§'>", "obeyed"),
            ("<p ONLOAD = \"f('§')\">", "obeyed"),
            ("<p style='color:§'>", "obeyed"),
            ("<iframe srcdoc='§'>", "obeyed"),
            ("<meta http-equiv=refresh content='0;url=/§'>", "obeyed"),
            ("<a href='§'>", "behind its host"),
            ("<a href=' java§'>", "behind its host"),
            ("<a href='/§'>", "behind its host"),
            ("<a href='https:§'>", "behind its host"),
            ("<a href='https:/§'>", "behind its host"),
            ("<a href='https://§/'>", "behind its host"),
            ("<a href='https://example.com§'>", "behind its host"),
            ("<a href='\\/§'>", "behind its host"),
            ("<a href='/\n/§'>", "behind its host"),
            ("<a href='JavaScript:§'>", "obeyed"),
            ("<a href='java\nscript:§'>", "obeyed"),
            ("<svg><a xlink:href=\"§\">", "behind its host"),
            ("<button formaction='§'>", "behind its host"),
            ("<!doctype §>", "declaration"),
            ("<!§", "declaration"),
            ("<?xml §?>", "declaration"),
            ("<!-- § -->", "comment"),
        ] {
            let found = read(Page::html(), page).expect_err(page);
            assert!(found.contains(fault), "{page}: {found}");
        }
    }

    #[test]
    fn in_xml_no_name_means_anything() {
        for text in [
            "<?xml version='1.0'?>\n<e v='§'>§</e>",
            "<user onboarded='§' action=\"§\" data='§'><style>§</style></user>",
        ] {
            read(Page::xml(), text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        }
        for text in ["<e v=§>", "<e §>", "<§>", "<!-- § -->", "<?xml §?>", "<![CDATA[§]]>"] {
            read(Page::xml(), text).expect_err(text);
        }
    }
}
