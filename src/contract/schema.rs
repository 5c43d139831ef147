//! A JSON Schema (2020-12) for contract files, so that editors complete and check them while they are written.
//!
//! It is read off the same tables as the parser, word by word. It is kinder than the parser: templates, expressions
//! and what must hold across words are for `contract check`.

use super::Outcome;
use super::language::{self, DEMANDS, Kind, OWN_DEMANDS, Word};
use serde_json::{Map, Value as Json, json};

/// Where the schema keeps the table of an outcome, which stands in many places.
const REPLY: &str = "#/$defs/outcome";

/// The JSON Schema of a contract file, read as the JSON that its TOML stands for.
pub fn schema() -> Json {
    let mut root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Vestibule contract",
        "description": "How one sign-up endpoint talks: where it listens, which fields it reads, in which order rules \
                        complain, and what every outcome answers.",
    });
    let members = root.as_object_mut().expect("an object was just written");
    members.extend(table(language::CONTRACT));
    members.insert("$defs".to_owned(), json!({ "outcome": table(language::REPLY) }));
    root
}

/// A table that holds these words and no others.
fn table(words: &'static [Word]) -> Map<String, Json> {
    let properties: Map<String, Json> = words.iter().map(|w| (w.name.to_owned(), value(w))).collect();
    let required: Vec<&str> = words.iter().filter(|w| w.default == "required").map(|w| w.name).collect();
    let mut out = Map::new();
    out.insert("type".to_owned(), "object".into());
    out.insert("properties".to_owned(), properties.into());
    if !required.is_empty() {
        out.insert("required".to_owned(), required.into());
    }
    out.insert("additionalProperties".to_owned(), false.into());
    between_words(words, &mut out);
    out
}

/// What a table asks beyond its words, one by one.
fn between_words(words: &'static [Word], table: &mut Map<String, Json>) {
    let one_of = |names: &[&str]| Json::from_iter(names.iter().map(|name| json!({ "required": [name] })));
    if words == language::REGISTER {
        outcomes(table);
    } else if words == language::RULE {
        table.insert("anyOf".to_owned(), one_of(DEMANDS));
    } else if words == language::TOKEN {
        table.insert("oneOf".to_owned(), one_of(&["claims", "random"]));
    }
}

/// Outcomes stand among the words of `[register]`; names of their own are those that rules give.
fn outcomes(table: &mut Map<String, Json>) {
    let shape = |about: String| json!({ "$ref": REPLY, "description": about });
    let properties = table["properties"].as_object_mut().expect("a table has properties");
    for (outcome, name, status, message) in Outcome::BUILT_IN {
        let about = match outcome {
            Outcome::Created => format!("What a successful sign-up answers; {status} unless told otherwise."),
            _ => format!("What is answered with {status} and \"{message}\" unless told otherwise."),
        };
        properties.insert(name.to_owned(), shape(about));
    }
    let about = "The shape of every outcome but `created` that has none of its own.";
    properties.insert("default".to_owned(), shape(about.to_owned()));
    let own = shape("An outcome of your own, to which a rule leads with `outcome`.".to_owned());
    table.insert("additionalProperties".to_owned(), own);
    table.insert("propertyNames".to_owned(), json!({ "pattern": "^[a-z0-9_]+$" }));
    let required = table["required"].as_array_mut().expect("`path` is required");
    required.push("created".into());
    table.insert("anyOf".to_owned(), json!([{ "required": ["invalid"] }, { "required": ["default"] }]));
}

/// What stands behind a word.
fn value(word: &Word) -> Json {
    let mut out = kind(word);
    out.insert("description".to_owned(), word.about.into());
    if let Ok(default) = serde_json::from_str::<Json>(word.default) {
        out.insert("default".to_owned(), default);
    }
    out.into()
}

