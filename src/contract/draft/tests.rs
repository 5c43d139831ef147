use super::examples::scrubbed;
use super::*;
use crate::contract::shipped;
use proptest::prelude::*;
use serde_json::Value as Json;
use std::path::Path;

async fn started(request: &str, created: &str, invalid: &str, taken: &str) -> Draft {
    let reply = async |text: &str| match text {
        "" => None,
        text => Some(exchange(text).await.expect("a reply")),
    };
    let examples = Examples {
        request: Some(super::request(request).await.expect("a request")).filter(|_| !request.is_empty()),
        created: reply(created).await,
        invalid: reply(invalid).await,
        taken: reply(taken).await,
        ..Examples::default()
    };
    draft(&examples).await.expect("a file that loads")
}

fn has(draft: &Draft, lines: &[&str]) {
    for line in lines {
        assert!(draft.text.contains(line), "missing: {line}\nin:\n{}", draft.text);
    }
}

/// The shipped contracts, started again from their documented examples.
#[tokio::test]
async fn the_shipped_contracts_are_found_again() {
    for (name, lines) in [
        (
            "knex",
            &["\"id\": {{ user.id }},", "\"created_at\": \"{{ user.created_at }}\"", "status = 200"][..],
        ),
        ("flask", &["errors = \"first\"", "\"username\": \"{{ user.username }}\"", "[register.default]"]),
        (
            "express",
            &[
                "id    = \"objectid\"",
                "tokens.access = { claims = '{ \"id\": \"{{ user.id }}\" }', lifetime = \"1h\" }",
                "\"token\": \"{{ tokens.access }}\"",
                "\"updatedAt\": \"{{ user.updated_at }}\"",
                "min_length = 6, message = \"Password must be at least 6 characters long\"",
                "# the shape of `invalid`",
            ],
        ),
        (
            "mongoose",
            &[
                "claims = '{ \"_id\": \"{{ user.id }}\" }', lifetime = \"14d\"",
                "\"_id\": \"{{ user.id }}\"",
                "says.required = { message = \"Path `{{ field }}` is required.\" }",
                "{% for e in errors %}{{ e.field }}: {{ e.message }}{% if not loop.last %}, {% endif %}{% endfor %}",
                "dup key: { : \\\"{{ errors[0].value }}\\\" }",
            ],
        ),
        (
            "envelope",
            &[
                "id    = \"uuid\"",
                "\"createdAt\": {{ user.created_at | millis }}",
                "\"password\": \"{{ user.password_sha256 }}\"",
                "message = \"User with email '{{ value }}' already exists.\"",
            ],
        ),
    ] {
        let file = |case: &str| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts/examples").join(name);
            std::fs::read_to_string(folder.join(format!("{case}.http"))).expect("an example")
        };
        let examples = Examples {
            created: Some(exchange(&file("created")).await.unwrap()),
            invalid: Some(exchange(&file("invalid")).await.unwrap()),
            taken: Some(exchange(&file("taken")).await.unwrap()),
            ..Examples::default()
        };
        let draft = draft(&examples).await.unwrap();
        assert_eq!(draft.tried, Tried::Created(Vec::new()), "{name}");
        has(&draft, lines);
        let again = load(&draft.text).contract.unwrap();
        let old = shipped(name).unwrap();
        assert_eq!((&again.id, &again.register.path), (&old.id, &old.register.path), "{name}");
    }
}

