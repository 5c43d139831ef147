//! A text that a pattern accepts: the pattern's syntax tree, walked once.

use regex_syntax::hir::{Class, Hir, HirKind};

/// How often an unbounded repetition is repeated at most, and how long a text may become.
const MOST_CHARS: usize = 300;

/// Where a class leaves the choice, these are preferred, in turn, so that a text does not look like a stuck key.
const PREFERRED: &str = "janedoe4217xyAKQ-_.!";

/// A text in which the pattern finds itself, if it has one that is short. What the pattern says about its
/// surroundings (`\b`) is not looked at: whoever asks tries the text.
pub(super) fn matching(pattern: &str) -> Option<String> {
    let tree = regex_syntax::parse(pattern).ok()?;
    let mut out = String::new();
    write(&tree, &mut out)?;
    Some(out)
}

fn write(tree: &Hir, out: &mut String) -> Option<()> {
    if out.len() > MOST_CHARS {
        return None;
    }
    match tree.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(()),
        HirKind::Literal(text) => {
            out.push_str(std::str::from_utf8(&text.0).ok()?);
            Some(())
        }
        HirKind::Class(class) => {
            out.push(choose(class, out.len())?);
            Some(())
        }
        HirKind::Repetition(repetition) => {
            // Once where it may be left out: `[a-z]*` is better shown by a letter than by nothing.
            let times = repetition.min.max(1).min(repetition.max.unwrap_or(u32::MAX));
            (0..times).try_for_each(|_| write(&repetition.sub, out))
        }
        HirKind::Capture(capture) => write(&capture.sub, out),
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| write(part, out)),
        HirKind::Alternation(ways) => write(ways.first()?, out),
    }
}

fn choose(class: &Class, turn: usize) -> Option<char> {
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => class.ranges().iter().map(|r| (r.start(), r.end())).collect(),
        Class::Bytes(class) => class.ranges().iter().map(|r| (r.start().into(), r.end().into())).collect(),
    };
    let holds = |c: &char| ranges.iter().any(|(start, end)| (start..=end).contains(&c));
    let turned = PREFERRED.chars().cycle().skip(turn % PREFERRED.len()).take(PREFERRED.len());
    let preferred = turned.into_iter().find(holds);
    preferred.or_else(|| ranges.iter().map(|(start, _)| *start).find(|c| !c.is_control()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::language;

    #[test]
    fn the_text_matches() {
        for pattern in [
            "^[a-z0-9]{15}$",
            r"^\+[1-9]\d{6,14}$",
            r"\S",
            r"\D",
            "[^A-Za-z0-9]",
            "^(?:male|female)$",
            r"^[\w.+-]+@[\w-]+\.[a-z]{2,}$",
            "^(?i)usr-[0-9A-F]{8}$",
            "^[äöü]+$",
            "",
        ] {
            let text = matching(pattern).expect(pattern);
            assert!(
                language::pattern(pattern).expect(pattern).is_match(&text),
                "{pattern} does not match {text}"
            );
        }
    }

    #[test]
    fn endless_ones_end() {
        assert_eq!(matching("(a{100}){100}"), None);
        assert_eq!(matching("["), None);
    }
}
