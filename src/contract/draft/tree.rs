//! A body on its way to becoming a template: the pasted JSON with holes, and how it is written down.

use super::sentence::find_word;
use serde_json::Value as Json;

/// A JSON value, parts of which are holes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// Stays as it was pasted. Lists and objects are pasted member by member.
    Pasted(Json),
    /// `{{ .. }}` where a whole value stands.
    Hole(String),
    /// A text with holes in it.
    Text(Vec<Piece>),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    /// `[{% for .. %}item,{% endfor %}]`
    EachItem {
        head: String,
        item: Box<Node>,
    },
    /// `{ {% for .. %}"key": value,{% endfor %} }`
    EachMember {
        head: String,
        key: String,
        value: Box<Node>,
    },
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// Stays as it was pasted.
    Pasted(String),
    /// An expression: `{{ .. }}`.
    Hole(String),
    /// Tags and what is between them, as they are.
    Raw(String),
}

impl Node {
    /// A text that is one hole.
    pub(super) fn text(expression: impl Into<String>) -> Node {
        Node::Text(vec![Piece::Hole(expression.into())])
    }

    /// The value as pasted, without holes.
    pub(super) fn pasted(json: &Json) -> Node {
        match json {
            Json::Array(items) => Node::List(items.iter().map(Node::pasted).collect()),
            Json::Object(members) => {
                Node::Map(members.iter().map(|(key, value)| (key.clone(), Node::pasted(value))).collect())
            }
            scalar => Node::Pasted(scalar.clone()),
        }
    }

    /// The template's text; what does not fit a line is broken into several.
    pub(super) fn write(&self) -> String {
        self.lines(0)
    }

    fn lines(&self, indent: usize) -> String {
        let flat = self.flat();
        let most = if indent > 0 {
            96 - indent.min(48)
        } else if self.is_shallow() {
            108
        } else {
            72
        };
        if flat.len() <= most || !self.has_members() {
            return flat;
        }
        let (inner, outer) = ("  ".repeat(indent / 2 + 1), "  ".repeat(indent / 2));
        let list = |open: &str, close: &str, lines: Vec<String>| {
            let lines: Vec<String> = lines.into_iter().map(|line| format!("{inner}{line}")).collect();
            format!("{open}\n{}\n{outer}{close}", lines.join(",\n"))
        };
        match self {
            Node::List(items) => list("[", "]", items.iter().map(|i| i.lines(indent + 2)).collect()),
            Node::Map(members) => {
                let line = |(k, v): &(String, Node)| format!("{}: {}", quoted(k), v.lines(indent + 2));
                list("{", "}", members.iter().map(line).collect())
            }
            Node::EachItem { head, item } => {
                format!("[{{% {head} %}}\n{inner}{},\n{outer}{{% endfor %}}]", item.lines(indent + 2))
            }
            Node::EachMember { head, key, value } => {
                let value = value.lines(indent + 2);
                format!("{{ {{% {head} %}}\n{inner}\"{key}\": {value},\n{outer}{{% endfor %}} }}")
            }
            Node::Pasted(_) | Node::Hole(_) | Node::Text(_) => flat,
        }
    }

    /// Whether nothing in it has members of its own.
    fn is_shallow(&self) -> bool {
        match self {
            Node::List(items) => !items.iter().any(Node::has_members),
            Node::Map(members) => !members.iter().any(|(_, value)| value.has_members()),
            _ => true,
        }
    }

    fn has_members(&self) -> bool {
        match self {
            Node::List(items) => !items.is_empty(),
            Node::Map(members) => !members.is_empty(),
            Node::EachItem { .. } | Node::EachMember { .. } => true,
            _ => false,
        }
    }

    fn flat(&self) -> String {
        match self {
            Node::Pasted(Json::String(text)) => quoted(text),
            Node::Pasted(json) => json.to_string(),
            Node::Hole(expression) => format!("{{{{ {expression} }}}}"),
            Node::Text(pieces) => {
                format!("\"{}\"", pieces.iter().map(|p| p.write(escaped)).collect::<String>())
            }
            Node::List(items) => {
                format!("[{}]", items.iter().map(Node::flat).collect::<Vec<_>>().join(", "))
            }
            Node::Map(members) if members.is_empty() => "{}".to_owned(),
            Node::Map(members) => {
                let pairs = members.iter().map(|(k, v)| format!("{}: {}", quoted(k), v.flat()));
                format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
            }
            Node::EachItem { head, item } => format!("[{{% {head} %}}{},{{% endfor %}}]", item.flat()),
            Node::EachMember { head, key, value } => {
                format!("{{ {{% {head} %}}\"{key}\": {},{{% endfor %}} }}", value.flat())
            }
        }
    }
}

impl Piece {
    fn write(&self, escape: fn(&str) -> String) -> String {
        match self {
            Piece::Pasted(text) => escape(text),
            Piece::Hole(expression) => format!("{{{{ {expression} }}}}"),
            Piece::Raw(text) => text.clone(),
        }
    }
}

/// Pieces as a template that is not JSON: a message, a header, a page.
pub(super) fn plain(pieces: &[Piece]) -> String {
    pieces.iter().map(|piece| piece.write(untagged)).collect()
}

/// `text` with values replaced by holes, each wherever it stands on its own.
pub(super) fn replaced(text: &str, values: &[(String, String)]) -> Vec<Piece> {
    for (value, name) in values {
        if let Some(at) = find_word(text, value) {
            let mut out = replaced(&text[..at], values);
            out.push(Piece::Hole(name.clone()));
            out.extend(replaced(&text[at + value.len()..], values));
            return out;
        }
    }
    if text.is_empty() { Vec::new() } else { vec![Piece::Pasted(text.to_owned())] }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Text inside of a JSON string, in which nothing is a tag and nothing ends a TOML literal.
fn escaped(text: &str) -> String {
    let json = Json::from(text).to_string();
    let mut out = String::new();
    let mut rest = json[1..json.len() - 1].chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            // At its end the text may be followed by a hole.
            '{' if rest.peek().is_none_or(|next| "{%#".contains(*next)) => out.push_str("\\u007b"),
            '\'' if out.ends_with("''") => out.push_str("\\u0027"),
            c => out.push(c),
        }
    }
    out
}

/// Text outside of JSON, in which nothing is a tag.
fn untagged(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '{' if rest.peek().is_none_or(|next| "{%#".contains(*next)) => out.push_str("{{ \"{\" }}"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_pasted_is_never_a_tag() {
        let node = Node::pasted(&json!({ "a": "{{ user.id }}", "{%": "it'''s {" }));
        assert_eq!(node.write(), r#"{ "a": "\u007b{ user.id }}", "\u007b%": "it''\u0027s \u007b" }"#);
        assert_eq!(plain(&[Piece::Pasted("{{{".into())]), "{{ \"{\" }}{{ \"{\" }}{{ \"{\" }}");
    }

    #[test]
    fn long_bodies_are_broken_and_short_ones_are_not() {
        let long = "x".repeat(60);
        let node = Node::Map(vec![
            ("a".into(), Node::Hole("user.id".into())),
            ("b".into(), Node::pasted(&json!({ "c": [long], "d": [] }))),
        ]);
        assert_eq!(
            node.write(),
            format!("{{\n  \"a\": {{{{ user.id }}}},\n  \"b\": {{ \"c\": [\"{long}\"], \"d\": [] }}\n}}")
        );
        assert_eq!(Node::List(vec![Node::text("message")]).write(), r#"["{{ message }}"]"#);
    }
}
