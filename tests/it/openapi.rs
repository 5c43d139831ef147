//! What is told about the contracts is true: the examples are taken, the OpenAPI document is valid, and every golden
//! answer is in it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, COOKIE};
use serde_json::{Value as Json, json};
use vestibule::contract::{
    self, Circumstances, Contract, Endpoint, Example, Request, Secrets, curl, describe, example_request,
    openapi, schema,
};
use vestibule::user::NewUser;

use crate::goldens::{answers, bless, contract_files, contracts};

const BASE_URL: &str = "https://accounts.example.com";

fn document(name: &str, contract: &Contract) -> Json {
    openapi(&[Endpoint { name, path: &contract.register.path, contract }], BASE_URL)
}

fn official() -> Json {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi-3.1-schema.json");
    serde_json::from_str(&fs::read_to_string(file).expect("the schema is there")).expect("the schema is JSON")
}

/// The complaints of the official schema, which leaves Schema Objects to JSON Schema, and of JSON Schema.
fn complaints(document: &Json) -> Vec<String> {
    let official = jsonschema::draft202012::new(&official()).expect("the official schema compiles");
    let mut out: Vec<String> =
        official.iter_errors(document).map(|e| format!("{}: {e}", e.instance_path())).collect();
    for (at, schema) in schemas(document, "") {
        out.extend(jsonschema::draft202012::meta::validate(schema).err().map(|e| format!("{at}: {e}")));
    }
    out
}

/// Every Schema Object: whatever stands under `schema`.
fn schemas<'d>(document: &'d Json, at: &str) -> Vec<(String, &'d Json)> {
    let mut out = Vec::new();
    let members = document.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v));
    let items = document.as_array().into_iter().flatten().enumerate().map(|(i, v)| (i.to_string(), v));
    for (key, value) in members.chain(items) {
        let at = format!("{at}/{key}");
        match key.as_str() {
            "schema" => out.push((at, value)),
            "examples" | "example" => {}
            _ => out.extend(schemas(value, &at)),
        }
    }
    out
}

#[test]
fn every_document_is_valid() {
    for (name, contract) in contracts() {
        let complaints = complaints(&document(&name, &contract));
        assert!(complaints.is_empty(), "{name}: {complaints:#?}");
    }
}

#[test]
fn all_contracts_share_a_document() {
    let contracts = contracts();
    let mounts: Vec<(String, &String, &Contract)> =
        contracts.iter().map(|(name, c)| (format!("/{name}{}", c.register.path), name, c)).collect();
    let endpoints: Vec<Endpoint<'_>> =
        mounts.iter().map(|(path, name, contract)| Endpoint { name, path, contract }).collect();
    let whole = openapi(&endpoints, BASE_URL);
    assert_eq!(complaints(&whole), Vec::<String>::new());
    let challenges = contracts.iter().filter(|(_, contract)| contract.takes_proofs()).count();
    assert_eq!(whole["paths"].as_object().expect("paths").len(), contracts.len() + challenges);
    assert!(whole["paths"]["/standard/users/challenge"]["get"].is_object(), "standard takes proofs");
    assert_eq!(openapi(&endpoints, BASE_URL).to_string(), whole.to_string(), "the order is always the same");
}

#[test]
fn contracts_that_share_a_path_become_one_operation() {
    let file = |path: &str, accepts: &str, field: &str| {
        let text = format!(
            "[register]\npath = \"{path}\"\naccepts = [\"{accepts}\"]\nfields = [{{ name = \"email\" }}, {field}, \
             {{ name = \"password\", rules = [{{ required = true }}] }}]\n[register.created]\nbody = '{{}}'\n\
             [register.default]\nbody = '{{}}'"
        );
        contract::load(&text).contract.expect("a contract")
    };
    let a =
        file("/?v=1", "json", "{ name = \"key\", from = \"header:X-Key\", rules = [{ required = true }] }");
    let b = file("/?v=2", "json", "{ name = \"plan\", rules = [{ required = true }] }");
    let c = file("/", "form", "{ name = \"terms\", rules = [{ type = \"boolean\" }] }");
    let endpoints =
        [("a", &a), ("b", &b), ("c", &c)].map(|(name, contract)| Endpoint { name, path: "/", contract });
    let document = openapi(&endpoints, BASE_URL);
    assert_eq!(complaints(&document), Vec::<String>::new());
    let post = &document["paths"]["/"]["post"];
    assert_eq!(post["operationId"], "register_a_b_c");
    assert_eq!(post["parameters"][0]["name"], "v");
    assert_eq!(post["parameters"][0]["required"], false);
    assert_eq!(post["parameters"][1]["name"], "x-key");
    assert_eq!(post["parameters"][1]["required"], false);
    let content = &post["requestBody"]["content"];
    assert_eq!(content["application/json"]["schema"]["anyOf"].as_array().map(Vec::len), Some(2));
    assert!(content["application/x-www-form-urlencoded"]["schema"]["properties"]["terms"].is_object());
    assert!(post["responses"]["201"]["content"]["application/json"]["examples"]["b.created"].is_object());
}

