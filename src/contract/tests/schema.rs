//! Our rules are JSON Schema (2020-12) where both have a word for something, and another implementation says so.

use super::*;
use proptest::prelude::*;
use proptest::sample::select;

/// A demand as a contract writes it, and as a schema does.
#[derive(Debug, Clone)]
struct Demand {
    rule: String,
    schema: Json,
}

fn demand(rule: impl Into<String>, schema: Json) -> Demand {
    Demand { rule: rule.into(), schema }
}

fn demands(json_type: &'static str) -> BoxedStrategy<Vec<Demand>> {
    let choices = match json_type {
        "string" => vec![json!("a"), json!("ab1"), json!("é"), json!("")],
        "integer" => vec![json!(0), json!(1), json!(7), json!(-3)],
        "boolean" => vec![json!(true), json!(false)],
        _ => vec![json!([]), json!(["a"]), json!(["a", "b"])],
    };
    let one_of = prop::sample::subsequence(choices, 1..=2)
        .prop_map(|list| demand(format!("enum = {}", Json::from(list.clone())), json!({ "enum": list })));
    let length = |word: &'static str, of: &'static str| {
        (0..5_u8).prop_map(move |n| demand(format!("{word} = {n}"), json!({ of: n })))
    };
    let pattern = select(vec!["^a", "b$", "[0-9]", "^[a-z]*$", "é|1", "^.{2}$"])
        .prop_map(|p| demand(format!("pattern = '{p}'"), json!({ "pattern": p })));
    let format = select(vec!["uuid", "date"])
        .prop_map(|f| demand(format!("format = \"{f}\""), json!({ "format": f })));
    let one = match json_type {
        "string" => {
            let length = prop_oneof![length("min_length", "minLength"), length("max_length", "maxLength")];
            prop_oneof![one_of, length, pattern, format].boxed()
        }
        "array" => {
            prop_oneof![one_of, length("min_length", "minItems"), length("max_length", "maxItems")].boxed()
        }
        "integer" | "boolean" => one_of.boxed(),
        // Numbers and objects have no demand of their own.
        _ => Just(demand("required = true", json!({}))).boxed(),
    };
    prop::collection::vec(one, 0..4).boxed()
}

fn value() -> impl Strategy<Value = Option<Json>> {
    let text = prop_oneof![
        "[ab1é😀]{0,5}".prop_map(Json::from),
        "[12][0-9]{3}-[01][0-9]-[0-3][0-9]".prop_map(Json::from),
        "[0-9]{4}-?[0-9W]{2}-?[0-9]{1,2}T?".prop_map(Json::from),
        "[0-9a-fA-F]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}".prop_map(Json::from),
        "[{]?[0-9a-g]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{11,12}[}]?".prop_map(Json::from),
    ];
    let other = select(vec![
        json!(null),
        json!(0),
        json!(1),
        json!(1.0),
        json!(7.5),
        json!(-3),
        json!(1e300),
        json!(u64::MAX),
        json!(true),
        json!(false),
        json!([]),
        json!(["a"]),
        json!(["a", "b"]),
        json!([1, null, {}]),
        json!({}),
        json!({ "a": "b" }),
    ]);
    prop_oneof![4 => text.prop_map(Some), 3 => other.prop_map(Some), 1 => Just(None)]
}

fn field() -> impl Strategy<Value = (&'static str, bool, Vec<Demand>)> {
    let types = select(vec!["string", "integer", "number", "boolean", "array", "object"]);
    types.prop_flat_map(|t| (Just(t), any::<bool>(), demands(t)))
}

fn schema(json_type: &str, required: bool, demands: &[Demand]) -> Json {
    let mut all: Vec<Json> = vec![json!({ "type": json_type })];
    all.extend(demands.iter().map(|d| d.schema.clone()));
    // Absent and null pass every rule but `required`, which "" does not pass either.
    let value = match required {
        true => json!({ "allOf": all, "not": { "enum": ["", null] } }),
        false => json!({ "anyOf": [{ "type": "null" }, { "allOf": all }] }),
    };
    let names: &[&str] = if required { &["x"] } else { &[] };
    json!({ "type": "object", "properties": { "x": value }, "required": names })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn rules_agree_with_json_schema((json_type, required, demands) in field(), values in prop::collection::vec(value(), 12)) {
        let mut rules = vec![format!("{{ type = \"{json_type}\" }}")];
        let object = !matches!(json_type, "string" | "array" | "integer" | "boolean");
        let required = required || object && !demands.is_empty();
        if required {
            rules.push("{ required = true }".to_owned());
        }
        rules.extend(demands.iter().filter(|_| !object).map(|d| format!("{{ {} }}", d.rule)));
        let field = format!("{{ name = \"x\", rules = [{}] }},", rules.join(", "));
        let contract = loaded(&text("", &field, "[register.created]\nbody = '{}'\n[register.invalid]\nbody = '{}'"));
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(true)
            .build(&schema(json_type, required, &demands))
            .expect("a schema");
        for value in values {
            let mut body = json!({ "email": "a@b.co", "password": "hunter22" });
            if let (Some(value), Some(members)) = (&value, body.as_object_mut()) {
                members.insert("x".to_owned(), value.clone());
            }
            let ours = ask_json(&contract, body.clone()).outcome == Outcome::Created;
            prop_assert_eq!(ours, validator.is_valid(&body), "{} {:?}", field, value);
        }
    }
}
