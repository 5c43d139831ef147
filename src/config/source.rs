//! The text of a file, cut into excerpts from which secrets are masked.

use std::ops::Range;
use std::path::Path;

use super::Origin;
use super::keys::SECRETS;
use super::merge::Target;
use super::problem::{Excerpt, Place};

const MASK: &str = "***";

pub(super) struct Source<'a> {
    path: Option<&'a Path>,
    text: &'a str,
    /// In rising order, not overlapping.
    hidden: Vec<Range<usize>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(path: Option<&'a Path>, text: &'a str, mut hidden: Vec<Range<usize>>) -> Source<'a> {
        hidden.sort_by_key(|range| range.start);
        Source { path, text, hidden }
    }

    /// A file that did not parse, so that only its lines tell what may be secret.
    pub(super) fn of_broken(path: Option<&'a Path>, text: &'a str) -> Source<'a> {
        Source { path, text, hidden: secret_lines(text) }
    }

    /// The origin of a stretch of the text, with its first line as the excerpt.
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        let Some(path) = self.path else { return Place::of(Origin::Default) };
        let start = span.start.min(self.text.len());
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |at| start + at);
        let origin = Origin::File {
            path: path.display().to_string(),
            line: before.matches('\n').count() + 1,
            column: self.text[line_start..start].chars().count() + 1,
        };
        let span = start..span.end.clamp(start, line_end);
        Place { origin, excerpt: Some(self.excerpt(line_start..line_end, &span)) }
    }

    /// Copies a line, writes the mask over what is hidden, and moves the span along.
    fn excerpt(&self, line: Range<usize>, span: &Range<usize>) -> Excerpt {
        let mut text = String::new();
        let (mut from, mut to) = (None, None);
        let mut copied = line.start;
        let within = self.hidden.iter().filter(|range| range.start < line.end && range.end > line.start);
        let masks = within.map(|range| range.start.max(line.start)..range.end.min(line.end));
        for mask in masks.chain(std::iter::once(line.end..line.end)) {
            let plain = copied..mask.start;
            let moved = |at: usize, text: &String| text.len() + at.saturating_sub(plain.start);
            if from.is_none() && span.start < mask.end.max(mask.start + 1) {
                from = Some(moved(span.start.min(plain.end), &text));
            }
            if to.is_none() && span.end <= plain.end {
                to = Some(moved(span.end, &text));
            }
            text.push_str(&self.text[plain]);
            text.push_str(if mask.is_empty() { "" } else { MASK });
            if to.is_none() && span.end <= mask.end {
                to = Some(text.len());
            }
            copied = mask.end;
        }
        let from = from.unwrap_or(text.len());
        Excerpt { span: from..to.unwrap_or(text.len()).max(from), text }
    }
}

/// What stands behind the `=` of a secret key, and lines without a key below it, which may belong to its value.
fn secret_lines(text: &str) -> Vec<Range<usize>> {
    let mut hidden = Vec::new();
    let (mut table, mut secret, mut start) = (String::new(), false, 0);
    for line in text.split_inclusive('\n') {
        let end = start + line.trim_end().len();
        let trimmed = line.trim();
        if let Some(header) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = header.trim().to_owned();
            secret = false;
        } else if let Some((key, _)) = line.split_once('=') {
            let name = [table.as_str(), key.trim().trim_matches(['"', '\''])].join(".");
            let name = name.trim_start_matches('.');
            // A name nobody knows hides its value as well: it may be a mistyped secret.
            secret = name.starts_with(SECRETS) || Target::named(name).is_none_or(|target| target.is_secret());
            if secret {
                hidden.push(start + key.len() + 1..end.max(start + key.len() + 1));
            }
        } else if secret && !trimmed.is_empty() {
            hidden.push(start..end);
        }
        start += line.len();
    }
    hidden
}
