//! The report for programs.

use super::{distinct, masks};
use crate::prove::exchange::Answer;
use crate::prove::request::Outgoing;
use crate::prove::run::{CaseResult, Exchange, Proof};
use serde_json::{Value as Json, json as tree};

/// Everything that was found, as one JSON object.
pub fn json(proof: &Proof) -> Json {
    let distinct: Vec<Json> = distinct(proof)
        .into_iter()
        .map(|d| tree!({ "at": d.at, "old": d.old, "vestibule": d.new, "cases": d.cases }))
        .collect();
    let masked: Vec<Json> = masks(proof).iter().map(|(at, kind)| tree!({ "at": at, "kind": kind })).collect();
    tree!({
        "contract": proof.contract,
        "path": proof.path,
        "against": proof.against,
        "recorded": proof.recorded,
        "seed": proof.seed,
        "summary": {
            "cases": proof.results.len(),
            "requests": proof.requests(),
            "differing": proof.differing(),
            "differences": distinct,
            "masked": masked,
        },
        "cases": proof.results.iter().map(case).collect::<Vec<_>>(),
        "left_behind": proof.left_behind,
    })
}

fn case(result: &CaseResult) -> Json {
    let exchanges: Vec<Json> = result.exchanges.iter().map(exchange).collect();
    tree!({
        "name": result.name,
        "about": result.about,
        "alike": result.is_alike(),
        "exchanges": exchanges,
    })
}

fn exchange(exchange: &Exchange) -> Json {
    let request = &exchange.request;
    let differences =
        exchange.differences.iter().map(|d| tree!({ "at": d.at, "old": d.old, "vestibule": d.new }));
    let masked = exchange.masked.iter().map(|m| tree!({ "at": m.at, "kind": m.kind }));
    tree!({
        "request": {
            "method": request.method.as_str(),
            "path": request.shown_path(),
            "content_type": content_type(&request.headers),
            "body": request.shown_body(),
        },
        "old": exchange.old.as_ref().map_or_else(|reason| tree!({ "none": reason }), |a| answer(a, request)),
        "vestibule": answer(&exchange.new, request),
        "differences": differences.collect::<Vec<_>>(),
        "masked": masked.collect::<Vec<_>>(),
    })
}

fn answer(answer: &Answer, request: &Outgoing) -> Json {
    let body = answer.body.as_ref().map(|body| request.shown_answer(&String::from_utf8_lossy(body)));
    tree!({ "status": answer.status, "content_type": content_type(&answer.headers), "body": body })
}

/// The header's value as text, if it is there.
pub(super) fn content_type(headers: &http::HeaderMap) -> Option<String> {
    let value = headers.get(http::header::CONTENT_TYPE)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tests::proof;

    #[test]
    fn programs_read_the_same_as_people() {
        let tree = super::json(&proof());
        assert_eq!(tree["summary"]["differing"], 2);
        assert_eq!(tree["summary"]["differences"][0]["at"], "$.errors[*].msg");
        assert_eq!(tree["cases"][0]["exchanges"][0]["request"]["body"], "{\"password\":\"***\"}");
        assert_eq!(tree["left_behind"][0], "prove-7-1@example.com");
    }
}
