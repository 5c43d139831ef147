//! Where in an HTML or XML page a value may stand. Values are written with `&`, `<`, `>` and both quotes escaped,
//! which holds in text and in quoted attributes; everywhere else (scripts, styles, tags, attributes without quotes, handlers
//! of events, the beginning of a link) an escaped value can still be code, so a tag there is refused.
//!
//! This is the part of the tokenizer of HTML (WHATWG, section 13.2.5) that decides which of these a byte stands in.

use super::grammar::{Fault, Grammar};

/// A page's state: what its last byte stands in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Page {
    Text,
    /// After `<`.
    Open,
    /// After `</`.
    Close,
    /// In the name of an element.
    Name(Word),
    /// In a tag, after its name or an attribute.
    Tag(Element),
    Attribute(Element, Word),
    /// After the name of an attribute and white space.
    Named(Element, Word),
    /// After `=`.
    Equals(Element, Word),
    Quoted(Element, u8, Holds),
    Bare(Element),
    /// Inside a script, a style and the like: only its own end tag ends it, of which so many bytes were read.
    Raw(Word, u8),
    /// After `<!`, and so many hyphens.
    Bang(u8),
    /// `<!doctype ..>`, `<?xml ..?>`.
    Declaration,
    /// In a comment, after so many hyphens (of which two and `>` end it).
    Comment(u8),
}

/// The element whose tag is being read: a raw one's content is no text.
type Element = Option<Word>;

/// What an attribute holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Holds {
    Text,
    /// A script, a style or a page.
    Code,
    /// A link of which only these letters are written: they may be a scheme.
    Scheme(Word),
}

/// The first letters of a name, in lower case; no name that counts is longer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Word([u8; 10]);

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
const SCRIPTS: [&[u8]; 3] = [b"javascript", b"vbscript", b"data"];

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 12)
}

impl Holds {
    fn of(name: Word) -> Holds {
        match name.text() {
            b"style" | b"srcdoc" => Holds::Code,
            name if name.starts_with(b"on") => Holds::Code,
            name if LINKS.contains(&name) => Holds::Scheme(Word::default()),
            _ => Holds::Text,
        }
    }

    fn step(self, byte: u8) -> Holds {
        match (self, byte) {
            (Holds::Scheme(word), b':') if SCRIPTS.contains(&word.text()) => Holds::Code,
            (Holds::Scheme(_), b':' | b'/' | b'?' | b'#') => Holds::Text,
            // Browsers leave white space and control characters out of a scheme.
            (Holds::Scheme(word), 33..) => Holds::Scheme(word.with(byte)),
            _ => self,
        }
    }
}

impl Page {
    /// In a tag, between or after attributes.
    fn tag(element: Element, byte: u8) -> Page {
        match byte {
            b'>' => element.map_or(Page::Text, |word| Page::Raw(word, 0)),
            b'/' => Page::Tag(element),
            _ if is_space(byte) => Page::Tag(element),
            _ => Page::Attribute(element, Word::default().with(byte)),
        }
    }

    fn raw(element: Word, seen: u8, byte: u8) -> Page {
        let end = [b"</", element.text()].concat();
        match end.get(usize::from(seen)) {
            Some(next) if *next == byte.to_ascii_lowercase() => Page::Raw(element, seen + 1),
            None if byte == b'>' => Page::Text,
            None if byte == b'/' || is_space(byte) => Page::Tag(None),
            _ => Page::Raw(element, u8::from(byte == b'<')),
        }
    }