fn kind(word: &Word) -> Map<String, Json> {
    let text = || json!({ "type": "string" });
    let closed = |of: &[&str]| json!({ "type": "string", "enum": of });
    let text_or_texts = || json!([text(), { "type": "array", "items": text() }]);
    let schema = match word.kind {
        Kind::Text | Kind::Template | Kind::Expression => text(),
        Kind::Flag => json!({ "type": "boolean", "const": true }),
        Kind::Integer if word.name == "status" => {
            json!({ "type": "integer", "minimum": 200, "maximum": 599 })
        }
        Kind::Integer if word.name.ends_with("_length") => json!({ "type": "integer", "minimum": 0 }),
        Kind::Integer => json!({ "type": "integer" }),
        Kind::TextOrInteger => json!({ "type": ["string", "integer"] }),
        Kind::TextOrTexts => json!({ "oneOf": text_or_texts() }),
        Kind::List => json!({ "type": "array" }),
        Kind::OneOf(of) => closed(of),
        Kind::SomeOf(of) => json!({ "type": "array", "items": closed(of) }),
        Kind::Duration => json!({ "type": "string", "pattern": "^[0-9]+[smhd]$" }),
        Kind::Table(words) => table(words).into(),
        Kind::Tables(words) => json!({ "type": "array", "items": table(words) }),
        Kind::Named(words) => json!({ "type": "object", "additionalProperties": table(words) }),
        Kind::Says(words) => says(words),
        Kind::Headers => json!({ "type": "object", "additionalProperties": { "oneOf": text_or_texts() } }),
    };
    match schema {
        Json::Object(members) => members,
        _ => Map::new(),
    }
}

/// The catalogue: one entry per demand, the server's own included.
fn says(words: &'static [Word]) -> Json {
    let demands = DEMANDS.iter().chain(OWN_DEMANDS).copied();
    let properties: Map<String, Json> = demands.map(|d| (d.to_owned(), table(words).into())).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::SHIPPED;

    fn validator() -> jsonschema::Validator {
        jsonschema::draft202012::new(&schema()).expect("the schema compiles")
    }

    fn read(toml: &str) -> Json {
        toml::from_str(toml).expect("the file is TOML")
    }

    #[test]
    fn it_is_a_schema() {
        assert!(jsonschema::draft202012::meta::is_valid(&schema()));
    }

    #[test]
    fn every_shipped_contract_is_valid() {
        let validator = validator();
        for shipped in SHIPPED {
            let errors: Vec<String> = validator
                .iter_errors(&read(shipped.text))
                .map(|e| format!("{}: {e}", e.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{}: {errors:#?}", shipped.name);
        }
    }

    #[test]
    fn mistakes_are_found() {
        let validator = validator();
        let whole = SHIPPED.iter().find(|s| s.name == "express").expect("it is shipped").text;
        assert!(validator.is_valid(&read(whole)));
        for (right, wrong) in [
            ("title = ", "titel = "),
            ("path   = \"/user/register\"", "path = 7"),
            ("path   = \"/user/register\"", "path = \"/\"\nerrors = \"every\""),
            ("path   = \"/user/register\"", "path = \"/\"\naccepts = [\"xml\"]"),
            ("path   = \"/user/register\"", "path = \"/\"\nexpired = \"text\""),
            ("min_length = 3", "minlength = 3"),
            ("min_length = 3", "min_length = \"3\""),
            ("required = true", "required = false"),
            ("lifetime = \"1h\"", "lifetime = \"1 hour\""),
            ("lifetime = \"1h\"", "random = \"[a-z]{32}\""),
            ("status = 201", "status = 99"),
            ("status = 201", "stattus = 201"),
            ("[register.created]", "[register.expired]"),
            ("[register.invalid] ", "[register.busy] "),
        ] {
            let broken = whole.replacen(right, wrong, 1);
            assert_ne!(whole, broken, "{right} is in the file");
            assert!(!validator.is_valid(&read(&broken)), "{wrong}");
        }
    }

    #[test]
    fn every_word_is_described() {
        fn descend(schema: &Json, path: &str) {
            for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
                let path = format!("{path}.{name}");
                let is_demand = path.contains(".says.") && inner.get("properties").is_some();
                assert!(is_demand || inner["description"].is_string(), "{path}");
                descend(inner, &path);
                descend(&inner["items"], &path);
                descend(&inner["additionalProperties"], &path);
            }
        }
        descend(&schema(), "");
        descend(&schema()["$defs"]["outcome"], "outcome");
    }
}