/// Every answer of the examples is documented: its status, its media type, and a schema that its body meets.
#[test]
fn every_golden_answer_is_documented() {
    for (name, contract) in contracts() {
        let document = document(&name, &contract);
        let responses = &document["paths"][&contract.register.path]["post"]["responses"];
        for (file, answer) in answers(&name) {
            let (head, body) = answer.split_once("\n\n").unwrap_or((&answer, ""));
            let status = head.split(' ').nth(1).expect("a status");
            let response = &responses[status];
            assert!(response.is_object(), "{file}: {status} is not documented");
            let essence = head.lines().find_map(|l| l.strip_prefix("content-type: ")).unwrap_or("");
            let essence = essence.split(';').next().unwrap_or_default();
            if body.is_empty() {
                continue;
            }
            let schema = &response["content"][essence]["schema"];
            assert!(!schema.is_null(), "{file}: {status} with {essence} is not documented");
            let body = serde_json::from_str(body).unwrap_or_else(|_| Json::from(body));
            let validator = jsonschema::draft202012::new(schema).expect("a schema");
            let errors: Vec<String> =
                validator.iter_errors(&body).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert!(errors.is_empty(), "{file}: {errors:#?}\n{schema:#}\n{body:#}");
        }
    }
}

/// Also where a contract has an answer of its own with that status.
#[test]
fn every_answer_that_is_no_contracts_is_documented() {
    for (name, contract) in contracts() {
        let document = document(&name, &contract);
        let responses = &document["paths"][&contract.register.path]["post"]["responses"];
        for status in [400, 403, 408, 422, 431, 503] {
            let schema = &responses[status.to_string()]["content"]["application/problem+json"]["schema"];
            let validator = jsonschema::draft202012::new(schema).expect("a schema");
            let answer =
                json!({ "type": "about:blank", "title": "What it is", "status": status, "detail": "Why." });
            assert!(validator.is_valid(&answer), "{name}, {status}: {schema:#}");
            assert!(!validator.is_valid(&json!({ "status": status })), "{name}, {status}: {schema:#}");
        }
    }
}

/// The examples in the document meet the schemas beside them.
#[test]
fn every_example_meets_its_schema() {
    fn descend(at: &str, node: &Json) {
        if let (Some(schema), Some(examples)) = (node.get("schema"), node["examples"].as_object()) {
            let validator = jsonschema::draft202012::new(schema).expect("a schema");
            for (name, example) in examples {
                let errors: Vec<String> =
                    validator.iter_errors(&example["value"]).map(|e| e.to_string()).collect();
                assert!(errors.is_empty(), "{at} {name}: {errors:#?}\n{schema:#}\n{:#}", example["value"]);
            }
        }
        for (key, inner) in node.as_object().into_iter().flatten().filter(|(k, _)| *k != "examples") {
            descend(&format!("{at}/{key}"), inner);
        }
    }
    for (name, contract) in contracts() {
        descend(&name, &document(&name, &contract));
    }
}

