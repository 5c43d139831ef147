//! Requests that hold secrets wherever a client can put something.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use super::{ADDRESS, BREACHED, secret};
use crate::harness::client::{get, post, post_as, with};

/// Where Vestibule's own contract is mounted.
pub(super) const STANDARD: &str = "/standard/users";

pub(super) fn sign_up(name: &str, password: &str) -> String {
    format!(
        r#"{{"name":"Vink","email":"{name}.{ADDRESS}@example.com","password":"{password}","token":"{}"}}"#,
        secret("unknown-field")
    )
}

pub(super) fn sign_up_express(name: &str, password: &str) -> String {
    format!(r#"{{"firstname":"Vink","email":"{name}.{ADDRESS}@example.com","password":"{password}"}}"#)
}

/// What the server's own contract takes. `proof` is a solved challenge, or is meant to look like one.
pub(super) fn sign_up_standard(name: &str, password: &str, own_name: &str, proof: &str) -> String {
    let email = format!("{name}.{ADDRESS}@example.com");
    json!({ "email": email, "password": password, "name": own_name, "altcha": proof }).to_string()
}

/// What looks like a solution. It has the form of one when its salt and signature have.
fn like_a_proof(salt: &str, signature: &str) -> String {
    let solution = json!({
        "algorithm": "SHA-256",
        "challenge": "0".repeat(64),
        "number": 1,
        "salt": salt,
        "signature": signature,
        "took": secret("took"),
    });
    BASE64.encode(solution.to_string())
}

/// So many sign-ups with one address that the last one is refused for that, by [`OFTEN`](super::OFTEN).
pub(super) fn too_many() -> Vec<Vec<u8>> {
    let one = |number| post("/knex/users", &sign_up("often", &secret(&format!("often-{number}"))));
    (0..6).map(one).collect()
}

pub(super) fn requests() -> Vec<Vec<u8>> {
    let (knex, few, standard) = ("/knex/users", "/few/users", STANDARD);
    let p = secret;
    let form =
        |name: &str| format!("email={name}.{ADDRESS}@example.com&password={}", p(name).replace('!', "%21"));
    let multipart = format!(
        "--x\r\ncontent-disposition: form-data; name=\"email\"\r\n\r\nparts.{ADDRESS}@example.com\r\n--x\r\n\
         content-disposition: form-data; name=\"password\"\r\n\r\n{}\r\n--x--\r\n",
        p("parts")
    );
    let salt = format!("{}?expires=9999999999&maxnumber=300&", "0".repeat(32));
    let large = format!(r#"{{"password":"{}{}"}}"#, p("large"), "x".repeat(70_000));
    let mut out = vec![
        // created
        post(knex, &sign_up("knex", &p("knex"))),
        post("/flask/users", &format!(r#"{{"username":"{ADDRESS}","password":"{}"}}"#, p("flask"))),
        post("/express/user/register", &sign_up_express("express", &p("express"))),
        post("/mongoose/users/", &sign_up("mongoose", &p("mongoose"))),
        post("/envelope/users", &sign_up("envelope", &p("envelope"))),
        // created, then `failed`: there are two ids
        post_as("application/x-www-form-urlencoded", few, &form("form")),
        post_as("multipart/form-data; boundary=x", few, &multipart),
        post(&format!("{few}?token={}", p("query")), &sign_up("few", &p("few"))),
        // taken
        post(knex, &sign_up("knex", &p("taken"))),
        // invalid, wherever the secret stands
        post("/envelope/users", &sign_up("other", &format!("{}\\u0000{}", p("rejected"), "x".repeat(1100)))),
        post(knex, &sign_up("other", &format!("{}{}", p("long"), "x".repeat(1100)))),
        post(knex, &format!(r#"{{"email":"{} is no address","password":"{}"}}"#, p("address"), p("beside"))),
        post(knex, &format!(r#"{{"email":["{}"],"password":["{}"]}}"#, p("list"), p("list"))),
        post(knex, &format!(r#"{{"email":"a@example.com","password":{{"{}":1}}}}"#, p("member"))),
        post("/mongoose/users/", &format!(r#"{{"password":"{}"}}"#, p("only"))),
        post("/flask/users", &format!(r#"{{"username":"","password":"{}"}}"#, p("no-name"))),
        post("/flask/users", &format!(r#"{{"username":"{}@","password":"x"}}"#, p("name"))),
        // malformed
        post(knex, &format!(r#"{{"password":"{}""#, p("cut"))),
        post(knex, &format!(r#"{{"password":"{}","password":"{}"}}"#, p("twice"), p("again"))),
        post(knex, &format!(r#""{}""#, p("text"))),
        post(knex, &format!("{}{}", "[".repeat(40), p("deep"))),
        post_as("multipart/form-data; boundary=x", few, &format!("--x\r\n{}\r\n\r\n", p("part-head"))),
        with(&post(knex, "{}"), "idempotency-key", &format!("\"{}", p("open-quote"))),
        // what only `standard` looks at: a proof, and a password that is made of the name, or was in a breach
        post(standard, &sign_up_standard("proof", &p("proof"), "Vink", &p("altcha"))),
        post(standard, &sign_up_standard("forged", &p("forged"), "Vink", &like_a_proof(&salt, &"0".repeat(64)))),
        post(standard, &sign_up_standard("malformed", &p("malformed"), "Vink", &like_a_proof(&p("salt"), &p("signature")))),
        post(standard, &sign_up_standard("own", &p("own-name"), &p("own-name"), "")),
        post(standard, &sign_up_standard("seen", &p(BREACHED), "Vink", "")),
        get(&format!("{standard}/challenge?token={}", p("challenge"))),
        // others
        post_as(&format!("text/plain; x={}", p("content-type")), knex, &p("type")),
        post(knex, &large),
        post(&format!("/nowhere/{}", p("path")), &p("body")),
        format!("PUT {knex}?{} HTTP/1.1\r\nhost: {}\r\n\r\n", p("query"), p("host")).into_bytes(),
        format!("{} {knex} HTTP/1.1\r\nhost: a\r\n\r\n", p("METHOD").replace('!', "")).into_bytes(),
        with(&post(knex, &sign_up("page", &p("page"))), "origin", &format!("https://{}", p("origin"))),
        // too slow: the rest never comes
        format!("POST {knex} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{}", p("slow"))
            .into_bytes(),
    ];
    out.extend(no_requests());
    out
}

/// What is no request: hyper refuses it before anybody else sees it.
pub(super) fn no_requests() -> Vec<Vec<u8>> {
    let long = |what: &str| format!("{}{}", secret(what), "x".repeat(20_000));
    [
        format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", long("uri")),
        format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", long("header")),
        format!("{}\r\n\r\n", secret("nonsense")),
        format!("GET / HTTP/1.1\r\n{} no colon\r\n\r\n", secret("bad")),
    ]
    .map(String::into_bytes)
    .into()
}

/// For the listener that sends everybody to HTTPS.
pub(super) fn in_the_clear() -> Vec<Vec<u8>> {
    let (path, query) = (secret("path"), secret("query"));
    let mut out = vec![
        get(&format!("/users/{path}?token={query}")),
        get(&format!("/.well-known/acme-challenge/{path}?{query}")),
        post(&format!("/users?token={query}"), &sign_up("clear", &secret("clear"))),
        format!("GET http://user:{path}@a.example/{path} HTTP/1.1\r\nhost: a.example\r\n\r\n").into_bytes(),
    ];
    out.extend(no_requests());
    out
}

/// Credentials of which Vestibule knows nothing, and names by which it goes.
pub(super) fn with_secret_headers(request: &[u8]) -> Vec<u8> {
    [
        ("authorization", "Bearer "),
        ("proxy-authorization", "Basic "),
        ("cookie", "session="),
        ("x-api-key", ""),
        ("user-agent", "Mozilla/"),
        ("referer", "https://a.example/?"),
        ("x-request-id", ""),
        ("x-forwarded-for", ""),
        ("forwarded", "for="),
        ("traceparent", ""),
    ]
    .iter()
    .fold(request.to_vec(), |request, (name, before)| {
        with(&request, name, &format!("{before}{}", secret(name)))
    })
}
