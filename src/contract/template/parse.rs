//! A template's text, cut into literal text and tags. Tags nest here; what stands inside one is an expression.

use super::bad::Bad;
use super::scan::{self, Expr};
use std::iter::Peekable;
use std::ops::Range;
use std::vec::IntoIter;

#[derive(Debug)]
pub(crate) enum Node {
    Text(Range<usize>),
    /// `{{ value }}`
    Emit {
        tag: Range<usize>,
        expr: Expr,
    },
    /// `{% if %}` `{% elif %}` `{% else %}`
    If {
        branches: Vec<Branch>,
        otherwise: Option<Otherwise>,
    },
    /// `{% for a, b in values %}` `{% else %}`
    For {
        tag: Range<usize>,
        names: Vec<String>,
        over: Expr,
        body: Vec<Node>,
        otherwise: Option<Otherwise>,
    },
    /// `{% set name = value %}`
    Set {
        tag: Range<usize>,
        name: String,
        expr: Expr,
    },
}

#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) tag: Range<usize>,
    pub(crate) condition: Condition,
    pub(crate) body: Vec<Node>,
}

/// `{% else %}` and what follows it.
#[derive(Debug)]
pub(crate) struct Otherwise {
    pub(crate) tag: Range<usize>,
    pub(crate) body: Vec<Node>,
}

#[derive(Debug)]
pub(crate) enum Condition {
    /// `not loop.last`: true on every turn but the last, which the proof knows.
    NotLast,
    Expr(Expr),
}

/// Reads a template. The first mistake in its structure ends the reading.
pub(crate) fn parse(source: &str) -> Result<Vec<Node>, Bad> {
    let mut parser = Parser { source, items: lex(source)?.into_iter().peekable(), depth: 0 };
    let (nodes, end) = parser.block()?;
    match end {
        None => Ok(nodes),
        Some((word, at)) => Err(Bad::new(at, format!("`{word}` without a beginning"))),
    }
}

enum Item {
    Text(Range<usize>),
    Tag(Tag),
}

struct Tag {
    range: Range<usize>,
    inner: Range<usize>,
    kind: u8,
}

fn lex(source: &str) -> Result<Vec<Item>, Bad> {
    let bytes = source.as_bytes();
    let (mut items, mut i, mut text) = (Vec::new(), 0, 0);
    while i + 1 < bytes.len() {
        if bytes[i] != b'{' || !matches!(bytes[i + 1], b'{' | b'%' | b'#') {
            i += 1;
            continue;
        }
        if bytes[i + 1] == b'{' && bytes.get(i + 2) == Some(&b'{') {
            return Err(Bad::new(i..i + 3, "three braces in a row")
                .help("put a space between the JSON brace and the tag: `{ {{`"));
        }
        if text < i {
            items.push(Item::Text(text..i));
        }
        let tag = tag(bytes, i)?;
        i = tag.range.end;
        text = i;
        items.push(Item::Tag(tag));
    }
    if text < bytes.len() {
        items.push(Item::Text(text..bytes.len()));
    }
    Ok(items)
}

fn tag(bytes: &[u8], start: usize) -> Result<Tag, Bad> {
    let kind = bytes[start + 1];
    let close: &[u8] = match kind {
        b'{' => b"}}",
        b'%' => b"%}",
        _ => b"#}",
    };
    let (mut i, mut quote) = (start + 2, 0u8);
    loop {
        if i + 1 >= bytes.len() {
            return Err(Bad::new(start..start + 2, "this tag is never closed"));
        }
        if quote != 0 {
            if bytes[i] == b'\\' {
                i += 1;
            } else if bytes[i] == quote {
                quote = 0;
            }
        } else if bytes[i..].starts_with(close) {
            break;
        } else if kind != b'#' && matches!(bytes[i], b'"' | b'\'') {
            quote = bytes[i];
        }
        i += 1;
    }
    if kind != b'#' && matches!(bytes.get(start + 2), Some(b'-' | b'+')) {
        return Err(Bad::new(start..start + 3, "white-space control is not needed here")
            .help("answers are written compactly; remove the sign"));
    }
    Ok(Tag { range: start..i + 2, inner: start + 2..i, kind })
}

/// The word and place of the tag that ended a block: `elif`, `else`, `endif`, `endfor`.
type End = Option<(String, Range<usize>)>;

struct Parser<'s> {
    source: &'s str,
    items: Peekable<IntoIter<Item>>,
    depth: usize,
}

