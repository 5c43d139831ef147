//! Where in an HTML or XML page a value may stand. Values are written with `&`, `<`, `>` and both quotes escaped,
//! which holds in text and in quoted attributes; elsewhere (scripts, styles, tags, attributes without quotes, attributes that the
//! browser obeys, the host of a link) an escaped value can still do harm, so a tag there is refused.
//!
//! This is the part of the tokenizers (WHATWG HTML, section 13.2.5; XML 1.0) that decides what a byte stands in. Where it depends
//! on more than the text before it, on elements that are open or on what a browser supports, the position is
//! [`Position::Unclear`], and no value stands behind it.

mod attribute;
mod comment;

use super::grammar::{Fault, Grammar};
use super::link::Link;
use super::word::Word;
use super::write;
use attribute::Holds;
use comment::Comment;

/// A page that was read up to some byte.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Page {
    language: Language,
    around: Around,
    position: Position,
}

/// What was opened of the elements in which others are read otherwise than outside of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
struct Around {
    svg: u8,
    math: u8,
    /// Where they end is not followed any more: HTML was opened inside of them.
    lost: bool,
    /// A `<title>` inside of them, which is markup there.
    title: bool,
    /// Markup to some, and text to those who run scripts.
    noscript: bool,
    /// Some leave out most of what is in it.
    select: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Language {
    Html,
    /// XHTML, SVG or MathML: names mean what they mean in HTML.
    Xhtml,
    /// XML in which no name means anything.
    Data,
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
    /// In the name of an end tag.
    EndName(Word),
    /// In the tag of this element, after its name or an attribute; whether right behind a `/`.
    Tag(Word, bool),
    /// In the name of an attribute.
    Attribute(Word, Word),
    /// After the name of an attribute and white space.
    Named(Word, Word),
    /// After `=`.
    Equals(Word, Word),
    /// In an attribute, which this quote ends.
    Quoted(Word, u8, Holds),
    /// In one without quotes.
    Bare(Word),
    /// Inside an element that only its own end tag ends.
    Raw(Word, Inside, Seen),
    /// After `<!`, and so many hyphens.
    Bang(u8),
    /// `<!doctype ..>`, and in HTML whatever else is no tag.
    Declaration,
    /// `<?xml ..?>`; whether right behind a `?`.
    Instruction(bool),
    Comment(Comment),
    /// In `<![CDATA[`, of which so many bytes were read; what is in it ends with `]]>`, of which so many were read.
    Cdata(u8, u8),
    /// Readers differ about what this is, because of this before it.
    Unclear(Fault),
}

/// What such an element may hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Inside {
    Code,
    /// A script in which `<!--` was read: behind another `<script` its end tag does not end it.
    Comment,
    /// Text. Where the element is not taken for what it is, a tag in it would be one.
    Text,
    /// The same, of code.
    Nothing,
}

/// What was read in it last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Seen {
    /// So many bytes of its end tag.
    End(u8),
    /// `<!`, and a hyphen.
    Bang(bool),
}

/// Elements whose content is no markup (RAWTEXT, RCDATA, script data).
const RAW: [&[u8]; 9] =
    [b"script", b"style", b"xmp", b"iframe", b"noembed", b"noframes", b"plaintext", b"title", b"textarea"];
/// Those of them whose content is text nevertheless.
const TEXTS: [&[u8]; 2] = [b"title", b"textarea"];
/// Elements of SVG and MathML whose content is HTML, to the tenth letter.
const INSIDE: [&[u8]; 8] = [b"foreignobj", b"desc", b"annotation", b"mi", b"mo", b"mn", b"ms", b"mtext"];
/// Elements that some tags are dropped in.
const DROPPING: [&[u8]; 2] = [b"frameset", b"template"];

/// XHTML, SVG and MathML.
const NAMESPACES: [&str; 3] = ["w3.org/1999/xhtml", "w3.org/2000/svg", "w3.org/1998/Math"];

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 12)
}

