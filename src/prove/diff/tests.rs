use super::*;
use crate::prove::request::Withheld;
use bytes::Bytes;
use http::HeaderValue;

const NOW: &str = "2024-06-10T12:00:00Z";

fn answer(status: u16, body: &str) -> Answer {
    let mut headers = HeaderMap::new();
    let kind = if body.starts_with(['{', '[']) { "application/json; charset=utf-8" } else { "text/html" };
    headers.insert("content-type", HeaderValue::from_static(kind));
    Answer { status, headers, body: Some(Bytes::from(body.to_owned())), at: NOW.parse().unwrap() }
}

fn request() -> Outgoing {
    let (method, path) = (http::Method::POST, "/users".to_owned());
    let (headers, body, accounts) = (HeaderMap::new(), Bytes::new(), Vec::new());
    let (secrets, withheld) = (vec!["s3cret".to_owned()], Withheld::default());
    Outgoing { method, path, headers, body, accounts, secrets, withheld }
}

#[test]
fn a_recorded_password_is_not_told_even_where_a_value_is_cut() {
    let (pad, new) = ("x".repeat(SHOWN - 4), r#"{"a":"b"}"#);
    let told = differences(&format!(r#"{{"a":"{pad}s3cret"}}"#), new, new);
    assert!(told[0].contains("***") && !told[0].contains("s3"), "{told:?}");
}

fn rules() -> Rules {
    Rules { recipes: Recipes::default(), headers: vec![http::header::SET_COOKIE, http::header::LOCATION] }
}

fn found(old: &str, new: &str, twin: &str) -> (Vec<String>, Vec<String>) {
    let found = rules().compare(&request(), &answer(200, old), &answer(200, new), &answer(200, twin));
    (
        found.differences.iter().map(ToString::to_string).collect(),
        found.masked.iter().map(|m| format!("{} {}", m.at, m.kind)).collect(),
    )
}

fn differences(old: &str, new: &str, twin: &str) -> Vec<String> {
    found(old, new, twin).0
}

#[test]
fn a_difference_is_told_by_its_path() {
    let new = r#"{"errors":[{"msg":"Invalid email"}],"n":1}"#;
    let old = r#"{"n":1.0,"errors":[{"msg":"Invalid value"}]}"#;
    assert_eq!(
        differences(old, new, new),
        [r#"$.errors[0].msg: old "Invalid value", Vestibule "Invalid email""#]
    );
    assert_eq!(differences(new, new, new), [""; 0]);
}

#[test]
fn what_vestibule_repeats_is_compared_to_the_letter() {
    let new = r#"{"id":7,"expires_in":3600}"#;
    let twin = r#"{"id":8,"expires_in":3600}"#;
    let (differences, masked) = found(r#"{"id":901,"expires_in":7200}"#, new, twin);
    assert_eq!(differences, ["$.expires_in: old 7200, Vestibule 3600"]);
    assert_eq!(masked, ["$.id an integer"]);
    let as_text = found(r#"{"id":"901","expires_in":3600}"#, new, twin);
    assert_eq!(as_text.0, [r#"$.id: old "901", Vestibule 7"#]);
}

#[test]
fn kinds_must_agree() {
    let new = r#"{"at":"2024-06-10T12:00:01.000Z","id":"6666f2f06447737dbb0dd91d"}"#;
    let twin = r#"{"at":"2025-07-10T12:00:01.000Z","id":"7777f2f06447737dbb0dd91d"}"#;
    let old = r#"{"at":"2024-06-10T11:59:00.123Z","id":"0123456789abcdef01234567"}"#;
    assert_eq!(differences(old, new, twin), [""; 0]);
    let old = r#"{"at":"2024-06-10T12:00:01","id":"12"}"#;
    let told = differences(old, new, twin);
    assert_eq!(told.len(), 2);
    assert!(told[0].contains("yyyy-mm-ddThh:mm:ss)") && told[1].contains("\"12\" (an integer)"), "{told:?}");
}

fn token(lifetime: i64, claims: &str) -> String {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let iat = NOW.parse::<Timestamp>().unwrap().as_second();
    let payload = format!(r#"{{{claims},"iat":{iat},"exp":{}}}"#, iat + lifetime);
    format!("{}.{}.{}", encode(r#"{"alg":"HS256","typ":"JWT"}"#), encode(&payload), encode(claims))
}

fn tokens(old: (i64, &str), new: (i64, &str), twin: (i64, &str)) -> (Vec<String>, Vec<String>) {
    let body = |(lifetime, claims)| format!(r#"{{"token":"{}"}}"#, token(lifetime, claims));
    found(&body(old), &body(new), &body(twin))
}

#[test]
fn tokens_are_compared_by_algorithm_claims_and_lifetime() {
    let (new, twin) = ((3600, r#""id":7,"role":"user""#), (3600, r#""id":8,"role":"user""#));
    let alike = tokens((3600, r#""id":91,"role":"user""#), new, twin);
    assert_eq!(alike.0, [""; 0]);
    assert_eq!(alike.1[1], "$.token a JWT (HS256; claims id, role; valid 1h)");
    assert_eq!(tokens((7200, new.1), new, twin).0, ["$.token exp - iat: old 2h, Vestibule 1h"]);
    assert_eq!(
        tokens((3600, r#""id":7,"role":"admin""#), new, twin).0,
        [r#"$.token claims.role: old "admin", Vestibule "user""#]
    );
    let renamed = tokens((3600, r#""sub":91,"role":"user""#), new, twin).0;
    assert_eq!(renamed, [r#"$.token claims.id: old calls it "sub", Vestibule "id""#]);
}

#[test]
fn a_member_with_another_name_is_one_difference() {
    let new = r#"{"user":{"createdAt":"2024-06-10T12:00:01.000Z","a":1}}"#;
    let twin = r#"{"user":{"createdAt":"2025-06-10T12:00:01.000Z","a":1}}"#;
    let old = r#"{"user":{"created_at":"2024-06-10T12:00:01.500Z","a":1}}"#;
    let one = r#"$.user.createdAt: old calls it "created_at", Vestibule "createdAt""#;
    assert_eq!(differences(old, new, twin), [one]);
    let old = r#"{"user":{"a":1,"b":2}}"#;
    let told = differences(old, new, twin);
    assert_eq!(told[0], r#"$.user.createdAt: old has none, Vestibule "2024-06-10T12:00:01.000Z""#);
    assert_eq!(told[1], "$.user.b: old 2, Vestibule has none");
}

#[test]
fn an_item_too_many_is_one_difference() {
    let (old, new) = (r#"{"e":["a","x","b"]}"#, r#"{"e":["a","b"]}"#);
    assert_eq!(differences(old, new, new), [r#"$.e[1]: old "x", Vestibule has no such item"#]);
    assert_eq!(differences(new, old, old), [r#"$.e[1]: old has no such item, Vestibule "x""#]);
}

#[test]
fn an_account_against_a_refusal_is_one_difference() {
    let found = rules().compare(&request(), &answer(201, "{}"), &answer(400, "[]"), &answer(400, "[]"));
    assert_eq!(found.differences.len(), 1);
    assert_eq!(found.differences[0].to_string(), "status: old 201, Vestibule 400");
    let found = rules().compare(&request(), &answer(404, "{}"), &answer(405, "[]"), &answer(405, "[]"));
    assert_eq!(found.differences.len(), 2);
}

#[test]
fn text_is_compared_line_by_line() {
    assert_eq!(differences("a\nb\n", "a\nb", "a\nb"), [""; 0]);
    assert_eq!(differences("a\nb", "a\nc", "a\nc"), [r#"body line 2: old "b", Vestibule "c""#]);
    let told = differences("<p>no</p>", r#"{"a":1}"#, r#"{"a":1}"#);
    assert_eq!(told[1], r#"body: old text <p>no</p>, Vestibule JSON {"a":1}"#);
    assert_eq!(
        differences("", r#"{"a":1}"#, r#"{"a":1}"#)[1],
        r#"body: old nothing, Vestibule JSON {"a":1}"#
    );
}

#[test]
fn cookies_are_compared_by_name_and_attribute() {
    let with = |cookie: &'static str, location: &'static str| {
        let mut answer = answer(201, "{}");
        answer.headers.insert("set-cookie", HeaderValue::from_static(cookie));
        answer.headers.insert("location", HeaderValue::from_static(location));
        answer
    };
    let new = with("sid=abcdefghij0123456789; Max-Age=3600; Path=/; HttpOnly", "/users/1");
    let twin = with("sid=zzzzefghij0123456789; Max-Age=3600; Path=/; HttpOnly", "/users/2");
    let old = with("sid=qqqqefghij0123456789; httponly; path=/; max-age=3600", "/users/77");
    assert_eq!(rules().compare(&request(), &old, &new, &twin).differences, []);
    let old = with("sid=qqqqefghij0123456789; path=/; max-age=60; Secure", "/user/77");
    let found = rules().compare(&request(), &old, &new, &twin);
    let told: Vec<String> = found.differences.iter().map(|d| d.at.clone()).collect();
    assert_eq!(told, ["header set-cookie sid.max-age", "header set-cookie sid.httponly", "header location"]);
}
