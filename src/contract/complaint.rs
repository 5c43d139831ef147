//! Mistakes in a contract, shown as a compiler shows them.

use annotate_snippets::{AnnotationKind, Level as Marker, Renderer, Snippet};
use std::ops::Range;

/// One mistake (or warning) in a contract file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Whether the contract is refused for it.
    pub level: Level,
    /// What is wrong, in one line.
    pub title: String,
    /// Where: byte range in the file.
    pub span: Range<usize>,
    /// What stands under the caret.
    pub label: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// How serious a complaint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The contract is refused.
    Error,
    /// The contract is served; the start-up log says this once.
    Warning,
}

impl Complaint {
    /// The line (from 1) and column (in characters, from 1) at which it points.
    pub fn position(&self, source: &str) -> (usize, usize) {
        line_and_column(source, self.span.start)
    }

    /// The same for the first character behind it.
    pub fn end_position(&self, source: &str) -> (usize, usize) {
        line_and_column(source, self.span.end)
    }
}

fn line_and_column(source: &str, at: usize) -> (usize, usize) {
    let before = &source[..source.floor_char_boundary(at)];
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Shows complaints about `file`, whose text is `source`, with excerpts and carets.
pub fn render(file: &str, source: &str, complaints: &[Complaint], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for complaint in complaints {
        let level = match complaint.level {
            Level::Error => Marker::ERROR,
            Level::Warning => Marker::WARNING,
        };
        let end = complaint.span.end.min(source.len());
        let span = complaint.span.start.min(end)..end;
        let mut annotation = AnnotationKind::Primary.span(span);
        if !complaint.label.is_empty() {
            annotation = annotation.label(complaint.label.as_str());
        }
        let mut group = level
            .primary_title(complaint.title.as_str())
            .element(Snippet::source(source).path(file).annotation(annotation));
        if let Some(help) = &complaint.help {
            group = group.element(Marker::HELP.message(help.as_str()));
        }
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    out
}
