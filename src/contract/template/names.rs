//! Which names a template or expression may use where it stands, and the complaints about those it may not.

use super::engine::{FILTERS, FUNCTIONS, TESTS};
use super::parse::{Bad, Condition, Node};
use super::scan::{Expr, Use, UseKind};
use crate::contract::language::{self, nearest};
use std::collections::BTreeMap;

/// What a name stands for, as far as the check needs to know.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    /// A plain value; it has no members that are known.
    Value,
    /// Anything may be inside: the client's own object.
    Open,
    /// A room: its members, and nothing else.
    Members(BTreeMap<String, Shape>),
    /// A list whose items look like this.
    List(Box<Shape>),
    /// A token: text, with the member `lifetime`.
    Token,
}

/// The names that are known at one place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(BTreeMap<String, Shape>);

impl Names {
    pub(crate) fn new() -> Self {
        Names::default()
    }

    /// Adds a plain value.
    pub(crate) fn value(mut self, name: &str) -> Self {
        self.0.insert(name.to_owned(), Shape::Value);
        self
    }

    /// Adds a name of any shape.
    pub(crate) fn with(mut self, name: &str, shape: Shape) -> Self {
        self.0.insert(name.to_owned(), shape);
        self
    }

    /// The complaints about one expression that stands alone (`check`, `if`, `clean`).
    pub(crate) fn check_expression(&self, expr: &Expr) -> Vec<Bad> {
        let mut check = Check { scope: self.0.clone(), bad: Vec::new() };
        check.expression(expr);
        check.bad
    }

    /// The complaints about a template.
    pub(super) fn check(&self, nodes: &[Node]) -> Vec<Bad> {
        let mut check = Check { scope: self.0.clone(), bad: Vec::new() };
        check.block(nodes);
        check.bad
    }
}

/// A room from its members' names.
impl<S: Into<String>> FromIterator<(S, Shape)> for Shape {
    fn from_iter<I: IntoIterator<Item = (S, Shape)>>(members: I) -> Self {
        Shape::Members(members.into_iter().map(|(k, v)| (k.into(), v)).collect())
    }
}

struct Check {
    scope: BTreeMap<String, Shape>,
    bad: Vec<Bad>,
}

impl Check {
    fn block(&mut self, nodes: &[Node]) {
        for node in nodes {
            match node {
                Node::Text(_) => {}
                Node::Emit { expr, .. } => self.expression(expr),
                Node::Set { name, expr, .. } => {
                    self.expression(expr);
                    let shape = self.shape(expr);
                    self.scope.insert(name.clone(), shape);
                }
                Node::If { branches, otherwise } => {
                    for branch in branches {
                        match &branch.condition {
                            Condition::Expr(expr) => self.expression(expr),
                            Condition::NotLast if !self.scope.contains_key("loop") => {
                                self.bad
                                    .push(Bad::new(branch.tag.clone(), "`loop` is known inside a loop only"));
                            }
                            Condition::NotLast => {}
                        }
                        self.block(&branch.body);
                    }
                    self.block(otherwise.as_deref().unwrap_or_default());
                }
                Node::For { names, over, body, otherwise, .. } => self.turns(names, over, body, otherwise),
            }
        }
    }

    fn turns(&mut self, names: &[String], over: &Expr, body: &[Node], otherwise: &[Node]) {
        self.expression(over);
        let item = match self.shape(over) {
            Shape::List(item) => *item,
            _ => Shape::Open,
        };
        let outer = self.scope.clone();
        let turn = ["index", "index0", "first", "last", "length"].map(|name| (name, Shape::Value));
        self.scope.insert("loop".to_owned(), turn.into_iter().collect());
        match names {
            [name] => drop(self.scope.insert(name.clone(), item)),
            names => {
                // `errors | by("field") | items` hands out a key and, without a second argument, a list of errors.
                let value = if over.source.contains("by(") { by_items(over, &outer) } else { Shape::Open };
                self.scope.insert(names[0].clone(), Shape::Value);
                self.scope.insert(names[1].clone(), value);
            }
        }
        self.block(body);
        self.scope = outer;
        self.block(otherwise);
    }

