//! The report for colleagues: one HTML file that needs nothing else and runs nothing.

use super::tree::content_type;
use super::{counted, distinct, masks};
use crate::prove::exchange::Answer;
use crate::prove::request::Outgoing;
use crate::prove::run::{CaseResult, Exchange, Proof};
use jiff::Timestamp;
use serde_json::Value as Json;
use std::fmt::Write as _;

/// Everything that was found, as one page. `now` is when.
pub fn html(proof: &Proof, now: Timestamp) -> String {
    let mut out = String::from(HEAD);
    let title = format!("{} against {}", proof.contract, proof.against);
    let _ = write!(out, "<title>{}</title><style>{STYLE}</style></head><body>", escape(&title));
    verdict(&mut out, proof, now);
    differences(&mut out, proof);
    out.push_str("<h2>Cases</h2>");
    for result in &proof.results {
        case(&mut out, result);
    }
    lists(&mut out, proof);
    out.push_str("</body></html>\n");
    out
}

const HEAD: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
    <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
    <meta name=\"referrer\" content=\"no-referrer\">";

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c1e21;--dim:#5d646d;--paper:#fff;--panel:#f4f5f7;--line:#d9dce1;\
--good:#17663a;--bad:#a8201a}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--dim:#9aa2ad;--paper:#16181b;--panel:#1f2226;--line:#363b42;\
--good:#6fcf97;--bad:#ff8a80}}\
body{margin:2rem auto;max-width:64rem;padding:0 1rem;background:var(--paper);color:var(--ink);\
font:16px/1.5 system-ui,sans-serif}\
h1{font-size:1.5rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem}\
.dim{color:var(--dim)}.good{color:var(--good)}.bad{color:var(--bad)}\
.verdict{border:1px solid var(--line);border-left:.5rem solid currentColor;border-radius:.25rem;padding:.75rem 1rem;\
margin:1rem 0;font-size:1.15rem}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.35rem .75rem .35rem 0;\
border-bottom:1px solid var(--line);overflow-wrap:anywhere}th{font-weight:600}\
code,pre{font:13px/1.45 ui-monospace,monospace}\
pre{background:var(--panel);border:1px solid var(--line);border-radius:.25rem;padding:.6rem;margin:.25rem 0;\
white-space:pre-wrap;overflow-wrap:anywhere}\
details{border-bottom:1px solid var(--line);padding:.35rem 0}summary{cursor:pointer}\
.sides{display:grid;grid-template-columns:1fr 1fr;gap:.75rem}@media(max-width:40rem){.sides{grid-template-columns:1fr}}\
@media print{details>*{display:block}}";

fn verdict(out: &mut String, proof: &Proof, now: Timestamp) {
    let (class, words) = match (proof.differing(), distinct(proof).len()) {
        (0, _) => ("good", "No differences".to_owned()),
        (cases, distinct) => {
            ("bad", format!("{} in {}", counted(distinct, "difference"), counted(cases, "case")))
        }
    };
    let kind = if proof.recorded { "recorded from" } else { "asked at" };
    let at = now.strftime("%Y-%m-%d %H:%M UTC");
    let _ = write!(
        out,
        "<h1>Does Vestibule answer like the old backend?</h1><p class=dim>Contract <code>{}</code>, POST \
         <code>{}</code>, {kind} <code>{}</code>, {at}, seed {}</p><p class=\"verdict {class}\"><strong>{words}</strong> \
         <span class=dim>· {}, {}</span></p>",
        escape(&proof.contract),
        escape(&proof.path),
        escape(&proof.against),
        proof.seed,
        counted(proof.results.len(), "case"),
        counted(proof.requests(), "request"),
    );
}

fn differences(out: &mut String, proof: &Proof) {
    let distinct = distinct(proof);
    if distinct.is_empty() {
        return;
    }
    out.push_str("<h2>Differences</h2><table><tr><th>Where<th>Old backend<th>Vestibule<th>Cases</tr>");
    for one in &distinct {
        let _ = write!(
            out,
            "<tr><td><code>{}</code><td><code>{}</code><td><code>{}</code><td>{}</tr>",
            escape(&one.at),
            escape(&one.old),
            escape(&one.new),
            escape(&one.cases.join(", ")),
        );
    }
    out.push_str("</table>");
}

