//! What somebody has tried, with contracts of their own, to break what the language promises.

use super::*;

fn told(fields: &str, replies: &str) -> String {
    complaints(&text("", fields, replies)).join("; ")
}

fn created(body: &str) -> String {
    format!("[register.created]\nbody = '''{body}'''\n[register.invalid]\nbody = '''{{}}'''")
}

fn answers(fields: &str, replies: &str, body: Json) -> (u16, String) {
    let contract = loaded(&text("", fields, replies));
    let mut body = body;
    body["email"] = "a@b.co".into();
    body["password"] = "correct horse".into();
    let reply = ask_json(&contract, body);
    (reply.status, reply.body)
}

#[test]
fn kept_members_of_the_body_take_no_fields_place() {
    let fields = r#"{ name = "plan", from = "query:plan", into = "extra.plan", rules = [{ enum = ["free"] }] },
        { name = "phone", from = "profile.phone", into = "extra.phone", rules = [{ unique = true }] },"#;
    let contract = loaded(&text("unknown = \"keep\"", fields, REPLIES));
    let body = json!({ "email": "a@b.co", "password": "hunter22", "plan": "enterprise", "phone": "1", "size": "L",
        "\u{ff52}\u{ff4f}\u{ff4c}\u{ff45}": "admin" });
    let (headers, body) = (HeaderMap::new(), Bytes::from(body.to_string()));
    let request = Request { query: Some("plan=free"), headers: &headers, body: &body };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let fields = runtime.block_on(contract.decode(request, &circumstances())).unwrap();
    assert_eq!(
        Json::Object(contract.submitted(&fields).extra.clone()),
        json!({ "plan": "free", "size": "L" })
    );
}

#[test]
fn what_is_stored_whole_holds_no_password() {
    let field =
        r#"{ name = "profile", into = "extra.profile", rules = [{ required = true, type = "object" }] },"#;
    let profile =
        json!({ "status": "single", "seasonPass": true, "list": ["correct horse", { "pwd": "x", "a": 1 }] });
    for shown in ["user.extra.profile", "request.body.profile"] {
        let shown = answers(field, &created(&format!("{{{{ {shown} }}}}")), json!({ "profile": profile }));
        let stored = r#"{"status":"single","seasonPass":true,"list":[null,{"a":1}]}"#;
        assert_eq!(shown, (201, stored.to_owned()));
    }
}

