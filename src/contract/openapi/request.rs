//! What an operation reads: parameters, and one schema per media type.

use super::described::Described;
use crate::contract::clean::{clean, has_default};
use crate::contract::describe::in_words;
use crate::contract::place::{Place, Step};
use crate::contract::samples::circumstances;
use crate::contract::{Contract, Field, JsonType, Media, Rule, Unknown};
use crate::proof::LONGEST;
use serde_json::{Map, Value as Json, json};

/// Queries, headers and cookies: those that a path asks for, and those that fields are read from.
pub(super) fn parameters(here: &[&Described<'_>]) -> Vec<Json> {
    let mut out: Vec<Json> = Vec::new();
    for described in here {
        queries(described.endpoint.contract).into_iter().for_each(|parameter| add(&mut out, parameter));
        for field in &described.endpoint.contract.register.fields {
            let (place, name) = match &field.from {
                Place::Body(_) => continue,
                Place::Query(name) => ("query", name.as_str()),
                Place::Header(name) => ("header", name.as_str()),
                Place::Cookie(name) => ("cookie", name.as_str()),
            };
            let mut schema = value(field);
            let description = schema.as_object_mut().and_then(|s| s.shift_remove("description"));
            let required = is_required(field);
            let mut parameter = json!({ "name": name, "in": place, "required": required, "schema": schema });
            if let Some(description) = description {
                parameter["description"] = description;
            }
            add(&mut out, parameter);
        }
    }
    // What only some of the contracts at a path ask for is asked for by none.
    for parameter in &mut out {
        let (place, name) = (&parameter["in"], &parameter["name"]);
        if !here.iter().all(|d| asks_for(d.endpoint.contract, place, name)) {
            parameter["required"] = false.into();
        }
    }
    if !out.iter().any(is_idempotency_key) {
        out.push(idempotency_key());
    }
    out
}

/// The query pairs that a contract's path asks for.
pub(super) fn queries(contract: &Contract) -> Vec<Json> {
    let query = contract.register.query.iter();
    query
        .map(|(name, value)| {
            let schema = json!({ "type": "string", "enum": [value] });
            json!({ "name": name, "in": "query", "required": true, "schema": schema })
        })
        .collect()
}

/// Header names have no case.
fn is_idempotency_key(parameter: &Json) -> bool {
    let named = parameter["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("Idempotency-Key"));
    named && parameter["in"] == "header"
}

/// Every operation takes it.
fn idempotency_key() -> Json {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "required": false,
        "description": "Names this request. Sent again with the same key, it gets the same answer and makes no second account.",
        "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
        "example": "\"8e03978e-40d5-43e8-bc93-6894a57f9324\"",
    })
}

/// Adds a parameter; where another contract reads the same one, any of both schemas holds.
fn add(out: &mut Vec<Json>, parameter: Json) {
    let same = |p: &&mut Json| p["in"] == parameter["in"] && p["name"] == parameter["name"];
    match out.iter_mut().find(same) {
        None => out.push(parameter),
        Some(known) if known["schema"] == parameter["schema"] => {}
        Some(known) => any_of(&mut known["schema"], parameter["schema"].clone()),
    }
}

fn any_of(schema: &mut Json, other: Json) {
    match schema.get_mut("anyOf").and_then(Json::as_array_mut) {
        Some(list) if !list.contains(&other) => list.push(other),
        Some(_) => {}
        None => *schema = json!({ "anyOf": [schema.take(), other] }),
    }
}

fn asks_for(contract: &Contract, place: &Json, name: &Json) -> bool {
    let operation = &contract.register;
    let query = place == "query" && operation.query.iter().any(|(known, _)| name == known);
    let reads = |f: &&Field| match &f.from {
        Place::Body(_) => false,
        Place::Query(known) => place == "query" && name == known,
        Place::Header(known) => place == "header" && name == known.as_str(),
        Place::Cookie(known) => place == "cookie" && name == known,
    };
    query || operation.fields.iter().find(reads).is_some_and(is_required)
}

