//! What a contract promises, whatever a client sends: asked through the same calls as the server makes.

mod attempts;
mod duplicates;
mod promises;
mod schema;

use super::template::Names;
use super::*;
use crate::clock::Clock;
use crate::user::NewUser;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// A contract with these lines in `[register]`, these fields before the password, and these replies.
pub(crate) fn text(words: &str, fields: &str, replies: &str) -> String {
    format!(
        "[register]\npath = \"/users\"\n{words}\nfields = [\n{fields}\n  {{ name = \"email\", rules = [{{ required = \
         true, format = \"email\" }}] }},\n  {{ name = \"password\", rules = [{{ required = true, min_length = 6 \
         }}] }},\n]\n{replies}\n"
    )
}

/// Replies that show what they can.
pub(crate) const REPLIES: &str = r#"
[register.created]
body = '{ "email": "{{ user.email }}" }'
[register.invalid]
body = '{ "errors": [{% for e in errors %}{ "f": "{{ e.field }}", "m": "{{ e.message }}", "v": {{ e.value }}, "t": "{{ e.value }}" },{% endfor %}] }'
"#;

pub(crate) fn loaded(text: &str) -> Contract {
    let loaded = load(text);
    let shown = render("contract.toml", text, &loaded.complaints, false);
    loaded.contract.unwrap_or_else(|| panic!("{shown}"))
}

/// The titles of all complaints about a contract.
fn complaints(text: &str) -> Vec<String> {
    load(text).complaints.into_iter().map(|c| c.title).collect()
}

pub(crate) fn circumstances() -> Circumstances {
    Circumstances {
        now: jiff::Timestamp::from_second(1_718_022_896).expect("a time"),
        request_id: "r1".into(),
        path: "/users".into(),
        base_url: "https://example.com".into(),
        secrets: Arc::new([("key".to_owned(), "open sesame".to_owned())].into_iter().collect()),
        ..Circumstances::default()
    }
}

pub(crate) fn mint() -> Mint {
    let clock = Clock::fixed(jiff::Timestamp::UNIX_EPOCH, 1);
    Mint {
        sign: Arc::new(|claims| format!("signed.{}", crate::token::digest(claims))),
        fill: Arc::new(move |bytes| clock.fill(bytes)),
    }
}

/// What the server would answer, without a store: everything that is understood is registered.
pub(crate) fn ask(contract: &Contract, content_type: &str, body: &[u8]) -> Result<Reply, EncodeError> {
    let now = circumstances();
    let refuse = |refusal: Refusal| {
        let scene = Scene {
            fields: refusal.fields.as_ref(),
            errors: &refusal.errors,
            reason: &refusal.reason,
            retry_after: None,
        };
        contract.refusal(&refusal.outcome, scene, &now)
    };
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, content_type.parse().expect("a content type"));
    let body = Bytes::copy_from_slice(body);
    let request = Request { query: None, headers: &headers, body: &body };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let fields = match runtime.block_on(contract.decode(request, &now)) {
        Ok(fields) => fields,
        Err(refusal) => return refuse(refusal),
    };
    if let Err(problems) = NewUser::parse(contract.submitted(&fields)) {
        return refuse(contract.misunderstood(fields, &problems, &now));
    }
    let fields = contract.kept(fields);
    let registered = Registered { id: json!(1), at: now.now, password_sha256: None };
    contract.created(&fields, &registered, &mint(), &now).map(|(reply, _)| reply)
}

pub(crate) fn ask_json(contract: &Contract, body: Json) -> Reply {
    ask(contract, "application/json", body.to_string().as_bytes())
        .unwrap_or_else(|error| panic!("{error}\n{body}"))
}

#[test]
fn no_type_of_value_turns_a_refusal_into_a_failure() {
    let replies = r#"
[register.created]
body = "{}"
[register.invalid]
headers.X-City = "{{ input.city }}"
body = '{ "city": "{{ input.city }}", "age": {{ input.age }}, "v": "{{ errors[0].value }}" }'
"#;
    let fields = r#"{ name = "city", rules = [{ required = true, message = "{{ value }} is no city" }] }, { name = "age", rules = [{ type = "integer" }] },"#;
    let contract = loaded(&text("", fields, replies));
    let deep = (0..30).fold(json!(1), |inner, _| json!([inner]));
    let long = "\u{1}".repeat(20_000);
    for value in [json!([1, "x"]), json!({ "a": 1 }), json!(1.5), json!(true), json!(null), deep, json!(long)]
    {
        for body in
            [json!({ "city": value }), json!({ "city": "x", "age": value }), json!({ "email": value })]
        {
            let reply = ask_json(&contract, body.clone());
            assert_eq!(reply.outcome, Outcome::Invalid, "{body}");
            assert!(serde_json::from_str::<Json>(&reply.body).is_ok(), "{}", reply.body);
        }
    }
}

