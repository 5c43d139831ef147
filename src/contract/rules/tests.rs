//! Rules in their order, and who puts a refusal into words.

use crate::contract::{Circumstances, Contract, Request, load};
use bytes::Bytes;
use http::HeaderMap;

const CONTRACT: &str = r#"
[register]
path = "/"
says.meaning = { message = "{{ field }} cannot be used", code = 9 }
fields = [
  { name = "username", clean = "value | trim", rules = [
      { required = true, code = "blank" },
      { pattern = "a", code = "silent" },
      { required = true, min_length = 2, code = "short" } ] },
  { name = "password", rules = [{ required = true }, { min_length = 8 }] },
]
[register.created]
body = ""
[register.invalid]
body = '{}'
"#;

fn contract() -> Contract {
    load(CONTRACT).contract.expect("this contract is right")
}

async fn codes(body: &'static str) -> Vec<String> {
    let (headers, body) = (HeaderMap::new(), Bytes::from_static(body.as_bytes()));
    let request = Request { query: None, headers: &headers, body: &body };
    match contract().decode(request, &Circumstances::default()).await {
        Ok(_) => Vec::new(),
        Err(refusal) => refusal.errors.iter().map(|e| format!("{}: {}", e.field, e.code)).collect(),
    }
}

#[tokio::test]
async fn after_a_failed_required_only_rules_that_demand_it_too_speak() {
    let expected = ["username: \"blank\"", "username: \"short\"", "password: \"required\""];
    for body in ["{}", r#"{"username":null,"password":null}"#, r#"{"username":" ","password":""}"#] {
        assert_eq!(codes(body).await, expected, "{body}");
    }
    assert_eq!(
        codes(r#"{"username":"b","password":"longenough"}"#).await,
        ["username: \"silent\"", "username: \"short\""]
    );
}

#[tokio::test]
async fn clean_turns_no_wrong_type_into_a_right_one() {
    assert_eq!(codes(r#"{"username":12,"password":"longenough"}"#).await, ["username: \"blank\""]);
}

#[tokio::test]
async fn the_catalogue_words_a_value_that_means_nothing() {
    let (headers, body) =
        (HeaderMap::new(), Bytes::from_static(br#"{"username":"a b","password":"longenough"}"#));
    let contract = contract();
    let request = Request { query: None, headers: &headers, body: &body };
    let fields = contract.decode(request, &Circumstances::default()).await.expect("every rule passed");
    let problems = crate::user::NewUser::parse(contract.submitted(&fields)).expect_err("a space");
    let refusal = contract.misunderstood(fields, &problems, &Circumstances::default());
    assert_eq!(
        (refusal.errors[0].code.clone(), &*refusal.errors[0].message),
        (9.into(), "username cannot be used")
    );
}