impl Parser<'_> {
    fn block(&mut self) -> Result<(Vec<Node>, End), Bad> {
        let mut nodes = Vec::new();
        while let Some(item) = self.items.next() {
            let tag = match item {
                Item::Text(range) => {
                    nodes.push(Node::Text(range));
                    continue;
                }
                Item::Tag(tag) => tag,
            };
            match tag.kind {
                b'#' => continue,
                b'{' => nodes.push(Node::Emit { expr: self.expr(tag.inner)?, tag: tag.range }),
                _ => match self.statement(tag)? {
                    Statement::Node(node) => nodes.push(node),
                    Statement::End(end) => return Ok((nodes, Some(end))),
                },
            }
        }
        Ok((nodes, None))
    }

    fn statement(&mut self, tag: Tag) -> Result<Statement, Bad> {
        let inner = trimmed(self.source, tag.inner.clone());
        let words = &self.source[inner.clone()];
        let first = words.split_whitespace().next().unwrap_or("");
        let rest = inner.start + first.len()..inner.end;
        match first {
            "if" | "for" => {
                self.depth += 1;
                if self.depth > 16 {
                    return Err(Bad::new(tag.range, "tags are nested too deep").help("16 levels are allowed"));
                }
                let node = if first == "if" {
                    self.branches(tag.range, rest)?
                } else {
                    self.turns(tag.range, rest)?
                };
                self.depth -= 1;
                Ok(Statement::Node(node))
            }
            "set" => self.set(tag.range, rest).map(Statement::Node),
            "elif" | "else" | "endif" | "endfor" => {
                Ok(Statement::End((words.to_owned(), tag.range.start..tag.range.end)))
            }
            other => Err(Bad::new(tag.range, format!("`{other}` is not part of the contract language"))
                .help(
                    "templates know {{ value }}, {% if %}, {% for %}, {% set x = ... %} and {# comment #}",
                )),
        }
    }

    fn branches(&mut self, opening: Range<usize>, condition: Range<usize>) -> Result<Node, Bad> {
        let mut branches = Vec::new();
        let (mut tag, mut condition) = (opening.clone(), condition);
        loop {
            let expr = self.condition(condition)?;
            let (body, end) = self.block()?;
            branches.push(Branch { tag, condition: expr, body });
            let Some((words, at)) = end else { return Err(unclosed(opening, "if", "endif")) };
            if words == "endif" {
                return Ok(Node::If { branches, otherwise: None });
            }
            if words == "else" {
                let (body, end) = self.block()?;
                let otherwise = Some(Otherwise { tag: at, body });
                return match end {
                    Some((word, _)) if word == "endif" => Ok(Node::If { branches, otherwise }),
                    _ => Err(unclosed(opening, "if", "endif")),
                };
            }
            if words.starts_with("else") {
                return Err(Bad::new(at, "`else` takes no condition").help("write {% elif .. %}"));
            }
            let Some(_) = words.strip_prefix("elif") else { return Err(unclosed(opening, "if", "endif")) };
            let inner = trimmed(self.source, at.start + 2..at.end - 2);
            condition = inner.start + "elif".len()..inner.end;
            tag = at;
        }
    }

    fn condition(&self, range: Range<usize>) -> Result<Condition, Bad> {
        if self.source[range.clone()].split_whitespace().eq(["not", "loop.last"]) {
            return Ok(Condition::NotLast);
        }
        self.expr(range).map(Condition::Expr)
    }

    fn turns(&mut self, tag: Range<usize>, head: Range<usize>) -> Result<Node, Bad> {
        let text = &self.source[head.clone()];
        let Some(split) = text.find(" in ") else {
            return Err(Bad::new(tag, "a loop reads {% for item in list %}"));
        };
        let names: Vec<String> = text[..split].split(',').map(|n| n.trim().to_owned()).collect();
        if let Some(taken) = names.iter().find_map(|name| taken(name, &tag)) {
            return Err(taken);
        }
        if names.len() > 2 || !names.iter().all(|n| scan::is_identifier(n)) {
            return Err(Bad::new(tag, "a loop names one or two variables: {% for field, list in ... %}"));
        }
        let over = self.expr(head.start + split + " in ".len()..head.end)?;
        let (body, mut end) = self.block()?;
        let mut otherwise = None;
        if let Some((_, at)) = end.take_if(|(word, _)| word == "else") {
            let (body, next) = self.block()?;
            otherwise = Some(Otherwise { tag: at, body });
            end = next;
        }
        match end {
            Some((word, _)) if word == "endfor" => Ok(Node::For { tag, names, over, body, otherwise }),
            _ => Err(unclosed(tag, "for", "endfor")),
        }
    }

    fn set(&self, tag: Range<usize>, head: Range<usize>) -> Result<Node, Bad> {
        let text = &self.source[head.clone()];
        let split = text.find('=').filter(|i| scan::is_identifier(text[..*i].trim()));
        let Some(split) = split else {
            return Err(Bad::new(tag, "a name is set with {% set name = value %}"));
        };
        if let Some(taken) = taken(text[..split].trim(), &tag) {
            return Err(taken);
        }
        let expr = self.expr(head.start + split + 1..head.end)?;
        Ok(Node::Set { tag, name: text[..split].trim().to_owned(), expr })
    }

    fn expr(&self, range: Range<usize>) -> Result<Expr, Bad> {
        let range = trimmed(self.source, range);
        Expr::compile(&self.source[range.clone()])
            .map_err(|mut bad| {
                bad.at = bad.at.start + range.start..bad.at.end + range.start;
                bad
            })
            .map(|expr| expr.moved(range.start))
    }
}

enum Statement {
    Node(Node),
    End((String, Range<usize>)),
}

/// Names that keep their meaning everywhere.
fn taken(name: &str, tag: &Range<usize>) -> Option<Bad> {
    let means = match name {
        "loop" => "`loop` is what a loop calls its turns",
        "request" => "`request` is the request everywhere",
        _ => return None,
    };
    Some(Bad::new(tag.clone(), means).help("use another name"))
}

fn unclosed(tag: Range<usize>, word: &str, end: &str) -> Bad {
    Bad::new(tag, format!("`{word}` is never closed with `{end}`"))
}

fn trimmed(source: &str, range: Range<usize>) -> Range<usize> {
    let text = &source[range.clone()];
    let start = range.start + text.len() - text.trim_start().len();
    start..(start + text.trim().len())
}
