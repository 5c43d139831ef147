//! Writing a template.

use super::compact::Writer;
use super::grammar::Fault;
use super::parse::{Branch, Condition, Node, Otherwise};
use super::scan::{Code, Expr};
use super::values::{Layer, Room};
use super::{Format, Template, write};
use minijinja::Value;
use minijinja::value::ValueKind;
use std::collections::BTreeSet;
use std::ops::Range;

/// The longest answer, in bytes.
pub(crate) const MOST_BYTES: usize = 64 * 1024;
/// Nodes one rendering may visit, and turns of empty loops it may take.
const MOST_STEPS: usize = 20_000;
const TOO_LONG: &str = "this answer grows too long";

/// Why a template could not be written, and the tag (byte range in its text) at which it stopped.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{what}")]
pub(crate) struct RenderError {
    pub(crate) at: Range<usize>,
    pub(crate) what: String,
    /// Whether the text itself, and not a value, was at fault. The proof rules that out.
    pub(crate) unproved: bool,
}

impl RenderError {
    fn new(at: Range<usize>, what: impl Into<String>) -> Self {
        RenderError { at, what: what.into(), unproved: false }
    }

    fn unproved(at: Range<usize>, fault: Fault) -> Self {
        RenderError { unproved: true, ..RenderError::new(at, fault) }
    }

    pub(crate) fn not_a_header(template: &Template) -> Self {
        RenderError::new(0..template.source.len(), "this is not a header value")
    }
}

/// Which branches and loops were entered, by where their tags begin.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// Whether a list inside text is a mistake of the contract's author, because every value is of its type.
    pub(crate) strict: bool,
    pub(crate) entered: BTreeSet<usize>,
}

impl Template {
    /// Writes the template with the names that `scene` (a room) has.
    pub(crate) fn render(&self, scene: &Value) -> Result<String, RenderError> {
        render(self, scene, None)
    }

    /// The same, noting which branches were entered.
    pub(crate) fn rehearse(&self, scene: &Value, trace: &mut Trace) -> Result<String, RenderError> {
        render(self, scene, Some(trace))
    }
}

fn render(template: &Template, scene: &Value, trace: Option<&mut Trace>) -> Result<String, RenderError> {
    if template.source.trim().is_empty() {
        return Ok(String::new());
    }
    let mut run = Run {
        source: &template.source,
        scene,
        locals: Vec::new(),
        steps: 0,
        trace,
        out: match template.format {
            Format::Json => Out::Json(Writer::new()),
            format => Out::Text(format, String::new()),
        },
    };
    run.block(&template.nodes)?;
    let end = template.source.len().saturating_sub(1)..template.source.len();
    if run.len() > MOST_BYTES {
        return Err(RenderError::new(end, TOO_LONG));
    }
    match run.out {
        Out::Json(writer) => writer.finish().map_err(|fault| RenderError::unproved(end, fault)),
        Out::Text(_, text) => Ok(text),
    }
}

enum Out {
    Json(Writer),
    Text(Format, String),
}

struct Run<'r> {
    source: &'r str,
    scene: &'r Value,
    locals: Vec<(Box<str>, Value)>,
    steps: usize,
    trace: Option<&'r mut Trace>,
    out: Out,
}