#[test]
fn replies_are_tried_with_everything_absent() {
    let body = |body: &str| {
        let replies = format!("[register.created]\nbody = '{{}}'\n[register.invalid]\nbody = '''{body}'''");
        complaints(&text("", r#"{ name = "city", rules = [{ required = true }] },"#, &replies))
    };
    assert!(!body(r#"{ "c": "{{ input.city | lower }}" }"#).is_empty());
    assert!(body(r#"{ "c": "{% if input.city %}{{ input.city | lower }}{% endif %}" }"#).is_empty());
}

#[test]
fn a_type_is_checked_whatever_the_conditions() {
    let fields = r#"{ name = "n", into = "name", rules = [{ type = "string", if = "value == 1" }] },"#;
    let contract = loaded(&text("", fields, REPLIES));
    for n in [json!(5), json!(["x"]), json!({})] {
        let reply = ask_json(&contract, json!({ "email": "a@b.co", "password": "hunter22", "n": n }));
        assert_eq!(reply.outcome, Outcome::Invalid, "{n}");
    }
    let fields = r#"{ name = "n", into = "name", rules = [{ type = "string" }, { type = "integer" }] },"#;
    assert!(complaints(&text("", fields, REPLIES)).contains(&"a field has one `type`".to_owned()));
}

#[test]
fn the_password_is_in_no_field_around_it() {
    let file = r#"
[register]
path = "/"
fields = [
  { name = "user", into = "extra.user", rules = [{ type = "object" }] },
  { name = "email", from = "user.email" },
  { name = "password", from = "user.password", rules = [{ required = true }] },
]
[register.created]
body = '{ "echo": {{ request.body }}, "user": {{ user.extra.user }} }'
[register.invalid]
body = '{ "v": {{ errors[0].value }}, "i": {{ input.user }} }'
"#;
    assert!(complaints(file).contains(&"a stored field overlaps with another".to_owned()));
    let checked = file.replace("into = \"extra.user\", ", "").replace("{{ user.extra.user }}", "1");
    assert_eq!(complaints(&checked), ["`input.user` is never shown"]);
    let contract = loaded(&checked.replace("{{ input.user }}", "1"));
    for body in [json!({ "user": { "password": "hunter22" } }), json!({ "user": ["hunter22"] })] {
        assert!(!ask_json(&contract, body).body.contains("hunter22"));
    }
}

#[test]
fn what_waits_for_a_hash_is_no_more_than_replies_show() {
    let sent = json!({ "email": "a@b.co", "password": "hunter22", "junk": vec![json!([]); 20_000] });
    for (body, shown) in [("{}", json!({})), ("{ \"b\": {{ request.body }} }", json!({ "email": "a@b.co" }))]
    {
        let replies = format!("[register.created]\nbody = '{body}'\n[register.invalid]\nbody = '{{}}'");
        let contract = loaded(&text("", "", &replies));
        let read = decode::read(
            &contract.register,
            Request { query: None, headers: &HeaderMap::new(), body: &Bytes::new() },
            sent.clone(),
            Media::Json,
        );
        let kept = contract.kept(read);
        assert_eq!(kept.body, shown);
        assert_eq!(kept.inputs, [Some(json!("a@b.co")), None], "the password is with the hasher alone");
        assert!(!ask_json(&contract, sent.clone()).body.contains("junk"));
    }
}

#[test]
fn what_must_equal_the_password_is_not_stored() {
    for (field, rule) in [
        ("value == input.password", ""),
        ("not (value != input.password)", ""),
        ("value in [input.password]", ""),
        ("value | lower == input.password | lower", ""),
        ("", "value == input.again"),
        ("", "input.again is defined and not (input.again != value)"),
    ] {
        let check = |check: &str| match check {
            "" => String::new(),
            check => format!(", {{ check = \"{check}\" }}"),
        };
        let file = format!(
            r#"
[register]
path = "/"
fields = [
  {{ name = "email" }},
  {{ name = "again", into = "extra.again", rules = [{{ max_length = 99 }}{}] }},
  {{ name = "password", rules = [{{ required = true }}{}] }},
]
[register.created]
body = '{{}}'
[register.invalid]
body = '{{}}'
"#,
            check(field),
            check(rule)
        );
        assert_eq!(complaints(&file), ["what must equal the password is not stored"], "{file}");
        let named = file.replace("into = \"extra.again\", ", "").replace(
            "\n[register.invalid]\nbody = '{}'",
            "\n[register.invalid]\nbody = '{ \"x\": {{ input.again }} }'",
        );
        assert_eq!(complaints(&named), ["`input.again` is never shown"], "{named}");
    }
    let different = r#"{ name = "nick", into = "extra.nick", rules = [{ check = "value != input.password" }, { check = "not similar(input.password, value)" }] },"#;
    assert_eq!(complaints(&text("", different, REPLIES)), Vec::<String>::new());
}

#[test]
fn what_is_compared_through_a_third_field_is_secret_too() {
    let fields = |check: &str| {
        format!(
            r#"{{ name = "again" }}, {{ name = "more" }}, {{ name = "terms", rules = [{{ check = "{check}" }}, {{ check = "input.more == input.again" }}] }},"#
        )
    };
    let contract = loaded(&text("", &fields("input.again == input.password"), REPLIES));
    let secret: Vec<&str> = contract.register.fields.iter().filter(|f| f.secret).map(|f| &*f.name).collect();
    assert_eq!(secret, ["again", "more", "password"]);
    let contract = loaded(&text("", &fields("input.again == input.email"), REPLIES));
    assert_eq!(contract.register.fields.iter().filter(|f| f.secret).count(), 1);
}

#[test]
fn unknown_members_that_are_kept_are_no_privileges_and_no_passwords() {
    let contract = loaded(&text("unknown = \"keep\"", "", REPLIES));
    let body = json!({
        "email": "a@b.co", "password": "hunter22", "role": "admin", "isAdmin": true, "emailVerified": true,
        "confirmPassword": "hunter23", "again": "hunter22", "phone": "+1",
        "form": { "password": "hunter22", "isAdmin": true, "size": "L", "copies": ["hunter22", { "pwd": "1", "x": [] }, "ok"] },
    });
    let (headers, body) = (HeaderMap::new(), Bytes::from(body.to_string()));
    let request = Request { query: None, headers: &headers, body: &body };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let fields = runtime.block_on(contract.decode(request, &circumstances())).unwrap();
    let extra = contract.submitted(&fields).extra.clone();
    let form = json!({ "size": "L", "copies": [{ "x": [] }, "ok"] });
    assert_eq!(Json::Object(extra), json!({ "phone": "+1", "form": form }));
}

#[test]
fn a_number_is_one_value_however_it_is_written() {
    let field =
        r#"{ name = "member", into = "extra.member", rules = [{ type = "number" }, { unique = true }] },"#;
    let contract = loaded(&text("", field, REPLIES));
    let claimed = |number: &str| {
        let body = format!(r#"{{"email":"a@b.co","password":"hunter22","member":{number}}}"#);
        let (headers, body) = (HeaderMap::new(), Bytes::from(body));
        let request = Request { query: None, headers: &headers, body: &body };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let fields = runtime.block_on(contract.decode(request, &circumstances())).unwrap();
        contract.unique_extras(&fields).remove(0).1
    };
    for same in [
        ["5", "5.0", "5e0"],
        ["0", "-0", "-0.0"],
        ["-7", "-7.0", "-70e-1"],
        ["-9223372036854775808", "-9223372036854775808.0", "-9223372036854775808e0"],
        ["1e19", "10000000000000000000", "1e19"],
        ["1e300", "10e299", "1.0e300"],
    ] {
        let [one, other, third] = same.map(claimed);
        assert!(one == other && one == third, "{same:?}: {one} {other} {third}");
    }
    assert_eq!(["5", "5.5", "50"].map(claimed), ["5", "5.5", "50"]);
}

#[test]
fn what_stands_twice_beside_the_body_is_malformed() {
    let fields = r#"{ name = "invite", from = "query:invite" }, { name = "key", from = "header:X-Key" }, { name = "c", from = "cookie:c" },"#;
    let contract = loaded(&text("", fields, REPLIES));
    let read = |query: &str, pairs: &[(&'static str, &'static str)]| {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, http::HeaderValue::from_static(value));
        }
        let body = Bytes::from_static(br#"{"email":"a@b.co","password":"hunter22"}"#);
        let request = Request { query: Some(query), headers: &headers, body: &body };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let decoded = runtime.block_on(contract.decode(request, &circumstances()));
        decoded.err().map(|refusal| (refusal.outcome, refusal.reason))
    };
    let malformed = |reason: &str| Some((Outcome::Malformed, reason.to_owned()));
    assert_eq!(read("invite=a&other=b&other=c", &[("x-key", "k"), ("x-other", "1"), ("x-other", "2")]), None);
    assert_eq!(read("invite=a&%69nvite=a", &[]), malformed("query:invite stands twice"));
    assert_eq!(read("", &[("x-key", "k"), ("x-key", "k")]), malformed("header:x-key stands twice"));
    // Browsers send the cookies of all paths, the nearest first.
    assert_eq!(read("", &[("cookie", "c=1; c=2")]), None);
    let json = ("content-type", "application/json");
    assert_eq!(read("", &[json]), None);
    assert_eq!(read("", &[json, json]).map(|(outcome, _)| outcome), Some(Outcome::UnsupportedMediaType));
}

#[test]
fn first_per_field_reports_a_name_once() {
    let replies = r#"
[register.created]
body = "{}"
[register.invalid]
body = '{ {% for e in errors %}"{{ e.field }}": "{{ e.message }}",{% endfor %} }'
"#;
    let fields = r#"{ name = "a", rules = [{ required = true, field = "all" }] }, { name = "b", from = "bee", rules = [{ required = true, field = "all" }] },"#;
    let words = "errors = \"first-per-field\"\nunknown = \"refuse\"";
    let contract = loaded(&text(words, fields, replies));
    let reply = ask_json(&contract, json!({ "all": 1, "email": 5 }));
    assert_eq!(reply.body.matches("\"all\"").count(), 1, "{}", reply.body);
    // An unknown member can have any name, also that of a key that stands there.
    let beside = replies.replace("'{ {%", "'{ \"ok\": false, {%");
    let twice = "[register.invalid] writes the key \"ok\" twice".to_owned();
    assert_eq!(complaints(&text(words, fields, &beside)), [twice]);
    assert!(complaints(&text("errors = \"first-per-field\"", fields, &beside)).is_empty());
}

#[test]
fn claims_are_an_object_and_hold_each_key_once() {
    let claims = |claims: &str| {
        let words = format!("tokens.access = {{ claims = '''{claims}''' }}");
        complaints(&text(&words, "", REPLIES))
    };
    assert!(claims(r#"{ "sub": "{{ user.id }}" }"#).is_empty());
    assert_eq!(claims(r#"["{{ user.id }}"]"#), ["claims are a JSON object"]);
    assert_eq!(claims(""), ["claims are a JSON object"]);
    let twice = ["the claims of `access` hold \"exp\" twice"];
    assert_eq!(claims(r#"{ "exp": 99999999999 }"#), twice);
}

#[test]
fn the_client_chooses_no_content_type_and_no_cookie() {
    let headers = |headers: &str| {
        let replies = format!(
            "[register.created]\nheaders = {{ {headers} }}\nbody = '\"x\"'\n[register.invalid]\nbody = '{{}}'"
        );
        complaints(&text("", r#"{ name = "x" },"#, &replies))
    };
    assert!(headers(r#"Content-Type = "text/plain", Set-Cookie = "a={{ input.x }}; Path=/""#).is_empty());
    for (bad, title) in [
        (r#"Content-Type = "{{ input.x }}""#, "a content type is one fixed text"),
        (r#"Content-Type = ["text/plain", "text/html"]"#, "a content type is one fixed text"),
        (r#"Content-Type = "text/javascript""#, "an answer is not a script"),
        (
            r#"Content-Type = "text/plain", content-type = "text/html""#,
            "the header `content-type` is given twice",
        ),
        (
            r#"Content-Type = "text/plain", Set-Cookie = "{{ input.x }}; Path=/""#,
            "a cookie begins with its name",
        ),
        (r#"Content-Type = "text/plain", Set-Cookie = "a{{ input.x }}=1""#, "a cookie begins with its name"),
        (
            r#"Content-Type = "text/plain", Content-Encoding = "gzip""#,
            "`Content-Encoding` is not for a contract to set",
        ),
    ] {
        assert_eq!(headers(bad), [title], "{bad}");
    }
}

#[test]
fn xml_is_escaped_like_html() {
    let replies = r#"
[register.created]
body = ""
[register.invalid]
headers.Content-Type = "application/problem+xml"
body = '<e v="{{ input.x }}"/>'
"#;
    let contract = loaded(&text("", r#"{ name = "x", rules = [{ max_length = 99 }] },"#, replies));
    let reply = ask_json(&contract, json!({ "x": "\"/><script>" }));
    assert_eq!(reply.body, "<e v=\"&quot;/&gt;&lt;script&gt;\"/>");
}

#[test]
fn a_page_leads_to_the_deployment_itself() {
    let replies = r#"
[register.created]
headers.Content-Type = "text/html"
body = '<a href="{{ request.base_url }}/users/{{ user.id }}">{{ user.email }}</a>{{ "{" }}{% if input.x %}<b>{{ input.x }}</b>{% endif %}'
[register.invalid]
body = "{}"
"#;
    let contract = loaded(&text("", r#"{ name = "x", rules = [{ max_length = 99 }] },"#, replies));
    let reply = ask_json(&contract, json!({ "email": "a@b.co", "password": "hunter22", "x": "<i>" }));
    assert!(reply.body.ends_with("/users/1\">a@b.co</a>{<b>&lt;i&gt;</b>"), "{}", reply.body);
}

#[test]
fn secrets_are_not_stored_and_ids_are_whole() {
    let secret = r#"{ name = "key", into = "extra.key", rules = [{ required = true, secret = "key" }] },"#;
    assert_eq!(complaints(&text("", secret, REPLIES)), ["a secret is not stored"]);
    let id = |pattern: &str| {
        complaints(&text(
            "",
            &format!("{{ name = \"id\", into = \"id\", rules = [{{ pattern = '{pattern}' }}] }},"),
            REPLIES,
        ))
    };
    assert_eq!(id("[a-z]"), ["an id from the client needs a `pattern`"]);
    assert!(id("^[a-z]{15}$").is_empty());
}

#[test]
fn clean_is_tried_too() {
    let fields = r#"{ name = "n", into = "name", clean = "value | date('%Y')" },"#;
    assert_eq!(complaints(&text("", fields, REPLIES)), ["`clean` of `n` fails with sample values"]);
}

#[test]
fn every_branch_is_entered_also_else_and_in_messages() {
    let untried = ["no request leads into this branch"];
    let message =
        r#"{ name = "n", rules = [{ required = true, message = "{% if field == 'm' %}a{% endif %}" }] },"#;
    assert_eq!(complaints(&text("", message, REPLIES)), untried);
    let claims = r#"tokens.a = { claims = '{ {% if user.id == "x" %}"a": 1{% endif %} }' }"#;
    assert_eq!(complaints(&text(claims, "", REPLIES)), untried);
    let replies = "[register.created]\nbody = '{}'\n[register.invalid]\nbody = '[{% for e in errors %}1,{% else %}2{% endfor %}]'";
    assert_eq!(complaints(&text("", "", replies)), untried);
}

#[test]
fn a_name_set_in_one_branch_is_not_known_after_it() {
    let known = Names::new().value("a");
    let compiles =
        |source: &str| template::Template::compile(source, template::Format::Plain, &known).is_ok();
    assert!(!compiles("{% if a %}{% set x = 1 %}{% endif %}{{ x }}"));
    assert!(compiles("{% if a %}{% set x = 1 %}{% else %}{% set x = 2 %}{% endif %}{{ x }}"));
    assert!(compiles("{% set x = 1 %}{% if a %}{% set x = 2 %}{% endif %}{{ x }}"));
    assert!(!compiles("{% for i in a %}{% set loop = i %}{% endfor %}"));
}