impl Around {
    /// A start tag of HTML; whether it ends with `/>`, which means something in SVG and MathML alone.
    fn open(&mut self, element: Word, closed: bool) -> Position {
        let name = element.text();
        let foreign = self.is_foreign();
        self.lost |= foreign && INSIDE.contains(&name) || self.title || DROPPING.contains(&name);
        match name {
            b"svg" if !closed => self.svg = self.svg.saturating_add(1),
            b"math" if !closed => self.math = self.math.saturating_add(1),
            b"noscript" => self.noscript = true,
            b"select" => self.select = true,
            b"title" if foreign => self.title = true,
            _ if !RAW.contains(&name) => {}
            _ if foreign => return Position::Unclear(FOREIGN),
            b"script" | b"textarea" => return self.raw(element),
            _ if self.select => return Position::Unclear(SELECT),
            _ => return self.raw(element),
        }
        Position::Text
    }

    fn raw(&self, element: Word) -> Position {
        let inside = match TEXTS.contains(&element.text()) {
            _ if self.noscript => Inside::Nothing,
            true => Inside::Text,
            false => Inside::Code,
        };
        Position::Raw(element, inside, Seen::End(0))
    }

    fn is_foreign(&self) -> bool {
        self.svg > 0 || self.math > 0 || self.lost
    }

    fn close(&mut self, element: Word) {
        match element.text() {
            b"svg" => self.svg = self.svg.saturating_sub(1),
            b"math" => self.math = self.math.saturating_sub(1),
            b"noscript" => self.noscript = false,
            b"select" => self.select = false,
            b"title" => self.title = false,
            _ => {}
        }
    }
}

impl Page {
    /// Before the first byte of an HTML page.
    pub(super) fn html() -> Page {
        Page { language: Language::Html, around: Around::default(), position: Position::Text }
    }

    /// Before the first byte of this XML document. Browsers show one as a page where it names the namespace of XHTML or SVG.
    pub(super) fn xml(source: &str) -> Page {
        let language = if NAMESPACES.iter().any(|name| source.contains(name)) {
            Language::Xhtml
        } else {
            Language::Data
        };
        Page { language, around: Around::default(), position: Position::Text }
    }

    /// The `>` of a start tag.
    fn opened(&mut self, element: Word, closed: bool) -> Position {
        let name = element.text();
        match self.language {
            Language::Data => Position::Text,
            // It is markup to XML, and a script all the same.
            Language::Xhtml if RAW[..2].contains(&name) && !closed => Position::Unclear(FOREIGN),
            Language::Xhtml => Position::Text,
            Language::Html => self.around.open(element, closed),
        }
    }

    /// In a tag, between or after attributes.
    fn tag(&mut self, element: Word, slash: bool, byte: u8) -> Position {
        match byte {
            b'>' => self.opened(element, slash),
            b'/' => Position::Tag(element, true),
            _ if is_space(byte) => Position::Tag(element, false),
            _ => Position::Attribute(element, Word::default().with(byte)),
        }
    }

    fn name(&mut self, word: Word, byte: u8) -> Position {
        match byte {
            b'>' | b'/' => self.tag(word, false, byte),
            // In XML a prefix says nothing about what it is.
            b':' if self.language != Language::Html => Position::Name(Word::default()),
            _ if is_space(byte) => Position::Tag(word, false),
            _ => Position::Name(word.with(byte)),
        }
    }