#[test]
fn the_document_of_express_is_the_golden_one() {
    let (name, contract) =
        contracts().into_iter().find(|(name, _)| name == "express").expect("it is shipped");
    let text = format!("{:#}\n", document(&name, &contract));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/goldens/express.openapi.json");
    if bless() {
        fs::write(&file, &text).expect("the golden can be written");
    }
    let golden = fs::read_to_string(&file).unwrap_or_default();
    assert!(golden == text, "{} differs; VESTIBULE_BLESS=1 accepts:\n{text}", file.display());
}

/// Sends an example to its own contract, in process.
async fn send(contract: &Contract, example: &Example) -> Result<(), String> {
    let secrets: Secrets =
        contract.secrets().into_iter().map(|name| (name.to_owned(), format!("<{name}>"))).collect();
    let now = Circumstances {
        breached: None,
        proof: None,
        now: "2026-01-01T00:00:00Z".parse().expect("a time"),
        random: uuid::Uuid::nil(),
        request_id: "1".into(),
        path: contract.register.path.as_str().into(),
        base_url: BASE_URL.into(),
        secrets: Arc::new(secrets),
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, example.content_type.parse().expect("a header"));
    for (name, value) in &example.headers {
        headers.insert(name, value.parse().expect("a header"));
    }
    if let Some(cookie) = example.cookie() {
        headers.insert(COOKIE, cookie.parse().expect("a header"));
    }
    let (query, body) = (example.query_string(), Bytes::from(example.body.clone()));
    if !contract.matches_query(Some(&query)) {
        return Err(format!("the contract does not answer to ?{query}"));
    }
    let request = Request { query: Some(&query), headers: &headers, body: &body };
    let fields = contract.decode(request, &now).await.map_err(|refusal| format!("{refusal:?}"))?;
    NewUser::parse(contract.submitted(&fields)).map(drop).map_err(|problems| format!("{problems:?}"))
}

#[tokio::test]
async fn every_example_request_is_taken() {
    for (name, contract) in contracts() {
        let example = example_request(&contract);
        if let Err(why) = send(&contract, &example).await {
            panic!("{name} refuses its example: {why}\n{example:#?}");
        }
    }
}

/// The schema is never stricter than the contract: what it refuses, the contract refuses too.
#[tokio::test]
async fn what_the_request_schema_refuses_is_refused() {
    let wrong = ["\"\"", "\"x\"", "null", "7", "7.5", "true", "[]", "{}"];
    for (name, contract) in contracts() {
        let document = document(&name, &contract);
        let content = &document["paths"][&contract.register.path]["post"]["requestBody"]["content"];
        let example = example_request(&contract);
        let Ok(Json::Object(body)) = serde_json::from_str(&example.body) else { continue };
        let schema = jsonschema::draft202012::new(&content["application/json"]["schema"]).expect("a schema");
        assert!(schema.is_valid(&Json::Object(body.clone())), "{name} documents its example as wrong");
        for key in body.keys() {
            let values = wrong.iter().map(|text| Some(serde_json::from_str::<Json>(text).expect("JSON")));
            for value in values.chain([None]) {
                let mut body = body.clone();
                match value {
                    Some(value) => drop(body.insert(key.clone(), value)),
                    None => drop(body.shift_remove(key)),
                }
                let body = Json::Object(body);
                if schema.is_valid(&body) {
                    continue;
                }
                let mut broken = example.clone();
                broken.body = body.to_string();
                assert!(send(&contract, &broken).await.is_err(), "{name} takes {body}, its schema does not");
            }
        }
    }
}

#[test]
fn every_contract_is_described() {
    for (name, contract) in contracts() {
        let text = describe(&contract, &name, &contract.register.path);
        for outcome in contract.outcomes() {
            assert!(
                text.contains(&format!("  {outcome}\n")),
                "{name} does not tell about {outcome}:\n{text}"
            );
        }
        assert!(curl(&contract, BASE_URL, &contract.register.path).starts_with("curl -i 'https://acc"));
    }
}

#[test]
fn every_contract_file_meets_the_editor_schema() {
    let validator = jsonschema::draft202012::new(&schema()).expect("the schema compiles");
    for file in contract_files() {
        let read: Json = toml::from_str(&fs::read_to_string(&file).expect("a contract file")).expect("TOML");
        let errors: Vec<String> =
            validator.iter_errors(&read).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", file.display());
    }
}