    /// The shape of an expression that is one path; anything else is open.
    fn shape(&self, expr: &Expr) -> Shape {
        let [Use { kind: UseKind::Name(path), at }] = expr.uses.as_slice() else { return Shape::Open };
        if at.len() != expr.at.len() {
            return Shape::Open;
        }
        let mut shape = self.scope.get(&path[0]);
        for part in &path[1..] {
            shape = match shape {
                Some(Shape::Members(members)) => members.get(part),
                Some(Shape::List(item)) if part == "[]" => Some(item.as_ref()),
                _ => None,
            };
        }
        shape.cloned().unwrap_or(Shape::Open)
    }

    fn expression(&mut self, expr: &Expr) {
        for item in &expr.uses {
            let complaint = match &item.kind {
                UseKind::Name(path) => self.name(path, item),
                UseKind::Filter(name) => unknown("filter", name, &FILTERS, item),
                UseKind::Test(name) => unknown("test", name, &TESTS, item),
                UseKind::Function(name) => unknown("function", name, &FUNCTIONS, item),
                UseKind::Text { text, argument_of } => match argument_of.as_deref() {
                    Some("matching") => {
                        language::pattern(text).err().map(|e| Bad::new(item.at.clone(), e.to_string()))
                    }
                    Some("after") if language::duration::span(text).is_none() => Some(Bad::new(
                        item.at.clone(),
                        "a duration reads \"15m\", \"1h\", \"7d\" or \"-16y\"",
                    )),
                    _ => None,
                },
            };
            self.bad.extend(complaint);
        }
    }

    fn name(&self, path: &[String], item: &Use) -> Option<Bad> {
        let mut shape = match self.scope.get(&path[0]) {
            Some(shape) => shape,
            None => {
                let known: Vec<&str> = self.scope.keys().map(String::as_str).collect();
                return Some(unknown_name(&path[0], &known, item));
            }
        };
        for (i, part) in path.iter().enumerate().skip(1) {
            shape = match shape {
                Shape::Open => return None,
                Shape::List(item) if part == "[]" => item,
                Shape::Token if part == "lifetime" => &Shape::Value,
                Shape::Members(members) => match members.get(part) {
                    Some(shape) => shape,
                    None => {
                        let room = path[..i].join(".").replace(".[]", "[0]");
                        let known: Vec<String> = members.keys().map(|k| format!("{room}.{k}")).collect();
                        let known: Vec<&str> = known.iter().map(String::as_str).collect();
                        return Some(unknown_name(&format!("{room}.{part}"), &known, item));
                    }
                },
                Shape::Value | Shape::List(_) | Shape::Token => {
                    let room = path[..i].join(".").replace(".[]", "[0]");
                    return Some(Bad::new(item.at.clone(), format!("`{room}` has no member `{part}`")));
                }
            };
        }
        match shape {
            Shape::Members(members) => {
                let member = members.keys().next()?;
                Some(
                    Bad::new(item.at.clone(), format!("`{}` is not a value", path.join(".")))
                        .help(format!("name one of its members, such as `{}.{member}`", path.join("."))),
                )
            }
            _ => None,
        }
    }
}

fn by_items(over: &Expr, scope: &BTreeMap<String, Shape>) -> Shape {
    let arguments = over.uses.iter().filter(|u| matches!(u.kind, UseKind::Text { .. })).count();
    match scope.get("errors") {
        Some(errors) if arguments == 1 && over.mentions(&["errors"]) => errors.clone(),
        _ => Shape::Open,
    }
}

fn unknown(what: &str, name: &str, known: &[&str], item: &Use) -> Option<Bad> {
    if known.contains(&name) {
        return None;
    }
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{what}s are: {}", known.join(", ")),
    };
    Some(Bad::new(item.at.clone(), format!("there is no {what} `{name}`")).help(help))
}

fn unknown_name(name: &str, known: &[&str], item: &Use) -> Bad {
    if name == "user.password" {
        return Bad::new(item.at.clone(), "the password never leaves").help("remove it from the reply");
    }
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", known.join(", ")),
    };
    Bad::new(item.at.clone(), format!("nothing is called `{name}` here")).help(help)
}