    fn raw(element: Word, inside: Inside, seen: Seen, byte: u8) -> Position {
        let goes_on = |inside, seen| Position::Raw(element, inside, seen);
        let begins = goes_on(inside, Seen::End(u8::from(byte == b'<')));
        let seen = match seen {
            Seen::Bang(false) if byte == b'-' => return goes_on(inside, Seen::Bang(true)),
            Seen::Bang(true) if byte == b'-' => return goes_on(Inside::Comment, Seen::End(0)),
            Seen::Bang(_) => return begins,
            Seen::End(seen) => seen,
        };
        let end = [b"</", element.text()].concat();
        match end.get(usize::from(seen)) {
            Some(next) if *next == byte.to_ascii_lowercase() => goes_on(inside, Seen::End(seen + 1)),
            None if byte == b'>' => Position::Text,
            None if byte == b'/' || is_space(byte) => Position::Tag(Word::default(), false),
            _ if matches!(inside, Inside::Text | Inside::Nothing) => match seen {
                0 => begins,
                1 if !byte.is_ascii_alphabetic() && !b"!?".contains(&byte) => begins,
                _ => Position::Unclear(TAG_IN_TEXT),
            },
            _ if inside == Inside::Comment && seen == 1 && byte.eq_ignore_ascii_case(&b's') => {
                Position::Unclear(COMMENT_IN_SCRIPT)
            }
            _ if seen == 1 && byte == b'!' && element.text() == b"script" => {
                goes_on(inside, Seen::Bang(false))
            }
            _ => begins,
        }
    }

    fn next(&mut self, byte: u8) -> Position {
        let html = self.language == Language::Html;
        match self.position {
            Position::Unclear(_) => self.position,
            _ if byte == 0 => Position::Unclear(NUL),
            Position::Text if byte == b'<' => Position::Open,
            Position::Text => Position::Text,
            Position::Open => match byte {
                b'/' => Position::Close,
                b'!' => Position::Bang(0),
                b'?' if html => Position::Declaration,
                b'?' => Position::Instruction(false),
                b'<' => Position::Open,
                _ if byte.is_ascii_alphabetic() || !html && !is_space(byte) => {
                    self.name(Word::default(), byte)
                }
                _ => Position::Text,
            },
            Position::Close => match byte {
                b'>' => Position::Text,
                _ if byte.is_ascii_alphabetic() || !html => Position::EndName(Word::default().with(byte)),
                _ => Position::Declaration,
            },
            Position::EndName(word) if byte == b'>' || byte == b'/' || is_space(byte) => {
                self.around.close(word);
                if byte == b'>' { Position::Text } else { Position::Tag(Word::default(), false) }
            }
            Position::EndName(word) => Position::EndName(word.with(byte)),
            Position::Name(word) => self.name(word, byte),
            Position::Tag(element, slash) => self.tag(element, slash, byte),
            Position::Attribute(element, name) => match byte {
                b'=' => Position::Equals(element, name),
                b'>' | b'/' => self.tag(element, false, byte),
                b':' if name.text() != b"xmlns" => Position::Attribute(element, Word::default()),
                _ if is_space(byte) => Position::Named(element, name),
                _ => Position::Attribute(element, name.with(byte)),
            },
            Position::Named(element, name) => match byte {
                b'=' => Position::Equals(element, name),
                _ if is_space(byte) => self.position,
                _ => self.tag(element, false, byte),
            },
            Position::Equals(element, name) => match byte {
                b'"' | b'\'' if self.language == Language::Data => {
                    Position::Quoted(element, byte, Holds::Text)
                }
                b'"' | b'\'' => Position::Quoted(element, byte, Holds::of(element, name)),
                b'>' => self.tag(element, false, byte),
                _ if is_space(byte) => self.position,
                _ => Position::Bare(element),
            },
            Position::Quoted(element, quote, _) if byte == quote => Position::Tag(element, false),
            // To whom it is no attribute, a tag begins here.
            Position::Quoted(..) if byte == b'<' => Position::Unclear(QUOTED),
            Position::Quoted(element, quote, holds) => Position::Quoted(element, quote, holds.next(byte)),
            Position::Bare(element) => match byte {
                b'>' => self.tag(element, false, byte),
                _ if is_space(byte) => Position::Tag(element, false),
                _ => self.position,
            },
            Position::Raw(element, inside, seen) => Page::raw(element, inside, seen, byte),
            // An end tag in it ends the element for some.
            Position::Bang(_) if self.around.noscript || self.around.title => Position::Unclear(COMMENT),
            Position::Bang(hyphens) => match (byte, hyphens) {
                (b'-', 0) => Position::Bang(1),
                (b'-', _) => Position::Comment(Comment::Empty),
                (b'[', 0) if !html => Position::Cdata(0, 0),
                (b'[', 0) if self.around.is_foreign() => Position::Unclear(CDATA_IN_HTML),
                (b'>', _) => Position::Text,
                _ => Position::Declaration,
            },
            Position::Declaration => match byte {
                b'>' => Position::Text,
                b'[' if !html => Position::Unclear(SUBSET),
                _ => Position::Declaration,
            },
            Position::Instruction(true) if byte == b'>' => Position::Text,
            Position::Instruction(_) => Position::Instruction(byte == b'?'),
            Position::Comment(comment) => comment.next(byte, html).map_or(Position::Text, Position::Comment),
            Position::Cdata(begun, _) if usize::from(begun) < CDATA.len() => {
                match CDATA[usize::from(begun)] == byte {
                    true => Position::Cdata(begun + 1, 0),
                    false => Position::Unclear(SUBSET),
                }
            }
            Position::Cdata(begun, end) => match (byte, end) {
                (b'>', 2) => Position::Text,
                (b']', _) => Position::Cdata(begun, 2.min(end + 1)),
                _ => Position::Cdata(begun, 0),
            },
        }
    }
}

