//! What was found, for people, for programs and for colleagues.

mod page;
mod tree;

pub use page::html;
pub use tree::json;

use super::exchange::Answer;
use super::request::Outgoing;
use super::run::{CaseResult, Exchange, Proof};
use crate::terminal::printable;
use regex::Regex;
use std::fmt::Write as _;
use std::sync::LazyLock;

/// The longest body that is printed on a terminal, in characters.
const PRINTED: usize = 400;

/// One difference and every case that shows it, whichever item of a list it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distinct {
    /// Where: `$.errors[*].msg`.
    pub at: String,
    /// What the old backend has there.
    pub old: String,
    /// What Vestibule has there.
    pub new: String,
    /// The names of the cases.
    pub cases: Vec<String>,
}

/// The differences of a proof, each once, the most frequent first.
pub fn distinct(proof: &Proof) -> Vec<Distinct> {
    static INDEX: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\[[0-9]+\]").expect("a test compiles it"));
    let mut out: Vec<Distinct> = Vec::new();
    for result in &proof.results {
        for difference in result.differences() {
            let at = INDEX.replace_all(&difference.at, "[*]").into_owned();
            let known =
                out.iter_mut().find(|d| d.at == at && d.old == difference.old && d.new == difference.new);
            match known {
                Some(known) if known.cases.contains(&result.name) => {}
                Some(known) => known.cases.push(result.name.clone()),
                None => out.push(Distinct {
                    at,
                    old: difference.old.clone(),
                    new: difference.new.clone(),
                    cases: vec![result.name.clone()],
                }),
            }
        }
    }
    out.sort_by_key(|d| std::cmp::Reverse(d.cases.len()));
    out
}

/// What was compared by kind, each place and kind once.
fn masks(proof: &Proof) -> Vec<(&str, &str)> {
    let mut out: Vec<(&str, &str)> = Vec::new();
    for masked in proof.results.iter().flat_map(|r| &r.exchanges).flat_map(|e| &e.masked) {
        let pair = (masked.at.as_str(), masked.kind.as_str());
        if !out.contains(&pair) {
            out.push(pair);
        }
    }
    out
}

#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }
}

/// One case, in a line when both sides answer alike.
pub fn text(result: &CaseResult, colour: bool) -> String {
    let paint = Paint(colour);
    if result.is_alike() {
        return format!("{}   {}\n", paint.green("alike"), result.name);
    }
    let mut out = format!(
        "{} {}  {}\n",
        paint.red("differs"),
        paint.bold(&result.name),
        paint.dim(&printable(&result.about))
    );
    for exchange in result.exchanges.iter().filter(|e| !e.differences.is_empty()) {
        let request = &exchange.request;
        let line = format!("{} {} {}", request.method, printable(&request.shown_path()), body(request));
        let _ = writeln!(out, "        {}", paint.dim(line.trim_end()));
        for difference in &exchange.differences {
            let _ = writeln!(
                out,
                "        {}: {} {}, {} {}",
                paint.bold(&printable(&difference.at)),
                paint.red("old"),
                printable(&difference.old),
                paint.green("Vestibule"),
                printable(&difference.new),
            );
        }
        if !is_detailed(exchange) {
            let _ = writeln!(
                out,
                "        {} {}",
                paint.dim("old      "),
                paint.dim(&printed(&exchange.old, request))
            );
            let new = Ok(exchange.new.clone());
            let _ =
                writeln!(out, "        {} {}", paint.dim("Vestibule"), paint.dim(&printed(&new, request)));
        }
    }
    out
}

/// Whether the differences say all there is to say; an account against a refusal does not.
fn is_detailed(exchange: &Exchange) -> bool {
    exchange.old.as_ref().is_ok_and(|old| old.status / 100 == exchange.new.status / 100)
}

