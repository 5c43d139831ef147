//! Templates: your old response, pasted, with its values replaced.
//!
//! The block structure (`if`, `for`, `set`) is ours, so that every tag's place is known and JSON can be proved; what
//! stands inside a tag is a MiniJinja expression. Quotes decide: bare, `{{ x }}` writes a JSON value; inside quotes
//! it writes escaped text.

mod bad;
mod compact;
mod engine;
#[cfg(test)]
mod fuzz;
mod grammar;
mod json;
mod link;
mod markup;
mod names;
mod parse;
mod prove;
mod render;
mod scan;
mod values;
mod word;
mod write;

pub(crate) use bad::Bad;
pub(crate) use names::{Names, Shape};
pub(crate) use render::{RenderError, Trace};
pub(crate) use scan::{Expr, UseKind};
pub(crate) use values::{Absent, Hidden, Lazy, Name, Room, Time, from_json, seen};

use minijinja::Value;
use parse::{Node, Otherwise};

/// A template value as JSON text; what cannot be written is an error.
pub(crate) fn write_json(out: &mut String, value: &Value) -> Result<(), minijinja::Error> {
    write::json(out, value, 0)
}

/// What a template writes, and so how values are escaped in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Html,
    Xml,
    Header,
    /// A header that holds a link.
    Location,
    Plain,
}

/// A template that is read, proved and ready.
#[derive(Debug)]
pub(crate) struct Template {
    source: String,
    nodes: Vec<Node>,
    format: Format,
    /// Where its literal stands in the contract file; empty when it is built in.
    origin: std::ops::Range<usize>,
}

impl Template {
    /// Reads `source`, proves it (all but plain text) and checks every name in it. All complaints but structural ones at once.
    pub(crate) fn compile(source: &str, format: Format, names: &Names) -> Result<Template, Vec<Bad>> {
        let nodes = parse::parse(source).map_err(|bad| vec![bad])?;
        let mut bad = names.check(&nodes);
        let unproved = match format {
            Format::Json if source.trim().is_empty() => None,
            Format::Json => prove::prove(source, &nodes, json::Automaton::new()).err(),
            Format::Html => prove::prove(source, &nodes, markup::Page::html()).err(),
            Format::Xml => prove::prove(source, &nodes, markup::Page::xml(source)).err(),
            Format::Location => prove::prove(source, &nodes, link::Location::new()).err(),
            Format::Header | Format::Plain => None,
        };
        bad.extend(unproved.map(|bad| Bad { not_json: format == Format::Json, ..bad }));
        if bad.is_empty() {
            Ok(Template { source: source.to_owned(), nodes, format, origin: 0..0 })
        } else {
            Err(bad)
        }
    }

    /// The same template, from the literal at `origin` of the contract file.
    pub(crate) fn placed(mut self, origin: std::ops::Range<usize>) -> Template {
        self.origin = origin;
        self
    }

    pub(crate) fn origin(&self) -> std::ops::Range<usize> {
        self.origin.clone()
    }

    /// The template's text.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Whether it writes JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// What it writes whatever happens, when it is text without tags.
    pub(crate) fn literal(&self) -> Option<&str> {
        let constant = self.format != Format::Json
            && match self.nodes.as_slice() {
                [] => self.source.trim().is_empty(),
                // A note beside it is not written.
                [Node::Text(range)] => *range == (0..self.source.len()),
                _ => false,
            };
        constant.then(|| if self.source.trim().is_empty() { "" } else { self.source.as_str() })
    }

    /// Every expression in it.
    pub(crate) fn expressions(&self) -> Vec<&Expr> {
        let mut out = Vec::new();
        collect(&self.nodes, &mut out);
        out
    }

    /// Whether it mentions `path`, or something inside it.
    pub(crate) fn mentions(&self, path: &[&str]) -> bool {
        self.expressions().iter().any(|e| e.mentions(path))
    }

    /// The tags of all its branches.
    pub(crate) fn branches(&self) -> Vec<std::ops::Range<usize>> {
        let mut out = Vec::new();
        branches(&self.nodes, &mut out);
        out
    }
}

fn body_of(otherwise: Option<&Otherwise>) -> &[Node] {
    otherwise.map(|o| o.body.as_slice()).unwrap_or_default()
}

fn collect<'n>(nodes: &'n [Node], out: &mut Vec<&'n Expr>) {
    for node in nodes {
        match node {
            Node::Text(_) => {}
            Node::Emit { expr, .. } | Node::Set { expr, .. } => out.push(expr),
            Node::If { branches, otherwise } => {
                for branch in branches {
                    if let parse::Condition::Expr(expr) = &branch.condition {
                        out.push(expr);
                    }
                    collect(&branch.body, out);
                }
                collect(body_of(otherwise.as_ref()), out);
            }
            Node::For { over, body, otherwise, .. } => {
                out.push(over);
                collect(body, out);
                collect(body_of(otherwise.as_ref()), out);
            }
        }
    }
}

fn branches(nodes: &[Node], out: &mut Vec<std::ops::Range<usize>>) {
    for node in nodes {
        match node {
            Node::If { branches: list, otherwise } => {
                for branch in list {
                    // The separator of a list that never has two items is harmless.
                    if let parse::Condition::Expr(_) = branch.condition {
                        out.push(branch.tag.clone());
                    }
                    branches(&branch.body, out);
                }
                out.extend(otherwise.iter().map(|o| o.tag.clone()));
                branches(body_of(otherwise.as_ref()), out);
            }
            Node::For { tag, body, otherwise, .. } => {
                out.push(tag.clone());
                branches(body, out);
                out.extend(otherwise.iter().map(|o| o.tag.clone()));
                branches(body_of(otherwise.as_ref()), out);
            }
            _ => {}
        }
    }
}
