//! What an attribute is for: to be shown, to be followed, or to be obeyed.

use crate::contract::template::link::Link;
use crate::contract::template::word::Word;

/// What the text of an attribute is, up to here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Holds {
    Text,
    /// What the browser does: a script, a style, a page, an order.
    Order,
    Link(Link),
}

/// Elements that do what their attributes say.
const OBEYED: [&[u8]; 11] = [
    b"script", b"style", b"link", b"meta", b"base", b"object", b"embed", b"applet", b"param", b"set", b"use",
];
/// Attributes of any element that are orders, to the tenth letter.
const ORDERS: [&[u8]; 6] = [b"style", b"srcdoc", b"srcset", b"imagesrcse", b"ping", b"http-equiv"];
const LINKS: [&[u8]; 9] =
    [b"href", b"src", b"action", b"formaction", b"data", b"poster", b"background", b"manifest", b"codebase"];

impl Holds {
    pub(super) fn of(element: Word, name: Word) -> Holds {
        let (element, name) = (element.text(), name.text());
        let obeyed = OBEYED.contains(&element) || element.starts_with(b"animate");
        if obeyed || ORDERS.contains(&name) || name.starts_with(b"on") || name.starts_with(b"xmlns") {
            Holds::Order
        } else if LINKS.contains(&name) {
            Holds::Link(Link::new())
        } else {
            Holds::Text
        }
    }

    pub(super) fn next(self, byte: u8) -> Holds {
        match self {
            // Written as a reference, any letter could stand here.
            Holds::Link(link) if byte == b'&' && link != Link::Path => Holds::Order,
            Holds::Link(link) => Holds::Link(link.next(byte)),
            other => other,
        }
    }
}