/// The end of the report.
pub fn summary(proof: &Proof, colour: bool) -> String {
    let paint = Paint(colour);
    let (cases, differing) = (proof.results.len(), proof.differing());
    let distinct = distinct(proof);
    let mut out = String::new();
    let told = match differing {
        0 => paint.green(&format!("{cases} cases, {} requests: no differences", proof.requests())),
        _ => paint.red(&format!(
            "{cases} cases, {} requests: {differing} differ, {}",
            proof.requests(),
            counted(distinct.len(), "difference")
        )),
    };
    let _ = writeln!(out, "{told}");
    for one in &distinct {
        let (old, new) = (printable(&one.old), printable(&one.new));
        let _ = writeln!(out, "\n  {}: old {old}, Vestibule {new}", paint.bold(&printable(&one.at)));
        let _ = writeln!(out, "    in {}", shortened(&one.cases));
    }
    let masks = masks(proof);
    if !masks.is_empty() {
        let _ = writeln!(out, "\nCompared by kind, because each answer has its own:");
        for (at, kind) in masks {
            let _ = writeln!(out, "  {:<24} {}", printable(at), printable(kind));
        }
    }
    if !proof.left_behind.is_empty() {
        let _ = writeln!(
            out,
            "\nThe old backend now has {}; nothing was removed:",
            counted(proof.left_behind.len(), "throw-away account")
        );
        for account in &proof.left_behind {
            let _ = writeln!(out, "  {}", printable(account));
        }
    }
    out
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn shortened(cases: &[String]) -> String {
    const MOST: usize = 6;
    let shown = cases.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    if cases.len() > MOST { format!("{shown} and {} more", cases.len() - MOST) } else { shown }
}

/// A request's body, without what must not be shown.
fn body(request: &Outgoing) -> String {
    short(&printable(&request.shown_body()))
}

fn printed(answer: &Result<Answer, String>, request: &Outgoing) -> String {
    match answer {
        Ok(answer) => {
            let body = String::from_utf8_lossy(answer.body.as_deref().unwrap_or_default()).into_owned();
            format!("{} {}", answer.status, short(&printable(&request.shown_answer(&body))))
        }
        Err(reason) => reason.clone(),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(PRINTED) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::prove::request::Withheld;
    use crate::prove::{Difference, Masked};
    use bytes::Bytes;
    use http::{HeaderMap, Method};

    fn answer(status: u16, body: &str) -> Answer {
        let at = jiff::Timestamp::UNIX_EPOCH;
        Answer { status, headers: HeaderMap::new(), body: Some(Bytes::from(body.to_owned())), at }
    }

    pub(in crate::prove) fn proof() -> Proof {
        let difference = |i: usize| Difference {
            at: format!("$.errors[{i}].msg"),
            old: "\"<script>alert(1)</script>\"".to_owned(),
            new: "\"Invalid email\"".to_owned(),
        };
        let result = |name: &str, differences: Vec<Difference>| CaseResult {
            name: name.to_owned(),
            about: "what it \x1b[31m shows".to_owned(),
            exchanges: vec![Exchange {
                request: Outgoing {
                    method: Method::POST,
                    path: "/users".to_owned(),
                    headers: HeaderMap::new(),
                    body: Bytes::from_static(b"{\"password\":\"s3\\\"cret\"}"),
                    accounts: Vec::new(),
                    secrets: vec!["s3\"cret".to_owned()],
                    withheld: Withheld::default(),
                },
                old: Ok(answer(400, "<script>\x1b[2J")),
                new: answer(400, "{}"),
                differences,
                masked: vec![Masked { at: "$.id".to_owned(), kind: "an integer".to_owned() }],
            }],
        };
        Proof {
            contract: "ours".to_owned(),
            path: "/users".to_owned(),
            against: "http://127.0.0.1:1".to_owned(),
            recorded: false,
            seed: 7,
            results: vec![
                result("one", vec![difference(0)]),
                result("two", vec![difference(3)]),
                result("three", vec![]),
            ],
            left_behind: vec!["prove-7-1@example.com".to_owned()],
        }
    }

    #[test]
    fn the_same_difference_is_told_once() {
        let distinct = distinct(&proof());
        assert_eq!(distinct.len(), 1);
        assert_eq!((distinct[0].at.as_str(), distinct[0].cases.len()), ("$.errors[*].msg", 2));
    }

    #[test]
    fn the_report_tells_what_when_and_what_stays_behind() {
        let proof = proof();
        let told = summary(&proof, false);
        for line in [
            "3 cases, 3 requests: 2 differ, 1 difference\n",
            "in one, two\n",
            "$.id                     an integer\n",
            "1 throw-away account; nothing was removed:\n  prove-7-1@example.com\n",
        ] {
            assert!(told.contains(line), "{line}\n{told}");
        }
        assert_eq!(text(&proof.results[2], false), "alike   three\n");
        assert!(text(&proof.results[0], true).contains("\x1b[31mdiffers\x1b[0m"));
    }

    #[test]
    fn secrets_and_control_characters_stay_out() {
        let told = text(&proof().results[0], false);
        assert!(told.contains("{\"password\":\"***\"}") && !told.contains("s3"), "{told}");
        assert!(!told.contains('\x1b'), "{told:?}");
        let token = "\"eyJhbGciOiJIUzI1NiJ9.eyJpZCI6IjY2NjZmMmYwN.qXPtXQ96\"";
        assert_eq!(proof().results[0].exchanges[0].request.clean(token), "\"eyJhbGciO..\"");
    }
}
