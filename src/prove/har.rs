//! Recorded traffic: HAR 1.2 (<http://www.softwareishard.com/blog/har-12-spec/>), as browsers and proxies write it.

use super::cases::Case;
use super::exchange::Answer;
use super::request::{self, Outgoing, Withheld};
use crate::contract::{self, Contract, Field, Place, wire};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value as Json;

/// What of a recording is about one contract.
#[derive(Debug)]
pub struct Recording {
    /// A case for each request.
    pub cases: Vec<Case>,
    /// Scheme, host and port of the first of them: what links in its answers begin with.
    pub origin: String,
}

/// Why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum HarError {
    /// Not HAR.
    #[error("this is not a HAR file: {0}")]
    NotHar(#[from] serde_json::Error),
    /// Nothing in it is about the contract.
    #[error("nothing in this recording is a POST to {path}; it has {found}")]
    Nothing {
        /// The path that was looked for.
        path: String,
        /// What is there instead.
        found: String,
    },
}

#[derive(Deserialize)]
struct Har {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    started_date_time: String,
    request: Request,
    response: Response,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<Pair>,
    post_data: Option<PostData>,
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostData {
    text: Option<String>,
    #[serde(default)]
    params: Vec<Pair>,
}

#[derive(Deserialize)]
struct Response {
    status: u16,
    #[serde(default)]
    headers: Vec<Pair>,
    #[serde(default)]
    content: Content,
}

#[derive(Deserialize, Default)]
struct Content {
    #[serde(default)]
    size: i64,
    text: Option<String>,
    encoding: Option<String>,
}

/// What the connection decides, and what no replay repeats.
const LEFT_OUT: [&str; 10] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "accept-encoding",
    "expect",
    "te",
    "upgrade",
    "keep-alive",
    "proxy-connection",
];

/// Makes a case of each recorded request that the contract answers: its method is POST and its path the contract's,
/// behind `prefix`. `now` stands in for a time that is missing.
///
/// # Errors
/// See [`HarError`].
pub async fn replay(
    text: &str,
    contract: &Contract,
    prefix: &str,
    now: Timestamp,
) -> Result<Recording, HarError> {
    // Some tools write a byte-order mark.
    let har: Har = serde_json::from_str(text.trim_start_matches('\u{feff}'))?;
    let path = format!("{prefix}{}", contract.register.path);
    let (mut cases, mut origin) = (Vec::new(), String::new());
    let mut others: Vec<String> = Vec::new();
    for (i, entry) in har.log.entries.iter().enumerate() {
        let uri: Option<Uri> = entry.request.url.split('#').next().and_then(|url| url.parse().ok());
        let here = uri.filter(|uri| {
            same_path(uri.path(), &path)
                && entry.request.method == Method::POST.as_str()
                && contract.matches_query(uri.query())
        });
        match here {
            Some(uri) => {
                if cases.is_empty() {
                    let (scheme, authority) = (uri.scheme_str(), uri.authority());
                    origin =
                        format!("{}://{}", scheme.unwrap_or("http"), authority.map_or("", |a| a.as_str()));
                }
                cases.push(case(i + 1, entry, &uri, contract, prefix, now).await);
            }
            None => others.push(format!("{} {}", entry.request.method, shown(&entry.request.url))),
        }
    }
    if cases.is_empty() {
        others.dedup();
        others.truncate(5);
        let found = if others.is_empty() { "no requests".to_owned() } else { others.join(", ") };
        return Err(HarError::Nothing { path, found });
    }
    Ok(Recording { cases, origin })
}

/// With and without the slash at the end, as the server itself sees it.
fn same_path(one: &str, two: &str) -> bool {
    one.strip_suffix('/').unwrap_or(one) == two.strip_suffix('/').unwrap_or(two)
}

