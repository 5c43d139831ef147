//! Where values come from, and mistakes shown like a compiler's.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::setting::ValueError;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `config.default.toml`.
    Default,
    /// A configuration file; line and column count from 1, the column in characters.
    File {
        /// The path as it was given.
        path: String,
        /// The line of the value.
        line: usize,
        /// The column of the value's first character.
        column: usize,
    },
    /// An environment variable of this name.
    Variable(String),
    /// A flag, with its dashes.
    Flag(String),
    /// A file that holds one secret.
    SecretFile {
        /// The path as it was given.
        path: PathBuf,
        /// What named the file.
        named_by: Box<Origin>,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line, column } => write!(f, "{path}:{line}:{column}"),
            Origin::Variable(name) => write!(f, "environment variable {name}"),
            Origin::Flag(flag) => write!(f, "flag {flag}"),
            Origin::SecretFile { path, named_by } => write!(f, "{} (named by {named_by})", path.display()),
        }
    }
}

/// An origin and, when it is a file, the line to show.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) origin: Origin,
    pub(super) excerpt: Option<Excerpt>,
}

/// One line of a file in which every secret is already masked, and the bytes of it that are meant.
#[derive(Clone, Debug)]
pub(super) struct Excerpt {
    pub(super) text: String,
    pub(super) span: Range<usize>,
}

/// One mistake. Holds no secret.
#[derive(Clone, Debug)]
pub struct Problem {
    place: Place,
    message: String,
    hint: Option<String>,
}

impl Problem {
    pub(super) fn new(place: Place, message: String) -> Problem {
        Problem { place, message, hint: None }
    }

    /// The complaint of a value about itself; a list's complaint becomes one for each bad item.
    pub(super) fn of_value(key: &str, error: ValueError, place: &Place, items: &[Place]) -> Vec<Problem> {
        let ValueError::Items(mistakes) = error else {
            let hint = error.hint();
            return vec![Problem { place: place.clone(), message: format!("`{key}` {error}"), hint }];
        };
        let at = |index: usize| items.get(index).unwrap_or(place).clone();
        let each = |(index, error): (usize, ValueError)| Problem {
            place: at(index),
            message: format!("item {} of `{key}` {error}", index + 1),
            hint: error.hint(),
        };
        mistakes.into_iter().map(each).collect()
    }

    /// Adds what to do about it: a line below the excerpt.
    #[must_use]
    pub fn with_hint(mut self, hint: Option<String>) -> Problem {
        self.hint = hint;
        self
    }

    /// Where the refused value came from.
    pub fn origin(&self) -> &Origin {
        &self.place.origin
    }

    /// One sentence that starts with the key.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Sorts the problems of a file by line; the ones of other layers follow in the order they were found in.
    pub(super) fn position(&self) -> (usize, usize, usize) {
        match self.place.origin {
            Origin::Default => (0, 0, 0),
            Origin::File { line, column, .. } => (1, line, column),
            _ => (2, 0, 0),
        }
    }

    fn render(&self, renderer: &Renderer) -> String {
        let title = Level::ERROR.primary_title(self.message.as_str());
        let group = match (&self.place.origin, &self.place.excerpt) {
            (Origin::File { path, line, .. }, Some(Excerpt { text, span })) => title.element(
                Snippet::source(text.as_str())
                    .path(path.as_str())
                    .line_start(*line)
                    .annotation(AnnotationKind::Primary.span(span.clone())),
            ),
            (origin, _) => title.element(annotate_snippets::Origin::path(origin.to_string())),
        };
        let help = self.hint.iter().map(|hint| Level::HELP.message(hint.as_str()));
        let report: &[Group<'_>] = &[group.elements(help)];
        renderer.render(report)
    }
}

/// All mistakes that were found, in the order of the layers.
#[derive(Clone, Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Each with its excerpt, and their number below. With colour, terminal escapes are used.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for problem in &self.0 {
            text.push_str(&problem.render(&renderer));
            text.push_str("\n\n");
        }
        let count = self.0.len();
        let plural = if count == 1 { "" } else { "s" };
        text.push_str(&format!("{count} problem{plural} in the configuration"));
        text
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one that was found later.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// One by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }
}

impl From<Vec<Problem>> for Problems {
    fn from(problems: Vec<Problem>) -> Problems {
        Problems(problems)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}