const CDATA: &[u8] = b"CDATA[";

const QUOTED: Fault =
    "a `<` stands in quotes before this value, and readers differ about it: write &lt; there";
const FOREIGN: Fault = "a script, style or the like stands in SVG, MathML or XHTML before this value, and readers differ about it: move it \
                        behind the values, or into a file";
const SELECT: Fault = "an element that readers drop stands in a <select> before this value: move it out";
const COMMENT: Fault =
    "a comment stands in <noscript> or <title> before this value, and readers differ about it: leave it out";
const COMMENT_IN_SCRIPT: Fault =
    "a script with `<!--` and another <script in it stands before this value, and readers differ about it";
const TAG_IN_TEXT: Fault = "a tag stands in a <title>, <textarea> or <noscript> before this value, where readers differ about it: write \
                            &lt; there";
const CDATA_IN_HTML: Fault =
    "CDATA stands in an HTML page before this value, and readers differ about it: leave it out";
const SUBSET: Fault = "an XML declaration stands before this value that is not followed: leave it out";
const NUL: Fault = "a NUL stands before this value, and readers differ about it: leave it out";

impl Grammar for Page {
    fn step(&mut self, byte: u8) -> Result<(), Fault> {
        self.position = self.next(byte);
        Ok(())
    }

    fn hole(&mut self) -> Result<(), Fault> {
        match self.position {
            Position::Text | Position::Quoted(_, _, Holds::Text | Holds::Link(Link::Path)) => Ok(()),
            Position::Raw(_, Inside::Text, Seen::End(0)) => Ok(()),
            Position::Quoted(_, _, Holds::Order) => {
                Err("a browser does what this attribute says: no value can stand in it")
            }
            Position::Quoted(_, _, Holds::Link(_)) => Err(
                "in a link a value can stand only behind the host: write {{ request.base_url }}/ before it",
            ),
            Position::Equals(..) | Position::Bare(_) => Err("an attribute needs quotes around its value"),
            Position::Raw(_, Inside::Code | Inside::Comment | Inside::Nothing, _) => {
                Err("a value here would be code")
            }
            Position::Declaration | Position::Instruction(_) | Position::Bang(_) | Position::Comment(_) => {
                Err("no value can stand in a comment or a declaration")
            }
            Position::Cdata(..) => Err("values are escaped, and in CDATA that would be seen: leave it out"),
            Position::Unclear(why) => Err(why),
            _ => Err("a value can stand in text or in a quoted attribute, not in a tag"),
        }
    }

    /// It is no client's, and can stand anywhere: a brace that would begin a tag is written so.
    fn constant(&mut self, text: &str) -> Result<(), Fault> {
        write::escaped(text).bytes().try_for_each(|byte| self.step(byte))
    }
}

#[cfg(test)]
mod tests;
