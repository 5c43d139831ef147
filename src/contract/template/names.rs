//! Which names a template or expression may use where it stands, and the complaints about those it may not.

use super::bad::Bad;
use super::engine::{FILTERS, FUNCTIONS, TESTS};
use super::parse::{Branch, Condition, Node, Otherwise};
use super::scan::{Expr, Use, UseKind};
use crate::contract::language;
use crate::spelling::nearest;
use crate::user::Meaning;
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
    /// A value that is never written, and so no name here.
    Secret,
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
                Node::If { branches, otherwise } => self.choice(branches, otherwise.as_ref()),
                Node::For { names, over, body, otherwise, .. } => {
                    self.turns(names, over, body, otherwise.as_ref())
                }
            }
        }
    }

    /// A name that is set in every branch is known afterwards; one that is set in some is not.
    fn choice(&mut self, branches: &[Branch], otherwise: Option<&Otherwise>) {
        let outer = self.scope.clone();
        let mut ends: Vec<BTreeMap<String, Shape>> = Vec::new();
        for branch in branches {
            match &branch.condition {
                Condition::Expr(expr) => self.expression(expr),
                Condition::NotLast if !self.scope.contains_key("loop") => {
                    self.bad.push(Bad::new(branch.tag.clone(), "`loop` is known inside a loop only"));
                }
                Condition::NotLast => {}
            }
            self.block(&branch.body);
            ends.push(std::mem::replace(&mut self.scope, outer.clone()));
        }
        if let Some(otherwise) = otherwise {
            self.block(&otherwise.body);
            ends.push(std::mem::replace(&mut self.scope, outer));
            let (first, others) = ends.split_first().expect("an `if` has a branch");
            let common = first.iter().filter(|(name, _)| others.iter().all(|o| o.contains_key(*name)));
            self.scope = common.map(|(name, shape)| (name.clone(), shape.clone())).collect();
        }
    }

    fn turns(&mut self, names: &[String], over: &Expr, body: &[Node], otherwise: Option<&Otherwise>) {
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
        self.scope = outer.clone();
        self.block(otherwise.map(|o| o.body.as_slice()).unwrap_or_default());
        self.scope = outer;
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
                UseKind::Pattern(text) => {
                    language::pattern(text).err().map(|e| Bad::new(item.at.clone(), e.to_string()))
                }
                UseKind::Text { text, argument_of } => match argument_of.as_deref() {
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
                        let known = members.iter().filter(|(_, shape)| **shape != Shape::Secret);
                        let known: Vec<String> = known.map(|(k, _)| format!("{room}.{k}")).collect();
                        let known: Vec<&str> = known.iter().map(String::as_str).collect();
                        return Some(unknown_name(&format!("{room}.{part}"), &known, item));
                    }
                },
                Shape::Secret => break,
                Shape::Value | Shape::List(_) | Shape::Token => {
                    let room = path[..i].join(".").replace(".[]", "[0]");
                    return Some(Bad::new(item.at.clone(), format!("`{room}` has no member `{part}`")));
                }
            };
        }
        match shape {
            Shape::Secret => Some(
                Bad::new(item.at.clone(), format!("`{}` is never shown", path.join(".")))
                    .help("it is the password, is compared with it or named like it, or is a credential"),
            ),
            Shape::Members(members) => {
                let room = path.join(".").replace(".[]", "[0]");
                let bad = Bad::new(item.at.clone(), format!("`{room}` is not a value"));
                let member = members.iter().find(|(_, shape)| **shape != Shape::Secret);
                Some(match member {
                    Some((name, _)) => bad.help(format!("name one of its members, such as `{room}.{name}`")),
                    None => bad,
                })
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
    let help = match (elsewhere(what, name), nearest(name, known.iter().copied())) {
        (Some(help), _) => help.to_owned(),
        (None, Some(near)) => format!("did you mean `{near}`?"),
        (None, None) => format!("{what}s are: {}", known.join(", ")),
    };
    Some(Bad::new(item.at.clone(), format!("there is no {what} `{name}`")).help(help))
}

/// What to write for a filter that other template languages have.
fn elsewhere(what: &str, name: &str) -> Option<&'static str> {
    Some(match name {
        _ if what != "filter" => return None,
        "safe" | "escape" | "e" | "forceescape" | "raw" => {
            "values are always escaped for the place where they stand; no filter changes that"
        }
        "tojson" | "dump" => "outside of quotes a value is written as JSON without a filter",
        "default" | "d" => "write `value or \"x\"`",
        "count" | "size" => "did you mean `length`?",
        "first" => "write `errors[0]`",
        _ => return None,
    })
}

fn unknown_name(name: &str, known: &[&str], item: &Use) -> Bad {
    if name == "user.password" {
        return Bad::new(item.at.clone(), "the password never leaves").help("remove it from the reply");
    }
    if let Some(help) = other_place(name) {
        return Bad::new(item.at.clone(), format!("nothing is called `{name}` here")).help(help);
    }
    let near = nearest(name, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
    let help = near.or_else(|| missing(name)).unwrap_or_else(|| format!("known here: {}", known.join(", ")));
    Bad::new(item.at.clone(), format!("nothing is called `{name}` here")).help(help)
}

/// Names that exist in another place.
fn other_place(name: &str) -> Option<&'static str> {
    Some(match name {
        "user" | "tokens" => "there is an account, and so a user, in [register.created] only",
        "errors" | "reason" | "retry_after" => "only refusals know it",
        "e" | "error" => "errors are named by a loop: {% for e in errors %} .. {% endfor %}",
        "user.password_sha256" => "ask for it with reveal = [\"password_sha256\"]",
        _ => return None,
    })
}

/// What to add, for a name that is read but never written.
fn missing(name: &str) -> Option<String> {
    let (room, member) = name.split_once('.')?;
    match (room, member) {
        ("user", "extra") => {
            Some("no field is stored beside the usual ones: into = \"extra.NAME\"".to_owned())
        }
        ("user", member) => match member.parse::<Meaning>() {
            Ok(meaning) => Some(format!("no field means it; give one into = \"{meaning}\"")),
            Err(_) => {
                Some(format!("other values are called `user.extra.{}`", member.trim_start_matches("extra.")))
            }
        },
        ("input", member) => Some(format!("add a field: {{ name = \"{member}\" }}")),
        ("tokens", member) => {
            Some(format!("add tokens.{member} = {{ claims = '..' }} or {{ random = \"[a-z0-9]{{32}}\" }}"))
        }
        _ => None,
    }
}