/// A field's own value is that, whatever it equals.
#[test]
fn who_takes_another_value_for_a_password_is_answered() {
    let field = r#"{ name = "nick", into = "extra.nick", rules = [{ required = true }] },
        { name = "tags", into = "extra.tags", rules = [{ required = true, type = "array", min_length = 1 }] },"#;
    let reply = created(r#"{ "name": "{{ request.body.nick }}", "tag": {{ user.extra.tags[0] }} }"#);
    let sent = json!({ "nick": "correct horse", "tags": ["correct horse"] });
    let shown = answers(field, &reply, sent);
    assert_eq!(shown, (201, r#"{"name":"correct horse","tag":null}"#.to_owned()));
}

#[test]
fn what_is_unique_is_claimed_as_it_is_stored() {
    let field =
        r#"{ name = "profile", into = "extra.profile", rules = [{ type = "object" }, { unique = true }] },"#;
    let contract = loaded(&text("", field, &created("{}")));
    let body =
        r#"{"email":"a@b.co","password":"hunter22","profile":{"a":1,"b":["hunter22"],"password":"x"}}"#;
    let (headers, body) = (HeaderMap::new(), Bytes::from(body));
    let request = Request { query: None, headers: &headers, body: &body };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let fields = runtime.block_on(contract.decode(request, &circumstances())).unwrap();
    let claimed = r#"{"a":1,"b":[null]}"#.to_owned();
    assert_eq!(contract.unique_extras(&fields), [("extra.profile".to_owned(), claimed.clone())]);
    assert_eq!(contract.unique_extras(&contract.kept(fields)), [("extra.profile".to_owned(), claimed)]);
}

#[test]
fn no_key_that_a_client_chooses_is_there_already() {
    let name = r#"{ name = "username", rules = [{ required = true }] },"#;
    let body = r#"{ "id": {{ user.id }}, "{{ user.username }}": true }"#;
    assert_eq!(told(name, &created(body)), "[register.created] writes the key \"id\" twice");
    let attrs =
        r#"{ name = "attrs", into = "extra.attrs", rules = [{ required = true, type = "object" }] },"#;
    let each = r#"{% for k, v in user.extra.attrs | items %}"{{ k }}": {{ v }},{% endfor %}"#;
    let body = format!(r#"{{ "urn:x:id": {{{{ user.id }}}}, {each} }}"#);
    assert_eq!(told(attrs, &created(&body)), "[register.created] writes the key \"urn:x:id\" twice");
    let token = format!("tokens.a = {{ claims = '''{{ {each} }}''' }}");
    let claims = text(&token, attrs, &created(r#"{ "t": "{{ tokens.a }}" }"#));
    assert_eq!(
        complaints(&claims),
        ["the claims of `a` hold \"exp\" twice", "the claims of `a` hold \"iat\" twice"]
    );
}

#[test]
fn keys_that_no_client_can_choose_are_no_reason() {
    let mail = r#"{ "id": {{ user.id }}, "{{ user.email }}": true }"#;
    assert_eq!(told("", &created(mail)), "");
    let plan =
        r#"{ name = "plan", into = "extra.plan", rules = [{ required = true, enum = ["free", "pro"] }] },"#;
    assert_eq!(told(plan, &created(r#"{ "id": {{ user.id }}, "{{ user.extra.plan }}": true }"#)), "");
    let replies = "[register.created]\nbody = '{}'\n[register.invalid]\nbody = '{ \"ok\": false, \"{{ errors[0].message }}\": 1 }'";
    assert_eq!(complaints(&text("errors = \"first\"", "", replies)), [""; 0]);
}

#[test]
fn no_copy_of_the_password_is_stored_or_shown() {
    let reply = created(r#"{ "id": {{ user.id }} }"#);
    for fields in [
        r#"{ name = "again", into = "extra.again", rules = [{ check = "false", if = "value != input.password" }] },"#,
        r#"{ name = "again", rules = [{ check = "value == input.password" }] },
           { name = "third", into = "extra.third", rules = [{ check = "value == input.again" }] },"#,
    ] {
        assert_eq!(told(fields, &reply), "what must equal the password is not stored", "{fields}");
    }
    let field = r#"{ name = "confirmPassword", into = "extra.confirmPassword" },"#;
    assert_eq!(told(field, &reply), "a password is not stored beside the password");
    let field = r#"{ name = "again", from = "user.password2" },"#;
    assert_eq!(told(field, &created(r#"{ "again": "{{ input.again }}" }"#)), "`input.again` is never shown");
    let field = r#"{ name = "season_pass", into = "extra.season_pass", rules = [{ type = "boolean" }] },"#;
    assert_eq!(told(field, &reply), "");
    // What only looks like one of these.
    let fields = r#"{ name = "nick", into = "extra.nick", rules = [{ check = "value != input.password" }] },
        { name = "passport", into = "extra.passport", rules = [{ check = "value != 'x'", if = "input.nick" }] },"#;
    assert_eq!(told(fields, &reply), "");
}

#[test]
fn what_fails_for_some_account_fails_at_start() {
    for (field, body) in [
        (
            "{ name = \"tags\", into = \"extra.tags\", rules = [{ type = \"array\" }] },",
            r#"{ "x": "{{ user.extra.tags | join(", ") }}" }"#,
        ),
        (
            "{ name = \"n\", into = \"extra.n\", rules = [{ required = true, type = \"integer\" }] },",
            r#"{ "x": {{ 100 // user.extra.n }} }"#,
        ),
        // Of a reply that is too long, what is not stored is left out.
        (
            "{ name = \"next\", rules = [{ required = true }] },",
            r#"{ "next": "/login?to={{ input.next | urlencode }}" }"#,
        ),
    ] {
        let told = told(field, &created(body));
        let fails =
            ["of [register.created] fails with sample values", "cannot do without what is not stored"];
        assert!(fails.iter().any(|text| told.contains(text)), "{body}: {told}");
    }
    let short = r#"{ name = "country", rules = [{ required = true, pattern = "^[A-Za-z]{2}$" }] },"#;
    assert_eq!(told(short, &created(r#"{ "country": "{{ input.country | upper }}" }"#)), "");
    let positive = r#"{ name = "n", into = "extra.n", rules = [{ required = true, type = "integer" }, { check = "value > 0" }] },"#;
    let quotient = created(r#"{ "x": {{ 100 // user.extra.n }} }"#);
    assert_eq!(told(positive, &quotient), "");
    for words in ["errors = \"first\"", "errors = \"first-per-field\""] {
        assert_eq!(complaints(&text(words, positive, &quotient)), [""; 0], "{words}");
    }
    let cleaned = r#"{ name = "n", into = "extra.n", clean = "value if value != 0 else 1", rules = [{ required = true, type = "integer" }] },"#;
    assert_eq!(told(cleaned, &quotient), "");
    let short = r#"{ name = "next", rules = [{ required = true, max_length = 100 }] },"#;
    assert_eq!(told(short, &created(r#"{ "next": "/login?to={{ input.next | urlencode }}" }"#)), "");
    assert_eq!(told("", &created(r#"{ "email": "{{ request.body.email }}" }"#)), "");
}

#[test]
fn rules_do_not_fail_open() {
    let ok = created(r#"{ "id": {{ user.id }} }"#);
    let listed = r#"{ name = "n", rules = [{ check = "value is not in(input.list)" }] }, { name = "list" },"#;
    assert_eq!(answers(listed, &ok, json!({ "n": "a", "list": ["b"] })).0, 201);
    for list in [json!(["a"]), json!(7), json!(true)] {
        assert_eq!(answers(listed, &ok, json!({ "n": "a", "list": list })).0, 400, "{list}");
    }
    let plain =
        r#"{ name = "n", rules = [{ check = "input.other is not matching('[<>]')" }] }, { name = "other" },"#;
    assert_eq!(answers(plain, &ok, json!({ "n": "a", "other": "b" })).0, 201);
    for other in [json!("<"), json!(["<"]), json!({ "<": 1 })] {
        assert_eq!(answers(plain, &ok, json!({ "n": "a", "other": other })).0, 400, "{other}");
    }
    let later = r#"{ name = "n", rules = [{ type = "integer" }, { check = "now | after(value) > now" }] },"#;
    assert_eq!(answers(later, &ok, json!({ "n": 60 })).0, 201);
    for seconds in [i64::MAX, i64::MIN, 9_000_000_000_000_000_000] {
        assert_eq!(answers(later, &ok, json!({ "n": seconds })).0, 400, "{seconds}");
    }
}

#[test]
fn what_expressions_do_and_answers_hold_is_bounded() {
    let contract = loaded(&text("accepts = [\"json\", \"multipart\"]", "", REPLIES));
    let many = json!({ "email": "a@b.co", "password": "hunter22", "x": vec![1; 4100] });
    let shown = |reply: Reply| (reply.outcome, reply.status);
    assert_eq!(shown(ask_json(&contract, many)), (Outcome::Malformed, 400));
    // A parser that quotes what it does not like.
    let part = format!("--b\r\n{}: x\r\n\r\ny\r\n--b--\r\n", "a".repeat(60_000));
    let reasons = format!("{REPLIES}\n[register.malformed]\nbody = '{{ \"why\": \"{{{{ reason }}}}\" }}'");
    let quoting = loaded(&text("accepts = [\"multipart\"]", "", &reasons));
    let reply = ask(&quoting, "multipart/form-data; boundary=b", part.as_bytes()).unwrap();
    assert!(reply.outcome == Outcome::Malformed && reply.body.len() < 1000, "{}", reply.body.len());
    // Values that a template multiplies, also in its last tag and in loops without a body.
    let doubled = "{% set l = [l, l, l, l] %}".repeat(4);
    for body in [
        format!("{{% set l = [input.t] %}}{doubled}{{ \"x\": {{{{ l }}}} }}"),
        "{{ errors[0].value }}".to_owned(),
        "{ \"n\": 1 {% if input.list %}{% for a in input.list %}{% for b in input.list %}{% endfor %}{% endfor %}{% endif %} }".to_owned(),
    ] {
        let fields = r#"{ name = "t", rules = [{ max_length = 5 }] }, { name = "list", rules = [{ type = "array" }] },"#;
        let replies = format!("[register.created]\nbody = '{{}}'\n[register.invalid]\nbody = '''{body}'''");
        let sent = json!({ "t": "a".repeat(70_000), "list": vec![1; 2000] });
        let (status, body) = answers(fields, &replies, sent);
        assert!(status == 400 && body.len() <= 64 * 1024, "{status} {}", body.len());
    }
    // Members that are kept and mean nothing.
    let keeping = loaded(&text("unknown = \"keep\"", "", REPLIES));
    let mut members = json!({ "email": "a@b.co", "password": "hunter22" });
    (0..400).for_each(|i| members[format!("m{i}")] = "\0".into());
    let reply = ask_json(&keeping, members);
    assert_eq!((reply.status, reply.body.matches("\"f\":").count()), (400, 100));
}

#[test]
fn notes_are_not_written() {
    let field = r#"{ name = "n", rules = [{ min_length = 3, message = "Too short.{# ask legal #}" }] },"#;
    let replies = "[register.created]\nbody = '{}'\n[register.invalid]\nheaders = { X-A = \"a{# internal #}\" }\nbody = '\"{{ errors[0].message }}\"'";
    let contract = loaded(&text("", field, replies));
    let reply = ask_json(&contract, json!({ "email": "a@b.co", "password": "hunter22", "n": "x" }));
    assert_eq!(reply.body, "\"Too short.\"");
    assert!(reply.headers.iter().any(|(name, value)| name == "x-a" && value == "a"), "{:?}", reply.headers);
}

#[test]
fn a_pattern_of_ids_speaks_of_the_whole_id() {
    let id = |pattern: &str| {
        let field = format!(r#"{{ name = "id", into = "id", rules = [{{ pattern = '{pattern}' }}] }},"#);
        told(&field, &created(r#"{ "id": "{{ user.id }}" }"#))
    };
    for whole in ["^[a-z0-9]{15}$", "^(?:a|b)$", "^a\\$$", "^[a-z]{15}$|^[0-9]{10}$", "(?i)^a$"] {
        assert!(!id(whole).contains("an id from the client needs a `pattern`"), "{whole}: {}", id(whole));
    }
    for part in ["^a|b$", "a$", "^a", "^a\\$", "^a$|b|^c$"] {
        assert!(id(part).contains("an id from the client needs a `pattern`"), "{part}");
    }
}
