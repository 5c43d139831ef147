//! The proof: an abstract run of a body along every path, all states of its grammar at once.
//!
//! Branches are joined and loops run to a fixed point, so whatever the data, each `{{ }}` is known to stand where a
//! value fits, and what renders as JSON is one whole value. The one correlation that is tracked is
//! `{% if not loop.last %}`, because the usual way to write separators depends on it.

use super::bad::Bad;
use super::grammar::{Fault, Grammar};
use super::parse::{Branch, Condition, Node};
use super::scan::{Code, Expr};
use std::collections::BTreeSet;
use std::ops::Range;

/// All states in which a template can be at one point.
type States<G> = BTreeSet<G>;

/// More states than this at one point is a template nobody can read either.
const MOST_STATES: usize = 64;
/// Brackets deeper than this are refused; input may have twice as many.
const MOST_DEPTH: usize = 16;

/// Checks that every path through `nodes` writes one text of the grammar that begins with `state`.
pub(super) fn prove(source: &str, nodes: &[Node], state: impl Grammar) -> Result<(), Bad> {
    let proof = Proof { source };
    for mut state in proof.block(nodes, States::from([state]), Turn::Other)? {
        if let Err(fault) = state.finished() {
            let last =
                source.trim_end().char_indices().next_back().map_or(0..0, |(i, c)| i..i + c.len_utf8());
            return Err(Bad::new(last, fault));
        }
    }
    Ok(())
}

/// Which turn of the innermost loop is being walked.
#[derive(Clone, Copy, PartialEq)]
enum Turn {
    Last,
    Other,
}

struct Proof<'s> {
    source: &'s str,
}

impl Proof<'_> {
    fn block<G: Grammar>(&self, nodes: &[Node], mut states: States<G>, turn: Turn) -> Result<States<G>, Bad> {
        for node in nodes {
            states = match node {
                Node::Set { .. } => states,
                Node::Text(range) => self.literal(range, states)?,
                Node::Emit { tag, expr } => hole(tag, known(expr), states)?,
                Node::If { branches, otherwise } => {
                    self.branches(branches, otherwise.as_ref().map(|o| o.body.as_slice()), states, turn)?
                }
                Node::For { tag, body, otherwise, .. } => {
                    let out = self.turns(tag, body, &states)?;
                    let skipped = otherwise.as_ref().map(|o| o.body.as_slice()).unwrap_or_default();
                    let skipped = self.block(skipped, states, turn)?;
                    out.into_iter().chain(skipped).collect()
                }
            };
            if states.len() > MOST_STATES {
                return Err(Bad::new(character(self.source, 0), "too many ways through this template"));
            }
        }
        Ok(states)
    }

    fn literal<G: Grammar>(&self, range: &Range<usize>, states: States<G>) -> Result<States<G>, Bad> {
        let text = &self.source[range.clone()];
        let mut out = States::new();
        for mut state in states {
            let bad = |i: usize, fault: Fault| Bad::new(character(self.source, range.start + i), fault);
            for (i, byte) in text.bytes().enumerate() {
                state.step(byte).map_err(|fault| bad(i, fault))?;
                if state.depth() > MOST_DEPTH {
                    return Err(bad(i, "brackets are nested too deep"));
                }
            }
            state.boundary().map_err(|fault| bad(text.len() - 1, fault))?;
            out.insert(state);
        }
        Ok(out)
    }

    fn branches<G: Grammar>(
        &self,
        branches: &[Branch],
        otherwise: Option<&[Node]>,
        states: States<G>,
        turn: Turn,
    ) -> Result<States<G>, Bad> {
        if turn == Turn::Other && matches!(branches[0].condition, Condition::NotLast) {
            // Always taken on a turn that is not the last; outside of a loop the name check refuses it.
            return self.block(&branches[0].body, states, turn);
        }
        let mut out = States::new();
        for branch in branches {
            // On the last turn it is never taken, and what follows it is.
            let never = turn == Turn::Last && matches!(branch.condition, Condition::NotLast);
            if !never {
                out.extend(self.block(&branch.body, states.clone(), turn)?);
            }
        }
        match otherwise {
            Some(body) => out.extend(self.block(body, states, turn)?),
            None => out.extend(states),
        }
        Ok(out)
    }

    fn turns<G: Grammar>(
        &self,
        tag: &Range<usize>,
        body: &[Node],
        before: &States<G>,
    ) -> Result<States<G>, Bad> {
        let mut all = before.clone();
        for round in 0.. {
            let next = self.block(body, all.clone(), Turn::Other).map_err(|bad| explain(bad, round))?;
            let known = all.len();
            all.extend(next);
            if all.len() == known {
                break;
            }
            if round > 8 || all.len() > MOST_STATES {
                return Err(Bad::new(tag.clone(), "each turn of this loop opens brackets it does not close"));
            }
        }
        self.block(body, all, Turn::Last).map_err(|bad| explain(bad, 1))
    }
}

fn explain(bad: Bad, round: usize) -> Bad {
    if round > 0 && bad.what.contains("','") {
        return bad.help("end every item with a comma; the last one is removed for you");
    }
    bad
}

/// A value that is no client's: a text that the template itself writes, and the deployment's own addresses, or others that would
/// be read alike. (No template can give `request` another meaning.)
fn known(expr: &Expr) -> Option<&str> {
    let Code::Path(path) = &expr.code else { return expr.literal() };
    match path.iter().map(|name| &**name).collect::<Vec<_>>().as_slice() {
        ["request", "base_url"] => Some("https://accounts.example.com"),
        ["request", "path"] => Some("/users"),
        _ => None,
    }
}

fn hole<G: Grammar>(tag: &Range<usize>, constant: Option<&str>, states: States<G>) -> Result<States<G>, Bad> {
    let inside = states.iter().filter(|s| s.in_string()).count();
    if inside != 0 && inside != states.len() {
        return Err(Bad::new(tag.clone(), "on one path this stands inside quotes, on another outside"));
    }
    let mut out = States::new();
    for mut state in states {
        let taken = match constant {
            Some(text) => state.constant(text),
            None => state.hole(),
        };
        taken.map_err(|fault: Fault| Bad::new(tag.clone(), fault))?;
        out.insert(state);
    }
    Ok(out)
}

/// The character at a byte; of a line break the one before it, which can be shown.
fn character(source: &str, at: usize) -> Range<usize> {
    let line_break = matches!(source.as_bytes().get(at), Some(b'\r' | b'\n'));
    let at = source.floor_char_boundary(if line_break { at.saturating_sub(1) } else { at });
    at..at + source[at..].chars().next().map_or(1, char::len_utf8)
}