/// The request body: a schema and an example for each media type that is read.
pub(super) fn body(here: &[&Described<'_>]) -> Json {
    let mut content: Map<String, Json> = Map::new();
    for described in here {
        let contract = described.endpoint.contract;
        for media in &contract.register.accepts {
            let mut schema = schema(contract);
            let entry = content.entry(media.content_type()).or_insert_with(|| json!({}));
            if !entry["schema"].is_null() {
                let mut both = entry["schema"].take();
                any_of(&mut both, schema);
                schema = both;
            }
            entry["schema"] = schema;
            entry["examples"][described.endpoint.name] = json!({ "value": described.example.tree });
            if *media != Media::Json {
                encode(entry);
            }
        }
    }
    json!({ "required": true, "content": content })
}

/// Forms write the members of objects in brackets: `user[email]`.
fn encode(entry: &mut Json) {
    let properties = entry["schema"]["properties"].as_object().into_iter().flatten();
    let nested = properties.filter(|(_, schema)| schema["type"] == "object");
    let encoding: Map<String, Json> =
        nested.map(|(name, _)| (name.clone(), json!({ "style": "deepObject", "explode": true }))).collect();
    if !encoding.is_empty() {
        entry["encoding"] = encoding.into();
    }
}

/// The body as the fields describe it.
fn schema(contract: &Contract) -> Json {
    let operation = &contract.register;
    let mut root = json!({ "type": "object" });
    let in_body = |f: &'_ Field| if let Place::Body(steps) = &f.from { Some(steps.clone()) } else { None };
    let fields: Vec<(&Field, Vec<Step>)> =
        operation.fields.iter().filter_map(|f| in_body(f).map(|steps| (f, steps))).collect();
    let around = |steps: &[Step]| fields.iter().any(|(_, s)| s.len() > steps.len() && s.starts_with(steps));
    for is_around in [false, true] {
        for (field, steps) in fields.iter().filter(|(_, steps)| around(steps) == is_around) {
            place(&mut root, steps, value(field), is_required(field));
        }
    }
    if operation.unknown == Unknown::Refuse {
        root["additionalProperties"] = false.into();
    }
    root
}

/// Puts a field's schema where its value stands. What holds a required value is required itself.
fn place(schema: &mut Json, steps: &[Step], leaf: Json, required: bool) {
    let Some((step, rest)) = steps.split_first() else {
        merge(schema, leaf);
        return;
    };
    match step {
        Step::Key(key) => {
            schema["type"] = "object".into();
            if required {
                include(schema, "required", key.as_str().into());
            }
            let inner = &mut schema["properties"][key];
            if inner.is_null() {
                *inner = json!({});
            }
            place(inner, rest, leaf, required);
        }
        Step::Pick { member, value } => {
            schema["type"] = "array".into();
            let picked = json!({ member: { "const": value } });
            if required {
                let contains = json!({ "type": "object", "properties": picked, "required": [member] });
                include(schema, "allOf", json!({ "contains": contains }));
            }
            let item = item(schema, member, value);
            place(item, rest, leaf, required);
        }
    }
}

/// The schema of the one item of a list that is picked by this value.
fn item<'s>(schema: &'s mut Json, member: &str, value: &str) -> &'s mut Json {
    let list = &mut schema["items"]["anyOf"];
    if list.is_null() {
        *list = json!([]);
    }
    let list = list.as_array_mut().expect("a list was just made");
    let is_picked = |s: &Json| s["properties"][member]["const"] == value;
    let at = list.iter().position(is_picked).unwrap_or_else(|| {
        let own = json!({ member: { "const": value } });
        list.push(json!({ "type": "object", "properties": own, "required": [member] }));
        list.len() - 1
    });
    &mut list[at]
}

/// Adds to a list of a schema what is not in it.
fn include(schema: &mut Json, key: &str, entry: Json) {
    match schema[key].as_array_mut() {
        Some(list) if list.contains(&entry) => {}
        Some(list) => list.push(entry),
        None => schema[key] = json!([entry]),
    }
}

/// Adds the members of a schema that the other one does not have.
fn merge(schema: &mut Json, other: Json) {
    let (Some(schema), Json::Object(other)) = (schema.as_object_mut(), other) else { return };
    for (key, value) in other {
        schema.entry(key).or_insert(value);
    }
}

/// Whether every request must bring the value. A rule with a condition is told in words only.
fn is_required(field: &Field) -> bool {
    field.rules.iter().any(|r| r.required && r.condition.is_none()) && !has_default(field, &circumstances())
}