    fn next(self, byte: u8) -> Page {
        match self {
            Page::Text => match byte {
                b'<' => Page::Open,
                _ => Page::Text,
            },
            Page::Open => match byte {
                b'/' => Page::Close,
                b'!' => Page::Bang(0),
                b'?' => Page::Declaration,
                b'<' => Page::Open,
                _ if byte.is_ascii_alphabetic() => Page::Name(Word::default().with(byte)),
                _ => Page::Text,
            },
            Page::Close => match byte {
                b'>' => Page::Text,
                _ if byte.is_ascii_alphabetic() => Page::Tag(None),
                _ => Page::Declaration,
            },
            Page::Name(word) => match byte {
                b'>' | b'/' => Page::tag(Some(word).filter(|word| RAW.contains(&word.text())), byte),
                _ if is_space(byte) => Page::Tag(Some(word).filter(|word| RAW.contains(&word.text()))),
                _ => Page::Name(word.with(byte)),
            },
            Page::Tag(element) => Page::tag(element, byte),
            Page::Attribute(element, name) => match byte {
                b'=' => Page::Equals(element, name),
                b'>' | b'/' => Page::tag(element, byte),
                _ if is_space(byte) => Page::Named(element, name),
                _ => Page::Attribute(element, name.with(byte)),
            },
            Page::Named(element, name) => match byte {
                b'=' => Page::Equals(element, name),
                _ if is_space(byte) => self,
                _ => Page::tag(element, byte),
            },
            Page::Equals(element, name) => match byte {
                b'"' | b'\'' => Page::Quoted(element, byte, Holds::of(name)),
                b'>' => Page::tag(element, byte),
                _ if is_space(byte) => self,
                _ => Page::Bare(element),
            },
            Page::Quoted(element, quote, _) if byte == quote => Page::Tag(element),
            Page::Quoted(element, quote, holds) => Page::Quoted(element, quote, holds.step(byte)),
            Page::Bare(element) => match byte {
                b'>' => Page::tag(element, byte),
                _ if is_space(byte) => Page::Tag(element),
                _ => self,
            },
            Page::Raw(element, seen) => Page::raw(element, seen, byte),
            Page::Bang(hyphens) => match (byte, hyphens) {
                (b'-', 0) => Page::Bang(1),
                (b'-', _) => Page::Comment(2),
                (b'>', _) => Page::Text,
                _ => Page::Declaration,
            },
            Page::Declaration => match byte {
                b'>' => Page::Text,
                _ => Page::Declaration,
            },
            Page::Comment(hyphens) => match (byte, hyphens) {
                (b'>', 2) => Page::Text,
                (b'-', _) => Page::Comment(2.min(hyphens + 1)),
                (b'!', 2) => Page::Comment(2),
                _ => Page::Comment(0),
            },
        }
    }
}

impl Grammar for Page {
    fn begin() -> Page {
        Page::Text
    }

    fn step(&mut self, byte: u8) -> Result<(), Fault> {
        *self = self.next(byte);
        Ok(())
    }

    fn boundary(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn hole(&mut self) -> Result<(), Fault> {
        *self = match *self {
            Page::Text | Page::Quoted(_, _, Holds::Text) => *self,
            // No escaped value ends it.
            Page::Comment(_) => Page::Comment(0),
            Page::Quoted(_, _, Holds::Code) => return Err("a value inside code would be code"),
            Page::Quoted(_, _, Holds::Scheme(_)) => {
                return Err(
                    "a value at the beginning of a link can be a script: write its host or path before it",
                );
            }
            Page::Equals(..) | Page::Bare(_) => return Err("an attribute needs quotes around its value"),
            Page::Raw(..) => return Err("a value inside a script or a style would be code"),
            Page::Declaration | Page::Bang(_) => return Err("no value can stand in a declaration"),
            _ => return Err("a value can stand in text or in a quoted attribute, not in a tag"),
        };
        Ok(())
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
    fn read(page: &str) -> Result<Page, Fault> {
        let mut state = Page::begin();
        for (i, part) in page.split('§').enumerate() {
            if i > 0 {
                state.hole()?;
            }
            part.bytes().try_for_each(|byte| state.step(byte))?;
        }
        Ok(state)
    }

    #[test]
    fn values_stand_in_text_quoted_attributes_and_comments() {
        for page in [
            "§",
            "<p>§</p>",
            "a < § and <3 §",
            "<a title=\"§\" class='a § b'>§</a>",
            "<input value = \"§\"/>§<br>§",
            "<a href='/users/§'> <a href='https://example.com/§'> <a href='mailto:§'> <a href='?§'> <a href='#§'>",
            "<!doctype html><title>§</title><textarea>§</textarea>",
            "<!-- § --><p>§ <!----> § <!-- -> --!> §",
            "<?xml version='1.0'?>\n<e v='§'>§</e>",
            "<script src='/a.js'></script>§<style>p { }</style >§",
            "<SCRIPT>if (a < b) { '</scrip' }</Script>§",
            "<scripts>§",
            "<e:on v='§'/>",
        ] {
            read(page).unwrap_or_else(|fault| panic!("{page}: {fault}"));
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
            ("<p onclick='§'>", "code"),
            ("<p ONLOAD = \"f('§')\">", "code"),
            ("<p style='color:§'>", "code"),
            ("<iframe srcdoc='§'>", "code"),
            ("<a href='§'>", "beginning of a link"),
            ("<a href=' java§'>", "beginning of a link"),
            ("<a href='JavaScript:§'>", "code"),
            ("<a href='java\nscript:§'>", "code"),
            ("<svg><a xlink:href=\"§\">", "beginning of a link"),
            ("<button formaction='§'>", "beginning of a link"),
            ("<!doctype §>", "declaration"),
            ("<!§", "declaration"),
            ("<?xml §?>", "declaration"),
        ] {
            let found = read(page).expect_err(page);
            assert!(found.contains(fault), "{page}: {found}");
        }
    }
}
