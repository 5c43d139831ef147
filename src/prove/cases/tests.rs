use super::*;
use crate::contract::shipped;
use std::collections::BTreeSet;

async fn built(name: &str, seed: u64) -> Vec<Case> {
    let contract = shipped(name).expect("it loads");
    cases(&contract, Arc::default(), seed).await.expect("values are found")
}

#[tokio::test]
async fn cases_have_stable_names_and_accounts_of_their_own() {
    for name in ["knex", "flask", "express", "mongoose", "envelope"] {
        let (one, again) = (built(name, 7).await, built(name, 7).await);
        let bodies = |cases: &[Case]| -> Vec<Bytes> {
            cases.iter().flat_map(|c| &c.requests).map(|r| r.body.clone()).collect()
        };
        assert_eq!(bodies(&one), bodies(&again), "{name} is built alike from the same seed");
        let names: BTreeSet<&str> = one.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names.len(), one.len());
        let mut seen = BTreeSet::new();
        for case in &one {
            let accounts: BTreeSet<String> =
                case.requests.iter().flat_map(|r| &r.accounts).map(|a| a.to_lowercase()).collect();
            for account in accounts.into_iter().filter(|a| a.contains("prove")) {
                assert!(seen.insert(account.clone()), "{account} twice in {name}");
            }
        }
    }
}

#[tokio::test]
async fn the_contract_in_the_documents_has_the_cases_that_one_expects() {
    let names: Vec<String> = built("express", 1).await.into_iter().map(|c| c.name).collect();
    for name in [
        "all-fields",
        "required-only",
        "unicode",
        "shortest-values",
        "longest-values",
        "unknown-member",
        "firstname-too-short",
        "email-no-address",
        "email-without-dot",
        "missing-email",
        "null-email",
        "empty-email",
        "email-wrong-type-number",
        "password-wrong-type-array",
        "lastname-wrong-type-object",
        "firstname-wrong-type-boolean",
        "all-missing",
        "all-null",
        "all-empty",
        "all-rules-broken",
        "all-wrong-type",
        "duplicate",
        "duplicate-email-other-case",
        "malformed-json",
        "array-body",
        "empty-body",
        "method-get",
        "content-type-none",
        "content-type-text-plain",
        "content-type-with-charset",
    ] {
        assert!(names.iter().any(|n| n == name), "{name} is missing of {names:?}");
    }
}

#[tokio::test]
async fn each_pattern_of_a_list_is_broken_alone() {
    let names: Vec<String> = built("envelope", 1).await.into_iter().map(|c| c.name).collect();
    for name in
        ["password-bad-pattern", "password-bad-pattern-2", "password-bad-pattern-3", "password-bad-pattern-4"]
    {
        assert!(names.iter().any(|n| n == name), "{name} is missing of {names:?}");
    }
}

#[tokio::test]
async fn forms_have_cases_of_their_own() {
    let text = crate::contract::SHIPPED.iter().find(|s| s.name == "flask").expect("flask").text;
    let text = text.replace("errors = \"first\"", "errors = \"first\"\naccepts = [\"json\", \"form\"]");
    let contract = crate::contract::load(&text).contract.expect("it loads");
    let cases = cases(&contract, Arc::default(), 1).await.unwrap();
    let form = cases.iter().find(|c| c.name == "form-all-fields").expect("a form");
    assert!(form.requests[0].body.starts_with(b"username=prove-1-"));
}