fn case(out: &mut String, result: &CaseResult) {
    let (open, class, word) = match result.is_alike() {
        true => ("", "good", "alike"),
        false => (" open", "bad", "differs"),
    };
    let _ = write!(
        out,
        "<details{open}><summary><span class={class}>{word}</span> <strong>{}</strong> <span class=dim>{}</span></summary>",
        escape(&result.name),
        escape(&result.about),
    );
    for exchange in &result.exchanges {
        one(out, exchange);
    }
    out.push_str("</details>");
}

fn one(out: &mut String, exchange: &Exchange) {
    let request = &exchange.request;
    let kind = content_type(&request.headers).unwrap_or_else(|| "no Content-Type".to_owned());
    let _ = write!(
        out,
        "<pre>{} {}\n{}\n\n{}</pre>",
        request.method,
        escape(&request.shown_path()),
        escape(&kind),
        escape(&if request.withheld.body {
            request.shown_body()
        } else {
            request.clean(&pretty(&String::from_utf8_lossy(&request.body)))
        }),
    );
    if !exchange.differences.is_empty() {
        out.push_str("<ul>");
        for d in &exchange.differences {
            let _ = write!(
                out,
                "<li><code>{}</code>: old <code class=bad>{}</code>, Vestibule <code class=good>{}</code></li>",
                escape(&d.at),
                escape(&d.old),
                escape(&d.new),
            );
        }
        out.push_str("</ul>");
    }
    let old = match &exchange.old {
        Ok(answer) => side(answer, request),
        Err(reason) => format!("no answer: {reason}"),
    };
    let _ = write!(
        out,
        "<div class=sides><div>Old backend<pre>{}</pre></div><div>Vestibule<pre>{}</pre></div></div>",
        escape(&old),
        escape(&side(&exchange.new, request)),
    );
}

fn side(answer: &Answer, request: &Outgoing) -> String {
    let kind = content_type(&answer.headers).unwrap_or_default();
    let body = match &answer.body {
        Some(body) => request.shown_answer(&pretty(&String::from_utf8_lossy(body))),
        None => "(the body was not recorded)".to_owned(),
    };
    format!("{} {kind}\n\n{body}", answer.status)
}

fn lists(out: &mut String, proof: &Proof) {
    let masks = masks(proof);
    if !masks.is_empty() {
        out.push_str(
            "<h2>Compared by kind</h2><p>Each answer has its own value here, so its kind was compared.</p>",
        );
        out.push_str("<table><tr><th>Where<th>Kind</tr>");
        for (at, kind) in masks {
            let _ = write!(out, "<tr><td><code>{}</code><td>{}</tr>", escape(at), escape(kind));
        }
        out.push_str("</table>");
    }
    if !proof.left_behind.is_empty() {
        out.push_str("<h2>Throw-away accounts</h2><p>These stay behind in the old backend.</p><ul>");
        for account in &proof.left_behind {
            let _ = write!(out, "<li><code>{}</code></li>", escape(account));
        }
        out.push_str("</ul>");
    }
}

/// JSON with line breaks; anything else as it is.
fn pretty(text: &str) -> String {
    let tree = serde_json::from_str::<Json>(text).and_then(|tree| serde_json::to_string_pretty(&tree));
    tree.unwrap_or_else(|_| text.to_owned())
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::proof;
    use super::*;

    #[test]
    fn nothing_of_an_answer_becomes_markup() {
        let page = html(&proof(), Timestamp::UNIX_EPOCH);
        assert!(
            !page.contains("<script") && page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
            "{page}"
        );
        assert!(!page.contains('\x1b') && !page.contains("s3\\"), "{page}");
        for sign in ["src=", "href=", "url(", "@import", "https:", "onload"] {
            assert!(!page.contains(sign), "{sign}");
        }
        for sign in
            ["prefers-color-scheme:dark", "1 difference in 2 cases", "<details open>", "<details><summary>"]
        {
            assert!(page.contains(sign), "{sign}");
        }
    }
}