/// A URL without its query, which may hold secrets.
fn shown(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

async fn case(
    number: usize,
    entry: &Entry,
    uri: &Uri,
    contract: &Contract,
    prefix: &str,
    now: Timestamp,
) -> Case {
    let at = entry.started_date_time.parse().unwrap_or(now);
    let body = body(&entry.request);
    let headers_sent = headers(&entry.request.headers, &LEFT_OUT);
    let request = contract::Request { query: uri.query(), headers: &headers_sent, body: &body };
    let values = contract.values(request).await;
    let is_read = values.is_some();
    let values = values.unwrap_or_else(|| guessed(contract, request));
    let accounts = request::accounts(&contract.register, &values);
    let secrets = secrets(contract, &values);
    let withheld = match is_read {
        true => withheld(contract, request, &values, &secrets).await,
        false => Withheld { query: true, body: true, answers: true },
    };
    let whole = uri.path_and_query().map_or("/", |p| p.as_str());
    let request = Outgoing {
        method: Method::POST,
        path: whole.strip_prefix(prefix).unwrap_or(whole).to_owned(),
        headers: headers_sent,
        body,
        accounts,
        secrets,
        withheld,
    };
    let recorded = Answer {
        status: entry.response.status,
        headers: headers(&entry.response.headers, &[]),
        body: content(&entry.response.content),
        at,
    };
    let when = if entry.started_date_time.is_empty() { String::new() } else { format!(" of {at}") };
    Case {
        name: format!("har-{number}"),
        about: format!("request {number} of the recording{when}"),
        requests: vec![request],
        recorded: vec![recorded],
    }
}

/// What probably stands in each field of a body that the contract cannot read.
fn guessed(contract: &Contract, request: contract::Request<'_>) -> Vec<Option<Json>> {
    let tree: Json = serde_json::from_slice(request.body).unwrap_or_default();
    let value = |field: &Field| match &field.from {
        Place::Body(steps) => contract::dig(&tree, steps).cloned(),
        place => request.beside_body(place),
    };
    contract.register.fields.iter().map(value).collect()
}

/// What no report may show: the values of secret fields. Those of headers and cookies are secret for a reason of their own, and short
/// ones (`en`) would be found everywhere.
fn secrets(contract: &Contract, values: &[Option<Json>]) -> Vec<String> {
    const SHORT: usize = 8;
    let fields = contract.register.fields.iter().zip(values).filter(|(field, _)| field.secret);
    let values = fields.filter_map(|(field, value)| Some((&field.from, wire::plain(value.as_ref()?))));
    let beside = |place: &Place| matches!(place, Place::Header(_) | Place::Cookie(_));
    let secret = values.filter(|(from, value)| value.len() >= if beside(from) { SHORT } else { 1 });
    secret.map(|(_, value)| value).collect()
}

/// In what of the request reports would not find each secret: where they do, nothing is left of it when the contract reads it
/// again.
async fn withheld(
    contract: &Contract,
    request: contract::Request<'_>,
    values: &[Option<Json>],
    secrets: &[String],
) -> Withheld {
    let without =
        |text: &str| secrets.iter().fold(text.to_owned(), |text, secret| request::without(&text, secret));
    let body = Bytes::from(without(&String::from_utf8_lossy(request.body)));
    let query = request.query.map(without);
    let left = contract.values(contract::Request { body: &body, query: query.as_deref(), ..request }).await;
    let Some(left) = left else { return Withheld { query: true, body: true, answers: true } };
    let is_left = |is_here: fn(&Place) -> bool| {
        let fields = contract.register.fields.iter().zip(values).zip(&left);
        let mut here = fields.filter(|((field, _), _)| field.secret && is_here(&field.from));
        here.any(|((_, value), left)| {
            let text = |value: &Option<Json>| value.as_ref().map(wire::plain).unwrap_or_default();
            !text(value).is_empty() && text(left) != request::HIDDEN
        })
    };
    let query = is_left(|place| matches!(place, Place::Query(_)));
    let body = is_left(|place| matches!(place, Place::Body(_)));
    // Answers quote what was sent as it was sent.
    Withheld { query, body, answers: query || body }
}

fn body(request: &Request) -> Bytes {
    let Some(data) = &request.post_data else { return Bytes::new() };
    match &data.text {
        Some(text) => Bytes::from(text.clone()),
        None => {
            let pairs = data.params.iter().map(|p| (&p.name, &p.value));
            Bytes::from(form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
        }
    }
}

/// What was answered; nothing when the recording says that there was something but not what.
fn content(content: &Content) -> Option<Bytes> {
    match (&content.text, content.encoding.as_deref()) {
        (Some(text), Some("base64")) => STANDARD.decode(text).ok().map(Bytes::from),
        (Some(text), _) => Some(Bytes::from(text.clone())),
        (None, _) if content.size > 0 => None,
        (None, _) => Some(Bytes::new()),
    }
}

fn headers(pairs: &[Pair], left_out: &[&str]) -> HeaderMap {
    let mut out = HeaderMap::new();
    for Pair { name, value } in pairs {
        // `:authority` and its like are HTTP/2's.
        let lower = name.to_ascii_lowercase();
        if left_out.contains(&lower.as_str()) {
            continue;
        }
        // Several cookies of one answer are one value with line breaks in some recordings.
        for value in value.split('\n') {
            if let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(lower.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
            {
                out.append(name, value);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::shipped;
    use serde_json::json;

    fn entry(method: &str, url: &str) -> Json {
        json!({
            "startedDateTime": "2024-06-10T12:34:56.789Z",
            "request": {
                "method": method,
                "url": url,
                "headers": [
                    { "name": ":authority", "value": "old.test" },
                    { "name": "Content-Type", "value": "application/json" },
                    { "name": "Content-Length", "value": "99" },
                ],
                "postData": { "mimeType": "application/json", "text": "{\"username\":\"ann\",\"password\":\"s3cret\"}" },
            },
            "response": {
                "status": 201,
                "headers": [{ "name": "Set-Cookie", "value": "a=1\nb=2" }],
                "content": { "size": 18, "encoding": "base64", "text": "eyJ1c2VybmFtZSI6ImFubiJ9" },
            },
        })
    }

    fn read(contract: &Contract, text: &str, prefix: &str) -> Result<Recording, HarError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(replay(text, contract, prefix, Timestamp::UNIX_EPOCH))
    }

    fn replayed(entries: &[Json], prefix: &str) -> Result<Recording, HarError> {
        read(&shipped("flask").expect("flask"), &log(entries), prefix)
    }

    fn log(entries: &[Json]) -> String {
        json!({ "log": { "version": "1.2", "entries": entries } }).to_string()
    }

    #[test]
    fn no_spelling_of_a_recorded_password_is_shown() {
        let wild = include_str!("../../contracts/wild/w07-flask-restx.toml");
        let of_forms = contract::load(wild).contract.expect("a contract");
        let of_json = shipped("flask").expect("flask");
        let shown_by = |contract: &Contract, media: &str, body: &str| {
            let mut recorded = entry("POST", &format!("http://old.test{}", contract.register.path));
            recorded["request"]["headers"][1]["value"] = media.into();
            recorded["request"]["postData"]["text"] = body.into();
            let recording = read(contract, &log(&[recorded]), "").expect("a recording");
            let request = recording.cases[0].requests[0].clone();
            let shown = [
                request.shown_body(),
                request.shown_path(),
                request.shown_answer(&format!("Unexpected: {body}")),
            ];
            assert!(!shown.concat().contains("frogs"), "{shown:?}");
            request.shown_body()
        };
        let shown = |body: &str| shown_by(&of_json, "application/json", body);
        assert_eq!(
            shown(r#"{"username":"ann","password":"tree frogs"}"#),
            r#"{"username":"ann","password":"***"}"#
        );
        assert_eq!(shown(r#"{"username":"ann","password":"tree\u0020frogs"}"#), "***");
        assert_eq!(shown(r#"{"username":"ann","password":"tree frogs""#), "***");
        assert_eq!(shown_by(&of_json, "text/plain", "tree frogs"), "***");
        assert_eq!(shown_by(&of_json, "text/plain", r#"{"username":"ann","password":"tree frogs"}"#), "***");
        assert_eq!(
            shown(r#"{"username":"frogs","password":"\u0066rogs"}"#),
            "***",
            "it is found, and elsewhere"
        );
        let shown = |body: &str| shown_by(&of_forms, "application/x-www-form-urlencoded", body);
        assert_eq!(shown("email=a%40b.co&password=tree+frogs"), "email=a%40b.co&password=***");
        assert_eq!(shown("email=a%40b.co&password=tree%20frogs"), "email=a%40b.co&password=***");
        assert_eq!(shown("email=a%40b.co&password=%74ree%20frogs"), "***");
    }

    #[test]
    fn no_spelling_of_a_password_in_the_query_is_shown() {
        let text = r#"
            [register]
            path = "/users"
            fields = [
              { name = "email", rules = [{ required = true }] },
              { name = "password", from = "query:pass", rules = [{ required = true }] },
            ]
            created.body = "{}"
            invalid.body = "{}"
        "#;
        let contract = contract::load(text).contract.expect("a contract");
        let shown = |query: &str| {
            let mut recorded = entry("POST", &format!("http://old.test/users?{query}"));
            recorded["request"]["postData"]["text"] = r#"{"email":"a@b.co"}"#.into();
            let recording = read(&contract, &log(&[recorded]), "").expect("a recording");
            let request = &recording.cases[0].requests[0];
            assert_eq!(request.shown_body(), r#"{"email":"a@b.co"}"#);
            request.shown_path()
        };
        assert_eq!(shown("lang=de&pass=tree+frogs%21"), "/users?lang=de&pass=***");
        assert_eq!(shown("lang=de&pass=tree%20frogs%21"), "/users?lang=de&pass=***");
        assert_eq!(shown("lang=de&pass=tree%20frogs!"), "/users?lang=de&pass=***");
        assert_eq!(shown("lang=de&pass=%74ree%20frogs!"), "/users?***");
    }

    #[test]
    fn what_the_contract_answers_is_replayed() {
        let entries = [
            entry("GET", "http://old.test/users"),
            entry("POST", "http://old.test/login?token=x"),
            entry("POST", "http://old.test/users/"),
        ];
        let Recording { cases, origin } = replayed(&entries, "").unwrap();
        assert_eq!(origin, "http://old.test");
        assert_eq!(cases.len(), 1);
        assert_eq!(cases[0].name, "har-3");
        let request = &cases[0].requests[0];
        assert_eq!((request.path.as_str(), request.headers.len()), ("/users/", 1));
        assert_eq!((request.accounts[0].as_str(), request.secrets[0].as_str()), ("ann", "s3cret"));
        let answer = &cases[0].recorded[0];
        assert_eq!(answer.body.as_deref(), Some(&br#"{"username":"ann"}"#[..]));
        assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
    }

    #[test]
    fn prefixes_are_taken_off() {
        let cases = replayed(&[entry("POST", "http://old.test/api/users")], "/api").unwrap().cases;
        assert_eq!(cases[0].requests[0].path, "/users");
    }

    #[test]
    fn a_recording_of_something_else_is_said_to_be() {
        let told = replayed(&[entry("POST", "http://old.test/login?token=x")], "").unwrap_err().to_string();
        assert_eq!(told, "nothing in this recording is a POST to /users; it has POST http://old.test/login");
        for bad in ["", "[]", "{\"log\":{}}"] {
            assert!(read(&shipped("flask").expect("flask"), bad, "").is_err(), "{bad}");
        }
    }
}