/// The schema of a field's value. What `clean` changes before the rules look at it is told in words only.
fn value(field: &Field) -> Json {
    let mut out = Map::new();
    let rules: Vec<&Rule> = field.rules.iter().filter(|r| r.condition.is_none()).collect();
    if !field.rules.is_empty() || field.into.is_some() {
        out.insert("type".to_owned(), types(field));
    }
    if let Some(format) = rules.iter().find_map(|r| r.format).filter(|f| !matches!(*f, "phone" | "timezone"))
    {
        out.insert("format".to_owned(), format.into());
    }
    if field.is_password() {
        out.insert("format".to_owned(), "password".into());
        out.insert("writeOnly".to_owned(), true.into());
    }
    if field.clean.is_none() {
        constraints(field, &rules, &mut out);
    }
    if let Some(description) = described(field) {
        out.insert("description".to_owned(), description.into());
    }
    out.into()
}

/// The types that a value may have: the field's own, null where it may be absent, and those that `clean` makes fit.
fn types(field: &Field) -> Json {
    let mut out = vec![field.json_type().name()];
    let samples = [json!("x"), json!(""), json!(7), json!(7.5), json!(true), json!([]), json!({})];
    for sample in samples.iter().filter(|_| field.clean.is_some()) {
        let mut cleaned = Some(sample.clone());
        clean(field, &mut cleaned, &circumstances());
        let (_, own) = JsonType::ALL.into_iter().find(|(_, t)| t.fits(sample)).unwrap_or(JsonType::ALL[0]);
        if !out.contains(&own.name()) && cleaned.is_some_and(|value| field.json_type().fits(&value)) {
            out.push(own.name());
        }
    }
    if !is_required(field) {
        out.push("null");
    }
    if let [one] = out.as_slice() { json!(one) } else { json!(out) }
}

fn constraints(field: &Field, rules: &[&Rule], out: &mut Map<String, Json>) {
    let text = field.json_type() == JsonType::String;
    if let Some(list) = rules.iter().find_map(|r| r.one_of.clone()) {
        let null = (!is_required(field)).then_some(Json::Null);
        out.insert("enum".to_owned(), list.into_iter().chain(null).collect());
    }
    let not_empty = (text && is_required(field)).then_some(1);
    let least = rules.iter().filter_map(|r| r.min_length).chain(not_empty).max();
    let solution = field.proves().then_some(LONGEST);
    let most = rules.iter().filter_map(|r| r.max_length).chain(solution).min();
    let (min, max) = if text { ("minLength", "maxLength") } else { ("minItems", "maxItems") };
    out.extend(least.map(|n| (min.to_owned(), n.into())));
    out.extend(most.map(|n| (max.to_owned(), n.into())));
    let phone = rules.iter().any(|r| r.format == Some("phone")).then_some(r"^\+[1-9][0-9]{6,14}$");
    let patterns = rules.iter().flat_map(|r| &r.patterns).map(regex::Regex::as_str);
    let patterns: Vec<&str> = patterns.filter(|p| is_ecmascript(p)).chain(phone).collect();
    match patterns.as_slice() {
        [] => {}
        [pattern] => drop(out.insert("pattern".to_owned(), (*pattern).into())),
        several => {
            let all = several.iter().map(|pattern| json!({ "pattern": pattern })).collect();
            out.insert("allOf".to_owned(), all);
        }
    }
}

/// Whether a pattern means the same to JSON Schema, whose patterns are ECMA-262's: no flags, no classes in classes,
/// no anchors of other languages.
fn is_ecmascript(pattern: &str) -> bool {
    !["(?", "[[", "&&", "--", "~~", r"\A", r"\z", r"\<", r"\>", r"\p", r"\P", r"\x{", r"\a", r"\U"]
        .iter()
        .any(|other| pattern.replace("(?:", "(").contains(other))
}

/// What a schema cannot say, in words.
fn described(field: &Field) -> Option<String> {
    let clean = field.clean.as_ref().map(|clean| format!("Cleaned first: `{}`.", clean.source));
    let rules = field.rules.iter().map(in_words).filter(|words| words != "required").map(|words| {
        let mut chars = words.chars();
        let first = chars.next().into_iter().flat_map(char::to_uppercase);
        format!("{}.", first.chain(chars).collect::<String>())
    });
    let sentences: Vec<String> = clean.into_iter().chain(rules).collect();
    Some(sentences.join(" ")).filter(|text| !text.is_empty())
}