#[tokio::test]
async fn laravel() {
    let request = r#"{"name":"Ann","email":"ann@example.com","password":"secret-77","password_confirmation":"secret-77"}"#;
    let created = "HTTP/1.1 204 No Content\nSet-Cookie: XSRF-TOKEN=eyJpdiI6Ik9abcdefgh0123456789; expires=Mon, 10 Jun 2024 14:34:56 GMT; Max-Age=7200; path=/; samesite=lax\nSet-Cookie: laravel_session=aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0fH3kM6pR9t; Max-Age=7200; path=/; httponly; samesite=lax\n";
    let invalid = r#"{"message":"The email field is required. (and 1 more error)","errors":{"email":["The email field is required."],"name":["The name field is required."]}}"#;
    let draft = started(request, created, invalid, "").await;
    has(
        &draft,
        &[
            r#"check = "value == input.password""#,
            r#""errors": {{ errors | by("field", "message") }}"#,
            r#"says.required = { message = "The {{ field }} field is required." }"#,
            "status = 204",
            "body = \"\"",
            "laravel_session={{ tokens.session }}; Max-Age={{ tokens.session.lifetime }}",
            r#"random = "[A-Za-z0-9]{40}", lifetime = "2h""#,
        ],
    );
}

#[tokio::test]
async fn fastapi_nest_and_drf() {
    let request = r#"{"email":"ann@example.com","password":"secret-77"}"#;
    let fastapi = r#"{"detail":[{"type":"missing","loc":["body","email"],"msg":"Field required","input":{}},{"type":"string_too_short","loc":["body","password"],"msg":"String should have at least 8 characters","input":"x"}]}"#;
    let draft =
        started(request, r#"{"id":"usr_2x9fk3ab","email":"ann@example.com","is_active":true}"#, fastapi, "")
            .await;
    has(
        &draft,
        &[
            r#""loc": ["body", "{{ e.field }}"]"#,
            r#""type": "{{ e.code }}""#,
            r#"{ required = true, message = "Field required", code = "missing" }"#,
            r#"min_length = 8, message = "String should have at least 8 characters", code = "string_too_short""#,
            r#"id    = "usr_[a-z0-9]{8}""#,
            r#""is_active": true"#,
        ],
    );
    let nest = r#"{"message":["email must be an email","password must be longer than or equal to 8 characters"],"error":"Bad Request","statusCode":400}"#;
    let draft = started(
        request,
        r#"{"id":1}"#,
        nest,
        r#"{"message":"User ann@example.com exists","error":"Conflict","statusCode":409}"#,
    )
    .await;
    has(
        &draft,
        &[
            r#""message": [{% for e in errors %}"{{ e.message }}",{% endfor %}]"#,
            r#"{ format = "email", message = "email must be an email" }"#,
            r#"{ unique = true, message = "User {{ value }} exists" }"#,
            r#"body = '{ "message": "{{ errors[0].message }}", "error": "Conflict", "statusCode": 409 }'"#,
        ],
    );
    let drf = r#"{"email":["This field is required."],"password":["This field may not be blank."]}"#;
    let draft = started(
        request,
        r#"{"email":"ann@example.com"}"#,
        drf,
        r#"{"email":["user with this email already exists."]}"#,
    )
    .await;
    has(&draft, &[r#"body = '{{ errors | by("field", "message") }}'"#, "# the shape of `invalid`"]);
}

#[tokio::test]
async fn what_comes_back_in_another_form_is_recognised() {
    let request = "POST /api/?action=register HTTP/1.1\nContent-Type: application/json\nX-Api-Key: k\n\n{\"user\":{\"mail\":\" Ann@Example.com\",\"firstName\":\"Ann\",\"lastName\":\"Lee\",\"pwd\":\"secret-77\",\"newsletter\":true,\"role\":\"admin\"}}";
    let created = "HTTP/1.1 201 Created\nContent-Type: application/json; charset=utf-8\nLocation: https://old.example/users/42\nX-Powered-By: Express\nX-Region: eu\n\n{\"id\":42,\"mail\":\"ann@example.com\",\"displayName\":\"Ann Lee\",\"newsletter\":true,\"role\":\"user\",\"hash\":\"$2b$10$abcdefghijklmnopqrstuv\",\"accessToken\":\"r:0123456789abcdefghijklmnopqrstuv\",\"expires_in\":900,\"expiresAt\":\"2024-06-10T12:49:56Z\",\"joined\":1718022896,\"text\":\"{{ user.id }} it's\"}";
    let draft = started(request, created, "", "").await;
    assert_eq!(draft.tried, Tried::Created(Vec::new()), "{}", draft.text);
    has(
        &draft,
        &[
            r#"path   = "/api/?action=register""#,
            r#"header:X-Api-Key"#,
            r#"{ name = "mail", from = "user.mail", into = "email", clean = "value | trim | lower""#,
            r#""displayName": "{{ user.first_name }} {{ user.last_name }}""#,
            r#""newsletter": {{ user.extra.newsletter }}"#,
            r#""role": "user""#,
            r#""hash": """#,
            r#"tokens.access = { random = "r:[a-z0-9]{32}", lifetime = "15m" }"#,
            r#""expires_in": {{ tokens.access.lifetime }}"#,
            r#""{{ now | after(tokens.access.lifetime) | date("%Y-%m-%dT%H:%M:%SZ") }}""#,
            r#""joined": {{ user.created_at | seconds }}"#,
            r#"headers.Location = "https://old.example/users/{{ user.id }}""#,
            r#"headers.Content-Type = "application/json; charset=utf-8""#,
            "X-Region",
        ],
    );
    assert!(!draft.text.contains("secret-77") && !draft.text.contains("$2b$"), "{}", draft.text);
}

#[tokio::test]
async fn with_next_to_nothing_there_is_still_a_file() {
    let nothing = draft(&Examples::default()).await.unwrap();
    has(&nothing, &["path   = \"/users\"", "name = \"email\"", "name = \"password\""]);
    let created = Examples {
        created: Some(exchange(r#"{"id":1,"username":"ann","fullName":"Ann"}"#).await.unwrap()),
        ..Examples::default()
    };
    has(&draft(&created).await.unwrap(), &["name = \"username\"", "\"fullName\": \"{{ user.name }}\""]);
    let page = started(
        "user=ann&pass=secret-77",
        "HTTP/1.1 200 OK\nContent-Type: text/html\n\n<p>Hello ann {% x %}</p>",
        "HTTP/1.1 400 Bad\nContent-Type: text/plain\n\nno",
        "",
    )
    .await;
    has(&page, &["accepts = [\"form\"]", "<p>Hello {{ user.username }} {{ \"{\" }}% x %}</p>"]);
    let untyped = started("user=ann&pass=secret-77", "HTTP/1.1 200 OK\n\nHello ann", "no", "").await;
    has(&untyped, &["headers.Content-Type = \"text/plain\"", "Hello {{ user.username }}"]);
}

#[tokio::test]
async fn what_would_be_called_like_a_password_is_not_stored() {
    let request = "{\"username\":\"ann\",\"password\":\"secret-77\",\"\u{786e}\u{8ba4}pw\":\"x\"}";
    let draft = started(request, r#"{"id":1}"#, "", "").await;
    assert!(!draft.text.contains("extra.__pw"), "{}", draft.text);
}

/// Where a value of a page would be code, the page stays as it was pasted.
#[tokio::test]
async fn a_page_with_values_in_its_script_is_pasted() {
    let html = "<p class=ann>Hello <a href=\"ann\">ann</a><script>var u = {{a: \"ann\"}}</script></p>";
    let page = started(
        "user=ann&pass=secret-77",
        &format!("HTTP/1.1 200 OK\nContent-Type: text/html\n\n{html}"),
        "HTTP/1.1 400 Bad\nContent-Type: text/plain\n\nno",
        "",
    )
    .await;
    has(&page, &["headers.Content-Type = \"text/html\"", &html.replace("{{a", "{{ \"{\" }}{a")]);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_]{1,8}",
        "[ -~]{0,24}",
        Just("{{ user.id }}{% raw %}'''\"".to_owned()),
        Just("ann@example.com".to_owned()),
        Just("hunter-4711-secret".to_owned()),
        Just("Not hunter-4711-secret!".to_owned()),
        Just("2024-06-10T12:34:56Z".to_owned()),
        Just("eyJhbGciOiJIUzI1NiJ9.eyJpZCI6IjciLCJleHAiOjM2MDF9.x".to_owned()),
        Just("The email field is required.".to_owned()),
        "\\PC{0,6}",
    ]
}

fn key() -> impl Strategy<Value = String> {
    let known = [
        "email",
        "name",
        "password",
        "username",
        "id",
        "_id",
        "token",
        "errors",
        "message",
        "msg",
        "field",
        "code",
        "path",
        "value",
        "createdAt",
        "expires_in",
        "role",
        "data",
        "user",
        "details",
        "type",
        "'''",
        "{{",
    ];
    prop_oneof![4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => "[ -~]{0,12}"]
}

fn tree() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        4 => text().prop_map(Json::from),
        1 => any::<bool>().prop_map(Json::from),
        1 => prop_oneof![any::<i64>(), Just(1_718_022_896), 0..100i64].prop_map(Json::from),
        1 => Just(Json::Null),
    ];
    let tree = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::vec((key(), inner), 0..5).prop_map(|m| Json::Object(m.into_iter().collect())),
        ]
    });
    prop::collection::vec((key(), tree), 0..5).prop_map(|m| Json::Object(m.into_iter().collect()))
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(48)
}