impl Run<'_> {
    fn block(&mut self, nodes: &[Node]) -> Result<(), RenderError> {
        for node in nodes {
            self.step(place(node))?;
            match node {
                Node::Text(range) => self.text(range)?,
                Node::Emit { tag, expr } => {
                    let value = self.eval(expr)?;
                    self.emit(tag, &value)?;
                }
                Node::Set { name, expr, .. } => {
                    let value = self.eval(expr)?;
                    if value.as_str().is_some_and(|text| text.len() > MOST_BYTES) {
                        // Setting a name again and again could double a text each time.
                        return Err(RenderError::new(expr.at.clone(), "this text grows too long"));
                    }
                    self.locals.push((name.as_str().into(), value));
                }
                Node::If { branches, otherwise } => self.choose(branches, otherwise.as_ref())?,
                Node::For { tag, names, over, body, otherwise } => {
                    self.turns(tag, names, over, (body, otherwise.as_ref()))?;
                }
            }
        }
        Ok(())
    }

    /// Counts a node, or a turn of a loop that has none.
    fn step(&mut self, at: Range<usize>) -> Result<(), RenderError> {
        self.steps += 1;
        match self.steps > MOST_STEPS || self.len() > MOST_BYTES {
            true => Err(RenderError::new(at, TOO_LONG)),
            false => Ok(()),
        }
    }

    fn len(&self) -> usize {
        match &self.out {
            Out::Json(writer) => writer.len(),
            Out::Text(_, text) => text.len(),
        }
    }

    fn text(&mut self, range: &Range<usize>) -> Result<(), RenderError> {
        let text = &self.source[range.clone()];
        match &mut self.out {
            Out::Json(writer) => {
                writer.literal(text).map_err(|fault| RenderError::unproved(range.clone(), fault))
            }
            Out::Text(_, out) => {
                out.push_str(text);
                Ok(())
            }
        }
    }

    fn emit(&mut self, tag: &Range<usize>, value: &Value) -> Result<(), RenderError> {
        let in_text = !matches!(&self.out, Out::Json(writer) if !writer.in_string());
        let strict = self.trace.as_ref().is_some_and(|t| t.strict);
        if strict && in_text && matches!(value.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::Iterable)
        {
            return Err(RenderError::new(tag.clone(), "a list or map cannot stand inside text"));
        }
        let written = match &mut self.out {
            Out::Json(writer) => {
                let in_string = writer.in_string();
                let fault = |fault| RenderError::unproved(tag.clone(), fault);
                let out = writer.hole().map_err(fault)?;
                if in_string { write::in_string(out, value) } else { write::json(out, value, 0) }
            }
            Out::Text(Format::Html | Format::Xml, out) => write::markup(out, value),
            Out::Text(Format::Header | Format::Location, out) => write::header(out, value),
            Out::Text(_, out) => write::plain(value).map(|text| out.push_str(&text)),
        };
        written.map_err(|e| failed(tag.clone(), &e))
    }

    fn choose(&mut self, branches: &[Branch], otherwise: Option<&Otherwise>) -> Result<(), RenderError> {
        for branch in branches {
            let taken = match &branch.condition {
                Condition::NotLast => !self.last(&branch.tag)?,
                Condition::Expr(expr) => self.eval(expr)?.is_true(),
            };
            if taken {
                self.note(&branch.tag);
                return self.block(&branch.body);
            }
        }
        self.otherwise(otherwise)
    }

    fn otherwise(&mut self, otherwise: Option<&Otherwise>) -> Result<(), RenderError> {
        let Some(otherwise) = otherwise else { return Ok(()) };
        self.note(&otherwise.tag);
        self.block(&otherwise.body)
    }

    fn last(&self, tag: &Range<usize>) -> Result<bool, RenderError> {
        let turn = self.locals.iter().rev().find(|(name, _)| &**name == "loop");
        let last = turn.and_then(|(_, turn)| turn.get_attr("last").ok());
        last.map(|last| last.is_true())
            .ok_or_else(|| RenderError::new(tag.clone(), "`loop` is known inside a loop only"))
    }

    fn turns(
        &mut self,
        tag: &Range<usize>,
        names: &[String],
        over: &Expr,
        (body, otherwise): (&[Node], Option<&Otherwise>),
    ) -> Result<(), RenderError> {
        let list = self.eval(over)?;
        let items: Vec<Value> = list.try_iter().map_err(|e| failed(tag.clone(), &e))?.collect();
        if items.is_empty() {
            return self.otherwise(otherwise);
        }
        self.note(tag);
        let frame = self.locals.len();
        let count = items.len();
        for (i, item) in items.into_iter().enumerate() {
            if body.is_empty() {
                self.step(tag.clone())?;
            }
            self.bind(tag, names, item)?;
            self.locals.push(("loop".into(), turn(i, count)));
            self.block(body)?;
            self.locals.truncate(frame);
        }
        Ok(())
    }

    fn bind(&mut self, tag: &Range<usize>, names: &[String], item: Value) -> Result<(), RenderError> {
        if let [name] = names {
            self.locals.push((name.as_str().into(), item));
            return Ok(());
        }
        for (i, name) in names.iter().enumerate() {
            let part = item.get_item_by_index(i).map_err(|e| failed(tag.clone(), &e))?;
            self.locals.push((name.as_str().into(), part));
        }
        Ok(())
    }

    fn eval(&self, expr: &Expr) -> Result<Value, RenderError> {
        expr.eval(self.scene, &self.locals).map_err(|e| failed(expr.at.clone(), &e))
    }

    fn note(&mut self, tag: &Range<usize>) {
        if let Some(trace) = &mut self.trace {
            trace.entered.insert(tag.start);
        }
    }
}

impl Expr {
    /// The expression's value with the names of `scene`, behind `locals`.
    pub(crate) fn eval(
        &self,
        scene: &Value,
        locals: &[(Box<str>, Value)],
    ) -> Result<Value, minijinja::Error> {
        match &self.code {
            Code::Path(path) => {
                let (first, members) = path.split_first().expect("a path has at least one part");
                let local = locals.iter().rev().find(|(name, _)| name == first);
                let mut value = match local {
                    Some((_, value)) => value.clone(),
                    None => scene.get_attr(first)?,
                };
                for member in members {
                    value = value.get_attr(member)?;
                }
                Ok(value)
            }
            Code::Compiled(expression) if locals.is_empty() => expression.eval(scene.clone()),
            Code::Compiled(expression) => {
                let layer = Layer { locals: locals.to_vec(), root: scene.clone() };
                expression.eval(Value::from_object(layer))
            }
        }
    }
}

fn turn(i: usize, count: usize) -> Value {
    let members = vec![
        ("index".into(), Value::from(i + 1)),
        ("index0".into(), Value::from(i)),
        ("first".into(), Value::from(i == 0)),
        ("last".into(), Value::from(i + 1 == count)),
        ("length".into(), Value::from(count)),
    ];
    Room::value("loop", members)
}

fn place(node: &Node) -> Range<usize> {
    match node {
        Node::Text(range) => range.clone(),
        Node::Emit { tag, .. } | Node::For { tag, .. } | Node::Set { tag, .. } => tag.clone(),
        Node::If { branches, .. } => branches[0].tag.clone(),
    }
}

fn failed(at: Range<usize>, error: &minijinja::Error) -> RenderError {
    let what = match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    };
    RenderError::new(at, what)
}