/// Found by the test below.
#[tokio::test]
async fn a_name_may_hold_the_quotes_that_would_end_it() {
    for name in ["\"", "\\", "'", "a\nb", "\"]}}", "'''"] {
        let request =
            serde_json::json!({ "username": { name: [], "password": [] }, "password": "hunter-4711-secret" });
        let pasted = Pasted { content: Content::Json(request), ..Pasted::default() };
        let draft = draft(&Examples { request: Some(pasted), ..Examples::default() }).await;
        let shown = draft.map_err(|e| crate::contract::render("x", &e.text, &e.complaints, false));
        assert!(shown.is_ok(), "{name:?}: {}", shown.err().unwrap_or_default());
    }
}

/// Found by the test below, too.
#[tokio::test]
async fn fields_have_names_of_their_own_also_when_a_path_is_the_name_of_another() {
    let request =
        serde_json::json!({ "email": { "id": "a" }, "username": { "_id": "a" }, "_id": [], "password": "x" });
    let pasted = Pasted { content: Content::Json(request), ..Pasted::default() };
    let draft = draft(&Examples { request: Some(pasted), ..Examples::default() }).await;
    let shown = draft.map_err(|e| crate::contract::render("x", &e.text, &e.complaints, false));
    assert!(shown.is_ok(), "{}", shown.err().unwrap_or_default());
}

proptest! {
    // Each case loads a contract several times; PROPTEST_CASES asks for more.
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// Whatever is pasted, the file loads, and holds no password.
    #[test]
    fn every_draft_loads((request, created, invalid, taken) in (tree(), tree(), tree(), tree())) {
        let pasted = |json: Json| Pasted { content: Content::Json(json), ..Pasted::default() };
        let reply = |json: Json| Some(Exchange { request: None, reply: pasted(json) });
        // A name is a name, whatever it says.
        let mut request = scrubbed("", &request, "hunter-4711-secret", false);
        request["password"] = "hunter-4711-secret".into();
        let examples = Examples {
            request: Some(pasted(request)),
            created: reply(created),
            invalid: reply(invalid),
            taken: reply(taken),
            ..Examples::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let draft = runtime.block_on(draft(&examples));
        let shown = draft.as_ref().map_err(|e| crate::contract::render("x", &e.text, &e.complaints, false));
        prop_assert!(draft.is_ok(), "{}", shown.err().unwrap_or_default());
        prop_assert!(!draft.unwrap().text.contains("hunter-4711"));
    }
}
